# Which files of a project the report looks at, and what it finds in those that are not Python:
# lines that start a server, and lists of what is to be installed.

import os
import re
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from ._report_python import findings_in
from ._report_rules import Finding

_NOT_OURS = {
    "__pycache__", "build", "dist", "node_modules", "site-packages", "venv", "env", "htmlcov",
}  # fmt: skip
_LARGEST = 2_000_000  # bytes
_REQUIREMENTS = re.compile(
    r"^(?:requirements.*\.(?:txt|in)|constraints.*\.txt|pyproject\.toml|setup\.cfg|Pipfile)$"
)
_SERVING = re.compile(
    r"^(?:Procfile.*|Dockerfile.*|Makefile|.*\.(?:sh|service|conf|ya?ml|ini|toml|cfg))$"
)
_REQUIRED = re.compile(r"^[\s\"'-]*(channels(?:[-_]redis)?|daphne)(?=[\s\"'\[<>=!~;,]|$)", re.I)
_RUNS = re.compile(r"(?<![\w./-])(daphne|uvicorn|gunicorn)(?=\s+[-\w.]*[\w.]*)", re.I)
_ASGI = re.compile(r"\basgi\b|:application\b|uvicorn\S*worker", re.I)


def findings_below(folder: Path) -> list[Finding]:
    """Return what is to be changed in the project in *folder*, by file and line."""
    found: list[Finding] = []
    for path in files_below(folder):
        name = path.relative_to(folder).as_posix()
        try:
            if path.stat().st_size > _LARGEST:
                continue
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            what = f"this file can't be read: {error}."
            found.append(Finding(name, 0, "unreadable", "change", what, "Look through it by hand."))
            continue
        found += findings_in(text, name) if path.suffix == ".py" else findings_in_text(text, name)
    return sorted(found)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of the project, without environments, caches and what is hidden."""
    for at, folders, names in os.walk(folder):
        place = Path(at)
        folders[:] = sorted(
            each
            for each in folders
            if each not in _NOT_OURS
            and not each.startswith(".")
            and not (place / each / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            if name.endswith(".py") or _REQUIREMENTS.match(name) or _SERVING.match(name):
                yield place / name


def findings_in_text(text: str, path: str) -> list[Finding]:
    """Return what is to be changed in a file that is not Python."""
    name = path.rpartition("/")[2]
    found: list[Finding] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith(("#", ";")):
            continue
        required = _REQUIRED.match(line) if _REQUIREMENTS.match(name) else None
        if required:
            found.append(_requirement(path, number, required[1].lower().replace("_", "-")))
        elif (runs := _RUNS.search(line)) and (runs[1].lower() == "daphne" or _ASGI.search(line)):
            found.append(
                Finding(
                    path,
                    number,
                    "server",
                    "change",
                    f"{runs[1]} serves the project here.",
                    "Write: hypercorn -k trio mysite.asgi:application",
                )
            )
    return found


def _requirement(path: str, line: int, name: str) -> Finding:
    instead = {
        "channels": "Write greenroom; keep channels only while something else imports it.",
        "channels-redis": "Write greenroom[redis].",
        "daphne": "Remove it: hypercorn comes with greenroom.",
    }[name]
    return Finding(path, line, "requirement", "change", f"{name} is required.", instead)


def packages_on_channels(project: Iterable[str]) -> list[Finding]:
    """
    Return which installed packages import Channels themselves, of those that *project* uses.

    Args:
        project: The names of modules that the project imports or has in INSTALLED_APPS.
    """
    used = {name.split(".")[0] for name in project}
    found: list[Finding] = []
    modules_of: dict[str, set[str]] = {}
    for module, names in metadata.packages_distributions().items():
        for name in names:
            modules_of.setdefault(name, set()).add(module)
    for name, modules in sorted(modules_of.items()):
        if name.lower() in {"channels", "channels-redis", "channels_redis", "daphne", "greenroom"}:
            continue
        if modules & used and _requires_channels(name):
            what = f"{name}, which the project uses, imports channels itself."
            instead = (
                "Call install_as_channels() of greenroom.bridges.channels first thing in"
                " the settings and in asgi.py."
            )
            found.append(Finding(name, 0, "third-party", "change", what, instead))
    return found


def _requires_channels(name: str) -> bool:
    required = metadata.requires(name) or []
    return any(
        re.match(r"channels(?![\w-])", each, re.I) and "extra ==" not in each for each in required
    )
