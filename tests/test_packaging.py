# The distribution: what is in the wheel, and that it lives beside supervisord, whose package is
# called `supervisor` like one of our folders.

import hashlib
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("actors", "supervisor", "bridges")


def test_every_package_folder_is_listed() -> None:
    """
    A folder with an __init__.py is listed in [tool.setuptools] packages.
    """
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    on_disk = {
        ".".join(("greenroom", *init.parent.relative_to(ROOT).parts))
        for folder in FOLDERS
        for init in (ROOT / folder).rglob("__init__.py")
    }

    assert on_disk == set(config["tool"]["setuptools"]["packages"])


def test_every_module_lies_in_a_package() -> None:
    """
    A folder that holds modules has an __init__.py, or the wheel would leave it out.
    """
    orphans = [
        str(module.relative_to(ROOT))
        for folder in FOLDERS
        for module in (ROOT / folder).rglob("*.py")
        if not (module.parent / "__init__.py").exists()
    ]

    assert orphans == []


@pytest.mark.slow
def test_wheel_holds_every_file(wheel: Path) -> None:
    """
    The wheel has every file of the three folders under greenroom/, and nothing else.
    """
    on_disk = {
        f"greenroom/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert packed == on_disk


@pytest.mark.slow
@pytest.mark.network
def test_supervisord_is_left_alone(wheel: Path, tmp_path: Path) -> None:
    """
    Installing and uninstalling the wheel changes no file of supervisord's own package.
    """
    environment = Environment(tmp_path / "env")
    if not environment.pip("install", "--no-deps", "supervisor"):
        pytest.skip("needs network: supervisord could not be fetched")
    theirs = environment.files()
    assert any(name.startswith("supervisor/") for name in theirs)

    assert environment.pip("install", "--no-deps", "--no-index", str(wheel))
    both = environment.files()
    assert {name: both[name] for name in theirs} == theirs
    assert {name.split("/")[0] for name in both.keys() - theirs.keys()} == {
        "greenroom",
        wheel.name.rsplit("-", 3)[0] + ".dist-info",
    }
    assert environment.origin("supervisor").endswith("/site-packages/supervisor/__init__.py")
    assert environment.origin("greenroom.supervisor").endswith("/greenroom/supervisor/__init__.py")

    assert environment.pip("uninstall", "--yes", "greenroom")
    assert environment.files() == theirs


class Environment:
    """An empty virtual environment that this environment's pip installs into."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False)
        self._python = folder / "bin" / "python"
        self._packages = next(folder.glob("lib/python*/site-packages"))

    def pip(self, *arguments: str) -> bool:
        command = [sys.executable, "-m", "pip", "--python", str(self._python), "--retries", "1"]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode == 0

    def files(self) -> dict[str, str]:
        """Return a hash for each installed file; compiled files do not count."""
        return {
            path.relative_to(self._packages).as_posix(): hashlib.sha256(
                path.read_bytes()
            ).hexdigest()
            for path in self._packages.rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }

    def origin(self, module: str) -> str:
        """Return the file that `import module` would load."""
        code = f"import importlib.util as u; print(u.find_spec({module!r}).origin)"
        command = [str(self._python), "-I", "-c", code]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()
