# Small Django projects as users have them, in a folder of their own, whose tests are run by the
# real commands, `python -m pytest` and `manage.py test`, with options and plugins of their own.

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_FILES = {
    "manage.py": """
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """,
    "mysite/__init__.py": "",
    "mysite/settings.py": """
        import json, os
        SECRET_KEY = "only for tests"
        DEBUG = False
        ALLOWED_HOSTS = []
        INSTALLED_APPS = [
            "greenroom.bridges.django", "notes",
            "django.contrib.contenttypes", "django.contrib.staticfiles",
        ]
        MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
        ROOT_URLCONF = "mysite.urls"
        ASGI_APPLICATION = "mysite.asgi.application"
        DATABASES = {"default": json.loads(os.environ["DATABASE"])}
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        USE_TZ = True
        STATIC_URL = "/static/"
        GREENROOM = {"OUTPUT_STALL_SECONDS": 0.2}
        """,
    "mysite/urls.py": """
        from django.http import HttpResponse
        from django.urls import path
        from notes.models import Note
        async def later(request):
            return HttpResponse(str(await Note.objects.acount()))
        def broken(request):
            raise ZeroDivisionError("no view")
        async def broken_later(request):
            raise ZeroDivisionError("no async view")
        urlpatterns = [
            path("broken/", broken), path("broken/later/", broken_later),
            path("count/", lambda request: HttpResponse(str(Note.objects.count()))),
            path("later/", later),
        ]
        """,
    "mysite/asgi.py": """
        import os
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
        from greenroom.bridges.django import Greenroom, django_application
        from django.urls import path
        application = Greenroom(
            http=django_application(),
            websocket=[
                path("ws/", "notes.consumers.Notes"),
                path("wait/", "notes.consumers.Waits"),
            ],
            children=["notes.consumers.Ticker"],
        )
        """,
    "notes/__init__.py": "",
    "notes/static/hello.txt": "hello\n",
    "notes/models.py": """
        from django.db import models
        class Note(models.Model):
            text = models.CharField(max_length=200)
        """,
    "notes/consumers.py": """
        import trio
        from greenroom.actors import Actor, WebsocketConsumer
        from notes.models import Note
        class Notes(WebsocketConsumer):
            def receive(self, text):
                if text == "boom":
                    raise ValueError("boom")
                Note.objects.create(text=text)
                self.send(text=f"{Note.objects.count()}: {text}")
        class Waits(WebsocketConsumer):
            async def receive(self, text):
                if text == "hang":
                    await trio.sleep_forever()
                if text == "much":
                    while True:
                        await self.send(bytes=bytes(65536))
                await trio.sleep(float(text))
                await self.send(text="done")
        class Ticker(Actor):
            restart = "permanent"
        """,
}

MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


class Project:
    """A project in *folder*; what its tests say is in ``output``."""

    def __init__(self, folder: Path, database: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.output = ""
        self._database = database or MEMORY
        for name, text in _FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a file, *text* without its indentation."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_dedent(text))

    def pytest(self, tests: str, *options: str, ini: str = "", django: bool = True) -> int:
        """Run *tests*, a test module's text, with pytest; return its status."""
        self.write("test_it.py", tests)
        settings = "DJANGO_SETTINGS_MODULE = mysite.settings\n" if django else ""
        scope = "" if "no:asyncio" in options else "asyncio_default_fixture_loop_scope = function\n"
        ini = f"{scope}{_dedent(ini)}"
        self.write("pytest.ini", f"[pytest]\nfilterwarnings = error\n{settings}{ini}")
        return self.run("-m", "pytest", "-p", "no:cacheprovider", "-ra", *options, "test_it.py")

    def manage_test(self, tests: str, *options: str) -> int:
        """Run *tests* with ``manage.py test``; return its status."""
        self.write("notes/tests.py", tests)
        return self.run("-W", "error", "manage.py", "test", "-v", "2", *options)

    def run(self, *arguments: str) -> int:
        """Run Python with *arguments* in the folder; return its status."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={
                **{name: value for name, value in os.environ.items() if "PYTEST" not in name},
                "PYTHONPATH": str(self.folder),
                "DATABASE": json.dumps(self._database),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.output = done.stdout + done.stderr
        return done.returncode

    def passed(self, status: int, count: int) -> None:
        """Say that *status* and the output tell of *count* passed tests and nothing else."""
        assert status == 0, self.output
        words = (f"{count} passed", f"Ran {count} test")
        assert any(each in self.output for each in words), self.output
        assert "warning" not in self.output.lower(), self.output


def _dedent(text: str) -> str:
    lines = text.strip("\n").splitlines()
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indent:] for line in lines).rstrip() + "\n"
