# Who sets Django up, in each order of imports. Every case is a fresh interpreter.

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    """
    Runs a script beside a minimal project; returns what it printed.
    """
    (tmp_path / "mysite").mkdir()
    (tmp_path / "mysite" / "__init__.py").touch()
    (tmp_path / "mysite" / "settings.py").write_text(
        dedent("""
            SECRET_KEY = "test"
            USE_TZ = True
            INSTALLED_APPS = ["django.contrib.contenttypes", "greenroom.bridges.django"]
        """)
    )
    return Run(tmp_path)


class Run:
    """A folder in which scripts run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, script: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", dedent(script)],
            cwd=self.folder,
            env={
                **{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
        )


def test_importing_the_bridge_sets_django_up(run: Run) -> None:
    """
    After the import of greenroom.bridges.django models can be imported.
    """
    done = run(
        """
        import greenroom.bridges.django
        from django.contrib.contenttypes.models import ContentType
        print("fine")
        """,
        DJANGO_SETTINGS_MODULE="mysite.settings",
    )

    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_django_setup_may_come_first(run: Run) -> None:
    """
    As an installed app the bridge is imported during django.setup(), and does not call it.
    """
    done = run(
        """
        import django
        django.setup()
        from django.apps import apps
        from greenroom.bridges.django import django_application
        print(apps.get_app_config("greenroom").verbose_name, type(django_application()).__name__)
        """,
        DJANGO_SETTINGS_MODULE="mysite.settings",
    )

    assert (done.stdout, done.stderr) == ("Greenroom DjangoApplication\n", "")


LOADER = """
import importlib
import hypercorn.utils

def load_application(path):
    importlib.import_module(path)
    from django.contrib.contenttypes.models import ContentType
    return "fine"

load_application.__globals__["__name__"] = "hypercorn.utils"
print(load_application({first!r}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        "greenroom.actors",
        "greenroom.supervisor",
        "greenroom.bridges.asgi",
        "greenroom.bridges.asgiref",
        "greenroom.bridges.engines",
        "greenroom.bridges.channels.layers",
        "greenroom.bridges.channels.redis",
    ],
)
def test_whatever_is_imported_first(run: Run, first: str) -> None:
    """
    Below hypercorn's loader any package of ours may be the first, and models may follow.
    """
    done = run(LOADER.format(first=first), DJANGO_SETTINGS_MODULE="mysite.settings")
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_an_installed_app_imports_a_layer(run: Run) -> None:
    """
    A package that imports `channels.layers` may stand in INSTALLED_APPS, below hypercorn, too.
    """
    (run.folder / "package.py").write_text("import channels.layers\n")
    settings = run.folder / "mysite" / "settings.py"
    settings.write_text(settings.read_text() + "INSTALLED_APPS.insert(0, 'package')\n")
    (run.folder / "project.py").write_text(
        dedent("""
            from greenroom.bridges.channels import install_as_channels
            install_as_channels()
            import django
            django.setup()
        """)
    )
    done = run(LOADER.format(first="project"), DJANGO_SETTINGS_MODULE="mysite.settings")
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_without_settings_the_import_is_harmless(run: Run) -> None:
    """
    With no settings the package can be imported; using it says what to write.
    """
    done = run(
        """
        from greenroom.bridges.django import django_application
        print("imported")
        django_application()
        """
    )

    assert done.stdout == "imported\n"
    assert "ImproperlyConfigured: DJANGO_SETTINGS_MODULE is not set. Put" in done.stderr


def test_settings_that_do_not_exist_are_named(run: Run) -> None:
    """
    A misspelt settings module is named, with where to look.
    """
    done = run("import greenroom.bridges.django", DJANGO_SETTINGS_MODULE="mysite.setings")

    last = done.stderr.splitlines()[-1]
    assert "DJANGO_SETTINGS_MODULE is 'mysite.setings', but there is no module" in last
    assert "folder of manage.py" in last


def test_an_import_error_inside_the_settings_passes_through(run: Run) -> None:
    """
    What else goes wrong in the project keeps its own traceback.
    """
    (run.folder / "mysite" / "settings.py").write_text("import nowhere_to_be_found\n")
    done = run("import greenroom.bridges.django", DJANGO_SETTINGS_MODULE="mysite.settings")

    assert (
        done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    )


def test_refused_settings_are_one_sentence(run: Run) -> None:
    """
    What Django refuses in the settings is told in Django's words.
    """
    (run.folder / "mysite" / "settings.py").write_text(
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['mysite', 'mysite']\n"
    )
    done = run("import greenroom.bridges.django", DJANGO_SETTINGS_MODULE="mysite.settings")

    assert "Django's settings are refused: Application labels aren't unique" in done.stderr
