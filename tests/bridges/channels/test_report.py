# What a project written for Channels has to change: a project is written, and the report is made.

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from greenroom.bridges.channels import _report_files
from greenroom.bridges.channels._report_python import findings_in
from greenroom.bridges.channels.report import Finding, main, report_on

PROJECT = {
    "mysite/settings.py": """
        INSTALLED_APPS = [
            "daphne",
            "channels",
            "chat",
        ]
        ASGI_APPLICATION = "mysite.asgi.application"
        CHANNEL_LAYERS = {
            "default": {"BACKEND": "channels_redis.core.RedisChannelLayer"},
            "rabbit": {"BACKEND": "channels_rabbitmq.core.RabbitmqChannelLayer"},
        }
    """,
    "mysite/asgi.py": """
        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.core.asgi import get_asgi_application
        application = ProtocolTypeRouter({"http": get_asgi_application()})
    """,
    "chat/consumers.py": """
        import asyncio
        from channels.exceptions import StopConsumer
        from channels.generic.websocket import AsyncWebsocketConsumer as Socket

        class Chat(Socket):
            async def connect(self):
                await self.accept()
                self.ticking = asyncio.create_task(self.tick())

            async def disconnect(self, code):
                raise StopConsumer()
    """,
    "chat/tests.py": """
        import pytest
        from channels.testing import WebsocketCommunicator

        @pytest.mark.asyncio
        async def test_chat():
            ...
    """,
    "requirements.txt": """
        Django
        channels[daphne]>=4
        channels_redis
        channels-presence
    """,
    "Procfile": "web: daphne -p $PORT mysite.asgi:application\n",
    "deploy.sh": "exec uvicorn mysite.asgi:application\n# daphne was here\necho uvicorn\n",
    ".venv/lib/x.py": "import channels\n",
    "env2/pyvenv.cfg": "",
    "env2/x.py": "import channels\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return tmp_path


def places(findings: list[Finding], level: str) -> list[tuple[str, int, str]]:
    return [(each.path, each.line, each.rule) for each in findings if each.level == level]


def test_a_project(project: Path) -> None:
    """
    Each place that has to change is named by file and line, and nothing in environments.
    """
    findings = report_on(project)

    assert places(findings, "change") == [
        ("Procfile", 1, "server"),
        ("chat/consumers.py", 2, "import"),
        ("chat/consumers.py", 3, "import"),
        ("chat/consumers.py", 8, "asyncio-in-consumer"),
        ("chat/tests.py", 2, "import"),
        ("deploy.sh", 1, "server"),
        ("mysite/asgi.py", 1, "import"),
        ("mysite/asgi.py", 2, "asgi-application"),
        ("mysite/settings.py", 2, "installed-apps"),
        ("mysite/settings.py", 3, "installed-apps"),
        ("mysite/settings.py", 9, "channel-layer"),
        ("requirements.txt", 2, "requirement"),
        ("requirements.txt", 3, "requirement"),
    ]
    assert places(findings, "note") == [
        ("chat/consumers.py", 11, "stop-consumer"),
        ("chat/tests.py", 4, "test-mark"),
        ("mysite/settings.py", 6, "asgi-application-setting"),
        ("mysite/settings.py", 8, "channel-layer"),
    ]


@pytest.mark.parametrize(
    ("source", "instead"),
    [
        ("import channels", "from greenroom.bridges import channels"),
        (
            "import channels.layers",
            "import greenroom.bridges.channels.layers; from greenroom.bridges import channels",
        ),
        ("import channels.layers as l", "import greenroom.bridges.channels.layers as l"),
        (
            "from channels.db import database_sync_to_async as d",
            "from greenroom.bridges.channels.db import database_sync_to_async as d",
        ),
        (
            "from channels_redis.core import RedisChannelLayer",
            "from greenroom.bridges.channels.redis import RedisChannelLayer",
        ),
        (
            "from channels.generic.websocket import (\n    A,\n    B,\n)",
            "from greenroom.bridges.channels.generic.websocket import A, B",
        ),
    ],
)
def test_an_import_is_written_out(source: str, instead: str) -> None:
    """
    What to write is the whole line, to be copied.
    """
    [finding] = findings_in(source, "x.py")
    assert finding.instead == f"Write: {instead}"


def test_a_whole_name_is_written_out() -> None:
    """
    Where a module is used by its whole name, ours is given whole.
    """
    source = "import channels.layers\nlayer = channels.layers.get_channel_layer()"
    [_, finding] = findings_in(source, "x.py")
    assert finding.line == 2
    assert finding.instead == "Write: greenroom.bridges.channels.layers.get_channel_layer"


def test_django_application_goes_below_the_settings() -> None:
    """
    In an asgi.py as `startproject` writes it, the report says below which line to import ours.
    """
    source = """
import os
from django.core.asgi import get_asgi_application
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_asgi_application()
"""
    [finding] = findings_in(source, "asgi.py")
    assert finding.line == 3
    assert finding.instead.startswith("Write, below line 4, where the settings are named, from ")


@pytest.mark.parametrize(
    ("source", "rules"),
    [
        ("from channelsfoo import x\nimport mychannels\nfrom . import channels", []),
        ("from greenroom.bridges.channels.layers import get_channel_layer", []),
        ("import daphne.server", ["daphne"]),
        ("from channels_redis.core import RedisLoopLayer", ["import", "internals"]),
        ("from channels.utils import await_many_dispatch", ["import"]),
        ("class A(AConsumer):\n    async def __call__(self, a, b, c):\n        pass", ["own-call"]),
        ("from asgiref.server import StatelessServer", ["internals"]),
        ("layer.receive_buffer['x']", ["internals"]),
        ("import django.core.asgi\ndjango.core.asgi.get_asgi_application()", ["asgi-application"]),
        ("import channels.layers\nx = channels.layers.get_channel_layer()", ["import", "name"]),
        ("from x import channels\nx = channels.layers.get_channel_layer()", []),
        ("import channels as c\nx = c.layers", ["import"]),
        ("INSTALLED_APPS += ['channels']", ["installed-apps"]),
        ("INSTALLED_APPS: list = ['daphne.apps.DaphneConfig']", ["installed-apps"]),
        (
            "class A(AConsumer):\n    def f(self):\n        import aiohttp",
            ["asyncio-in-consumer"],
        ),
        (
            "import redis.asyncio as r\nclass A(AConsumer): pass\nclass B(A):\n    x = r.Redis()",
            ["asyncio-in-consumer"],
        ),
        ("import asyncio\nclass A(Consumer):\n    on_asyncio = True\n    x = asyncio.Lock()", []),
        ("import asyncio\nclass A:\n    x = asyncio.Lock()", []),
        ("import asyncio\nclass A(Consumer):\n    x = 'asyncio'", []),
        ("def (", ["unreadable"]),
        ("\0", ["unreadable"]),
    ],
)
def test_what_is_found_in_python(source: str, rules: list[str]) -> None:
    """
    Each rule finds what it is for, and not what only looks like it.
    """
    assert [finding.rule for finding in findings_in(source, "x.py")] == rules


def test_packages_that_import_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An installed package that requires channels, and that the project uses, needs the one call.
    """
    requirements = {
        "uses-it": ["channels>=4", "Django"],
        "only-extra": ['channels; extra == "ws"'],
        "not-used": ["channels"],
        "other": ["channels-redis"],
    }
    modules = {"uses_it": ["uses-it"], "extra": ["only-extra"], "o": ["other"], "n": ["not-used"]}
    monkeypatch.setattr(_report_files.metadata, "packages_distributions", lambda: modules)
    monkeypatch.setattr(_report_files.metadata, "requires", requirements.get)

    [finding] = _report_files.packages_on_channels(["uses_it.apps.Config", "extra", "o"])

    assert finding.path == "uses-it"
    assert "install_as_channels()" in finding.instead


def test_text_and_status(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    For people a finding is a line that editors can jump to; the status says that there are some.
    """
    assert main([str(project)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert (
        "mysite/settings.py:2: change: INSTALLED_APPS has daphne. Remove it. [installed-apps]"
        in lines
    )
    assert lines[-1] == "13 to change, 4 to know."


def test_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    For programs it is JSON, with the same in it.
    """
    assert main([str(project), "--format", "json"]) == 1

    made = json.loads(capsys.readouterr().out)
    assert (made["changes"], made["notes"], len(made["findings"])) == (13, 4, 17)
    assert made["findings"][0] == {
        "path": "Procfile",
        "line": 1,
        "rule": "server",
        "level": "change",
        "what": "daphne serves the project here.",
        "instead": "Write: hypercorn -k trio mysite.asgi:application",
    }


def test_a_project_that_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Where nothing has to change the status is 0.
    """
    (tmp_path / "asgi.py").write_text("from greenroom.bridges.channels.layers import x\n")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0 to change, 0 to know.\n"
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "is no folder" in capsys.readouterr().err


def test_what_can_not_be_read(tmp_path: Path) -> None:
    """
    A file that is no text is a finding, not the end of the report.
    """
    (tmp_path / "latin.py").write_bytes(b"# \xe9\nimport channels\n")
    [finding] = report_on(tmp_path)
    assert (finding.path, finding.rule) == ("latin.py", "unreadable")


def test_without_settings(project: Path) -> None:
    """
    As a module it runs before anything is changed, and does not import the project.
    """
    (project / "mysite" / "settings.py").write_text("raise SystemExit('imported')\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "greenroom.bridges.channels.report", "."],
        cwd=project,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "to change" in done.stdout


def test_the_command(project: Path) -> None:
    """
    `manage.py channels_report` looks through BASE_DIR, and ends with 1.
    """
    code = (
        "import sys; from pathlib import Path; from django.conf import settings;"
        "settings.configure(BASE_DIR=Path('.'), INSTALLED_APPS=['greenroom.bridges.channels']);"
        "from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'channels_report', *sys.argv[1:]])"
    )
    for arguments, status, said in (
        ([], 1, "13 to change, 4 to know."),
        (["--format", "json", "chat"], 1, '"changes": 4'),
        (["nowhere"], 2, "is no folder"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=project,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert done.returncode == status
        assert said in done.stdout + done.stderr
