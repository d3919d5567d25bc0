# A throw-away environment: pinned peers, this checkout, the compiled load client, a database.
#
# The checkout is linked in as folders, not installed: `greenroom` is a namespace, so three links
# make it, they follow every edit, and the build/ of the checkout, which the editable install of
# .venv lives in, stays untouched while tests run.

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
SERVERS = HERE / "servers"
PACKAGES = ("actors", "supervisor", "bridges")


@dataclass(frozen=True)
class Environment:
    """What `prepare` made in a folder."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where python and the servers' commands are."""
        return self.folder / "venv" / "bin"

    @property
    def client(self) -> Path:
        """The load client."""
        return self.folder / "load"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a server."""
        return {
            "PATH": f"{self.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(SERVERS),
            "BENCH_DATABASE": str(self.folder / "rows.sqlite3"),
            "DJANGO_SETTINGS_MODULE": "project.settings",
        }


def prepare(folder: Path, python: str) -> Environment:
    """Bring the environment in *folder* up to date and return it."""
    made = Environment(folder.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    _install(made, python)
    _link_checkout(made)
    sources = sorted(str(path) for path in (HERE / "client").glob("*.c"))
    _run("cc", "-O2", "-Wall", "-Wextra", "-o", str(made.client), *sources)
    _run(str(made.bin / "python"), "-m", "project.prepare", env=made.variables)
    return made


def _install(made: Environment, python: str) -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pinned = HERE / "requirements.txt"
    stamp = made.folder / "stamp"
    wanted = hashlib.sha256(
        "\n".join([pinned.read_text(), *needed, shutil.which(python) or python]).encode()
    ).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say(f"installing the servers into {made.folder} ...")
    shutil.rmtree(made.folder / "venv", ignore_errors=True)
    _run(python, "-m", "venv", str(made.folder / "venv"))
    # Together, so that pip refuses pins which Greenroom cannot run with.
    _run(str(made.bin / "python"), "-m", "pip", "install", "--quiet", "-r", str(pinned), *needed)
    stamp.write_text(wanted)


def _link_checkout(made: Environment) -> None:
    (site_packages,) = (made.folder / "venv" / "lib").glob("python3*/site-packages")
    namespace = site_packages / "greenroom"
    namespace.mkdir(exist_ok=True)
    for package in PACKAGES:
        link = namespace / package
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / package, target_is_directory=True)


def _run(*command: str, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=SERVERS,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        sys.exit(f"peers: there is no {command[0]} on this machine.")
    if done.returncode:
        output = (done.stdout + done.stderr).strip().splitlines()
        sys.exit("\n".join([f"peers: {' '.join(command[:4])} ... failed:", *output[-15:]]))


def _say(line: str) -> None:
    print(f"peers: {line}", file=sys.stderr, flush=True)
