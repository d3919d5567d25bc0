# `install_as_channels()`, each time in a process of its own: it is for good.

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def run_python(code: str, folder: Path) -> str:
    """
    Run *code* as a script of its own and return what it prints.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SETTINGS = """
    from greenroom.bridges.channels import install_as_channels
    install_as_channels()
    install_as_channels()
    from django.conf import settings
    settings.configure(
        CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        INSTALLED_APPS=["channels"],
    )
    import django
    django.setup()
"""


def test_each_name_leads_to_ours(tmp_path: Path) -> None:
    """
    All modules are there under Channels' names, and are the very modules of ours.
    """
    code = (
        SETTINGS
        + """
    import channels, channels.generic.websocket, channels.testing
    import greenroom.bridges.channels as ours
    from channels.generic.websocket import AsyncWebsocketConsumer
    from greenroom.bridges.channels.generic.websocket import AsyncWebsocketConsumer as Ours
    assert channels is ours and channels.generic.websocket is ours.generic.websocket
    assert AsyncWebsocketConsumer is Ours
    assert Ours.__module__ == ours.generic.websocket.__spec__.name
    for name in "consumer exceptions generic.http layers utils".split():
        __import__("channels." + name)
    from channels.layers import get_channel_layer
    from channels.testing import WebsocketCommunicator
    assert get_channel_layer() is not None
    print(channels.__version__.split(".")[0])
    """
    )
    assert run_python(code, tmp_path) == "4"


def test_the_app_has_the_label(tmp_path: Path) -> None:
    """
    "channels" in INSTALLED_APPS is an app of that label, and `is_installed` knows it.
    """
    code = (
        SETTINGS
        + """
    from django.apps import apps
    config = apps.get_app_config("channels")
    print(config.label, apps.is_installed("channels"))
    """
    )
    assert run_python(code, tmp_path) == "channels True"


def test_the_app_is_no_rival(tmp_path: Path) -> None:
    """
    "channels" in INSTALLED_APPS, which is ours then, is not warned of as Channels' own is.
    """
    code = (
        SETTINGS
        + """
    from greenroom.bridges.django.checks import check_asgi_application
    print(check_asgi_application())
    """
    )
    assert run_python(code, tmp_path) == "[]"


def test_a_package_that_imports_channels(tmp_path: Path) -> None:
    """
    A package that knows Channels only gets supervised consumers.
    """
    (tmp_path / "theirs.py").write_text(
        textwrap.dedent("""
            import channels.layers
            from channels.generic.websocket import AsyncJsonWebsocketConsumer
            from channels.exceptions import StopConsumer

            class Echo(AsyncJsonWebsocketConsumer):
                groups = ["all"]

                async def receive_json(self, content):
                    await self.channel_layer.group_send("all", {"type": "all.echo", "c": content})

                async def all_echo(self, event):
                    await self.send_json(event["c"])
        """)
    )
    code = (
        SETTINGS
        + """
    import trio
    from theirs import Echo
    from channels.testing import WebsocketCommunicator

    async def main():
        communicator = WebsocketCommunicator(Echo.as_asgi(), "/")
        await communicator.connect()
        await communicator.send_json_to([1])
        print(await communicator.receive_json_from())
        await communicator.disconnect()

    trio.run(main)
    """
    )
    assert run_python(code, tmp_path) == "[1]"


def test_too_late(tmp_path: Path) -> None:
    """
    Behind an import of the package Channels it is refused, with what to do.
    """
    code = """
    import channels.exceptions
    from greenroom.bridges.channels import install_as_channels
    try:
        install_as_channels()
    except RuntimeError as error:
        print(error)
    """
    said = run_python(code, tmp_path)
    assert said.startswith("install_as_channels() comes too late: channels, channels.exceptions")
    assert "at the top of the settings" in said


def test_what_is_not_there(tmp_path: Path) -> None:
    """
    A module that neither we have nor they is an ordinary ModuleNotFoundError, by its name.
    """
    code = (
        SETTINGS
        + """
    try:
        import channels.nothing_here
    except ModuleNotFoundError as error:
        print(error)
    """
    )
    assert run_python(code, tmp_path) == "No module named 'channels.nothing_here'"


def test_in_the_settings(tmp_path: Path) -> None:
    """
    In the settings it is early enough for pytest-django, which sets Django up before conftest.py.
    """
    (tmp_path / "settings.py").write_text(
        textwrap.dedent("""
            from greenroom.bridges.channels import install_as_channels
            install_as_channels()
            SECRET_KEY = "x"
            INSTALLED_APPS = ["channels"]
        """)
    )
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent("""
            def test_it():
                import channels
                assert channels.__spec__.name == "greenroom.bridges.channels"
        """)
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--ds=settings", "-p", "no:cacheprovider", "."],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr
