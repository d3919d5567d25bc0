# User code is clean under pyright strict and mypy strict with the plugin of django-stubs, when
# greenroom is an installed wheel: outside the checkout, so that nothing but the wheel can answer.

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

USER_CODE = Path(__file__).resolve().parent / "typing"
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def user(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A folder of user code with an environment `env` that has the wheel and our dependencies.
    """
    home = tmp_path_factory.mktemp("user")
    shutil.copytree(USER_CODE, home / "code", ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(home / "env", with_pip=False)
    packages = next((home / "env").glob("lib/python*/site-packages"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(home / "env" / "bin" / "python")),
            *("install", "--no-deps", "--no-index", "--quiet", str(wheel)),
        ],
        check=True,
        timeout=120,
    )
    # Dependencies come from this environment. What its own .pth files add, such as an editable
    # greenroom, does not come along: Python does not follow .pth files of a .pth file.
    ours = next(Path(entry) for entry in sys.path if (Path(entry) / "django").is_dir())
    (packages / "dependencies.pth").write_text(f"{ours}\n")
    return home


def check(user: Path, *command: str) -> None:
    """Run a type checker on the user's code; fail with its complaints."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=user / "code",
        env={
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(user / "code"),
            "DJANGO_SETTINGS_MODULE": "user_settings",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)


def test_the_wheel_is_what_is_checked(user: Path) -> None:
    """
    In the user's environment greenroom is the wheel's, not the checkout's.
    """
    code = "import greenroom.actors; print(greenroom.actors.__file__)"
    done = subprocess.run(
        [str(user / "env" / "bin" / "python"), "-c", code],
        cwd=user,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert Path(done.stdout.strip()).is_relative_to(user / "env")


@pytest.mark.slow
def test_pyright_strict(user: Path) -> None:
    """
    User code is clean, and every planted mistake found, under pyright strict.
    """
    check(user, "pyright", "--pythonpath", str(user / "env" / "bin" / "python"), "--project", ".")


@pytest.mark.slow
def test_mypy_strict(user: Path) -> None:
    """
    User code is clean, and every planted mistake found, under mypy strict with django-stubs.
    """
    python = str(user / "env" / "bin" / "python")

    check(user, "mypy", "--python-executable", python, "--config-file", "mypy.ini", ".")
