# Makes and keeps the environment in .venv: `python3 scripts/environment.py test dev`.
#
# The arguments are the extras of pyproject.toml that the caller needs. Only the standard library,
# in syntax that Python 3.7 can read, so that even an old one gets a sentence and no traceback. The
# rule throughout: one clear line with the remedy; what pip says goes to .venv/install.log.
#
# A stamp makes the second run quick. It holds what the environment was made from: this interpreter,
# the place of the checkout, what pyproject.toml installs, and the list of source files, since the
# strict editable install links single files and a new one needs linking (offline, in seconds).

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("VENV") or ".venv").absolute()
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "greenroom-stamp.json"
LOG = VENV / "install.log"
NO_NETWORK = ("ConnectionError", "Connection to", "NewConnection", "timed out")
PACKAGES = ("actors", "supervisor", "bridges")


def main(extras: list[str]) -> None:
    """Bring the environment up to date, with *extras* installed."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the point of this line
        stop(
            f"Greenroom needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}."
            " Name another one: `make PYTHON=python3.13 ...`."
        )
    if not os.access(ROOT, os.W_OK):
        stop(f"you may not write in {ROOT}: make a clone in a folder of your own.")
    base = {"python": f"{sys.base_prefix} {sys.version}", "root": str(ROOT)}
    project = what_to_install()
    files = source_files()
    old = read_stamp()
    if not PYTHON.exists() or {key: old.get(key) for key in base} != base:
        old = {}
        make_venv()
    known = set(old.get("extras", ()))
    wanted = sorted(known.union(extras))
    if old.get("project") != project or known != set(wanted):
        install(wanted)
    elif old.get("files") != files or not all_linked(files):
        say("linking the sources again (a file was added or removed) ...")
        pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    else:
        return
    STAMP.write_text(json.dumps({**base, "project": project, "files": files, "extras": wanted}))


def make_venv() -> None:
    """Create an empty environment in VENV, or stop with the remedy."""
    try:
        importlib.import_module("ensurepip")
        importlib.import_module("venv")
    except ImportError:
        stop(f"{sys.executable} cannot make environments (no ensurepip): {venv_remedy()}")
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists():
        stop(f"{VENV} is there and is no environment: move it away, or say `make VENV=...`.")
    shutil.rmtree(VENV, ignore_errors=True)
    say(f"making the environment in {os.path.relpath(VENV)} ...")
    command = [sys.executable, "-m", "venv", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        said = " ".join((made.stderr or made.stdout).split())
        remedy = venv_remedy() if "ensurepip" in said else "mend what it says, then try again."
        stop(f"{sys.executable} -m venv failed: {remedy} It said: {said[-300:]}")


def venv_remedy() -> str:
    """Return what to type so that this interpreter can make environments."""
    if Path("/etc/debian_version").exists() and sys.base_prefix == "/usr":
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        return f"run `apt install {package}` as root, then try again."
    return (
        "take another Python, such as Debian's: `apt install python3-venv` as root, then"
        " `make PYTHON=/usr/bin/python3 ...`."
    )


def install(extras: list[str]) -> None:
    """Install the build backend, then the project as links together with *extras*."""
    which = f"[{','.join(extras)}]" if extras else ""
    say(f"installing greenroom{which} and what it needs; a first time takes a minute or two ...")
    # With the build backend in the environment, linking again needs no network.
    pip("install", *what_to_install()["build-system"]["requires"])
    pip("install", "--no-build-isolation", "--editable", f"{ROOT}{which}")


def what_to_install() -> dict[str, Any]:
    """Return the tables of pyproject.toml that decide what is installed."""
    import tomllib  # new in 3.11

    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {
        "build-system": config["build-system"],
        "project": config["project"],
        "setuptools": config["tool"]["setuptools"],
    }


def pip(*arguments: str) -> None:
    """Run pip with its output in LOG, or stop with one line on what went wrong."""
    command = [PYTHON, "-m", "pip", *arguments, "--disable-pip-version-check", "--retries", "2"]
    with LOG.open("w") as log:
        code = subprocess.call(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    if code == 0:
        return
    output = LOG.read_text(encoding="utf-8", errors="replace")
    where = os.path.relpath(LOG)
    # A package is "not found" for pip also when it could reach no index at all.
    if any(sign in output for sign in NO_NETWORK):
        stop(
            "pip cannot reach its package index: connect this machine to the network, or name a"
            f" mirror with PIP_INDEX_URL, then try again (details in {where})."
        )
    sys.stderr.writelines(f"  {line}\n" for line in output.splitlines()[-15:])
    stop(f"pip {arguments[0]} failed; its last lines stand above, all of them in {where}.")


def source_files() -> list[str]:
    """Return the files that the editable install links, relative to ROOT."""
    return sorted(
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def all_linked(files: list[str]) -> bool:
    """Say whether every module among *files* is linked; not so after `rm -r build`."""
    trees = sorted(ROOT.glob("build/__editable__.greenroom-*/greenroom"))
    return bool(trees) and all(
        (tree / name).exists() for tree in trees for name in files if name.endswith(".py")
    )


def read_stamp() -> dict[str, Any]:
    """Return what the environment was made from; empty if unknown."""
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


def say(line: str) -> None:
    """Tell the person at the terminal what happens now."""
    print(f"greenroom: {line}", file=sys.stderr, flush=True)


def stop(line: str) -> None:
    """End with *line* as the last and, where possible, the only word."""
    say(line)
    sys.exit(1)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        stop("interrupted; run it again, and it is made anew.")
