# Who may import whom. Imports are read from the source, also those inside functions and those
# that `importlib.import_module` and its kin make from a literal name.

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("actors", "supervisor", "bridges")

# The direction: bridges -> supervisor -> actors -> trio.
MAY_IMPORT = {
    "actors": {"actors"},
    "supervisor": {"supervisor", "actors"},
    "bridges": {"bridges", "supervisor", "actors"},
}

# Inside bridges a sibling is the exception. `testing` may import all and nobody imports it.
MAY_IMPORT_SIBLING = {
    "asgi": {"engines", "hypercorn", "inspection", "tracing", "websocket"},
    "asgiref": set[str](),
    "channels": {"asgi", "asgiref", "django", "engines", "hypercorn", "testing"},
    "client": set[str](),
    "django": {"asgi", "asgiref", "engines", "hypercorn", "inspection", "metrics", "tracing"},
    "engines": set[str](),
    "http": set[str](),
    "hypercorn": {"http", "websocket"},
    "inspection": set[str](),
    "longpoll": {"asgi"},
    "metrics": set[str](),
    "testing": {"asgi", "asgiref", "channels", "client", "django", "engines", "hypercorn"},
    "tracing": set[str](),
    "websocket": set[str](),
}

# Every third-party library and the only places that may import it.
MAY_IMPORT_LIBRARY = {
    "trio": ("actors", "supervisor", "bridges"),
    "trio.lowlevel": ("actors/_lowlevel.py",),
    "django": ("bridges/channels", "bridges/django"),
    "asgiref": ("bridges/asgiref", "bridges/channels", "bridges/django"),
    "hypercorn": ("bridges/hypercorn",),
    "aioquic": ("bridges/hypercorn/_h3.py",),
    "httptools": ("bridges/http",),
    "trio_websocket": ("bridges/client",),
    "websockets": ("bridges/websocket",),
    "coredis": ("bridges/engines/_redis",),
    "cryptography": ("bridges/engines/_redis",),
    "msgpack": ("bridges/engines/_redis",),
    "opentelemetry": ("bridges/tracing",),
    "wsproto": ("bridges/client",),
    "h11": ("bridges/client/_reasons.py",),
    "msgspec": ("bridges", "actors/consumers", "supervisor/_presence_wire.py"),
    "prometheus_client": ("bridges/metrics",),
    "rich": ("bridges/django/terminal/_screen.py",),
    "pytest": ("bridges/testing",),
}

# A lower layer may name an upper one only here, and only by a string looked up when it is needed:
# `SomeConsumer.as_asgi()` is an ASGI application without `actors` knowing ASGI, and the first
# import below hypercorn sets Django up.
UPWARD_BY_NAME = {"actors/_early.py", "actors/consumers/_consumer.py"}

MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
BRIDGES = [path for path in MODULES if path.is_relative_to(ROOT / "bridges")]
LOOKUPS = {"import_module", "__import__", "resolve_name", "import_string"}


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each full name imported in *path*, and whether it was by a literal string."""
    package = ("greenroom", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = tuple((node.module or "").split("."))
            for alias in node.names:
                yield ".".join(part for part in (*base, *module, alias.name) if part), False
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.Call) and called_name(node) in LOOKUPS and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value.replace(":", "."), True


def called_name(node: ast.Call) -> str:
    """Return the last part of the name that *node* calls."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def own_imports(path: Path) -> Iterator[tuple[list[str], bool]]:
    """Yield the parts after `greenroom.` of every import of our own code in *path*."""
    for name, by_name in imports_of(path):
        parts = name.split(".")
        if parts[0] == "greenroom" and len(parts) > 1:
            yield parts[1:], by_name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    """
    A folder imports itself and what lies below it, never what lies above.
    """
    place = str(path.relative_to(ROOT))
    folder = path.relative_to(ROOT).parts[0]
    upward = [
        ".".join(parts)
        for parts, by_name in own_imports(path)
        if parts[0] not in MAY_IMPORT[folder]
        if not (by_name and place in UPWARD_BY_NAME)
    ]

    assert upward == []


@pytest.mark.parametrize("path", BRIDGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_bridges_keep_apart(path: Path) -> None:
    """
    A bridge imports only the siblings that the table allows; nobody imports `testing`.
    """
    place = path.relative_to(ROOT).parts
    here = place[1] if len(place) > 2 else ""
    siblings = {
        parts[1]
        for parts, _ in own_imports(path)
        if parts[0] == "bridges" and len(parts) > 1 and (ROOT / "bridges" / parts[1]).is_dir()
    }

    assert siblings - {here} <= MAY_IMPORT_SIBLING.get(here, set())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_libraries_stay_in_their_place(path: Path) -> None:
    """
    A third-party library is imported in its own folder only, and trio.lowlevel in one module.
    """
    place = path.relative_to(ROOT).as_posix()
    misplaced = [
        name
        for name, _ in imports_of(path)
        if name.split(".")[0] not in {"greenroom", "__future__", *sys.stdlib_module_names}
        if not place.startswith(places_for(name))
    ]

    assert misplaced == []


def places_for(name: str) -> tuple[str, ...]:
    """Return where *name* may be imported, by the longest entry that covers it."""
    parts = name.split(".")
    prefixes = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((MAY_IMPORT_LIBRARY[each] for each in prefixes if each in MAY_IMPORT_LIBRARY), ())


def test_one_name_points_upwards() -> None:
    """
    The one string that names an upper layer stands in one place.
    """
    upward = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        for parts, by_name in own_imports(path)
        if by_name and parts[0] not in MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    ]

    assert set(upward) <= UPWARD_BY_NAME
    assert len(upward) <= 2


def test_lowlevel_is_not_reached_by_attribute() -> None:
    """
    `trio.lowlevel.x` after `import trio` counts as an import of trio.lowlevel.
    """
    users = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES
        if any(
            isinstance(node, ast.Attribute)
            and node.attr == "lowlevel"
            and isinstance(node.value, ast.Name)
            and node.value.id == "trio"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]

    assert set(users) <= {"actors/_lowlevel.py"}


def test_imports_inside_the_package_are_relative() -> None:
    """
    `import greenroom...` does not stand inside the package, so no module works under a wrong name.
    """
    absolute = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 0
        if (node.module or "").split(".")[0] == "greenroom"
    ]

    assert absolute == []


def test_the_reader_sees_every_kind_of_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Relative, plain, nested and literal dynamic imports are all found.
    """
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    module = tmp_path / "actors" / "consumers" / "_x.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from ...supervisor import Root\n"
        "from ... import bridges\n"
        "from .. import _ref\n"
        "def f():\n"
        "    import greenroom.bridges.asgi\n"
        "    importlib.import_module('greenroom.bridges.django')\n"
        "    pkgutil.resolve_name('greenroom.bridges.asgi:App')\n"
    )

    assert list(imports_of(module)) == [
        ("greenroom.supervisor.Root", False),
        ("greenroom.bridges", False),
        ("greenroom.actors._ref", False),
        ("greenroom.bridges.asgi", False),
        ("greenroom.bridges.django", True),
        ("greenroom.bridges.asgi.App", True),
    ]
