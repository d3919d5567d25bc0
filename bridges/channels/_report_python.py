# What the report finds in one Python file: its syntax tree is looked at, nothing is imported.

import ast
from collections.abc import Iterator

from ._report_rules import (
    BACKENDS,
    INTERNALS,
    Finding,
    Level,
    asyncio_library,
    is_below,
    our_import,
    our_module,
)

_CHANNELS = ("channels", "channels_redis", "daphne")


def findings_in(source: str, path: str) -> list[Finding]:
    """
    Return what is to be changed in the Python file *path*, in the order of its lines.

    A file that Python can't parse is a finding itself.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0) or 0
        what = f"this file can't be read: {error}."
        return [Finding(path, line, "unreadable", "change", what, "Look through it by hand.")]
    found = _Looker(path, _settings_line(tree))
    found.visit(tree)
    return sorted(found.findings)


class _Looker(ast.NodeVisitor):
    def __init__(self, path: str, settings_line: int) -> None:
        self.path = path
        self._settings_line = settings_line
        self.findings: list[Finding] = []
        self._names: dict[str, str] = {}  # what an imported name stands for
        self._consumers: set[str] = set()  # classes in this file
        self._testing = False

    def _add(self, node: ast.AST, rule: str, level: Level, what: str, instead: str) -> None:
        line = getattr(node, "lineno", 0)
        self.findings.append(Finding(self.path, line, rule, level, what, instead))

    # -- imports ------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._names[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )
            ours = f"import {our_module(alias.name)} as {alias.asname}"
            self._import(node, alias.name, ours if alias.asname else our_import(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            return
        names = ", ".join(
            f"{alias.name} as {alias.asname}" if alias.asname else alias.name
            for alias in node.names
        )
        for alias in node.names:
            self._names[alias.asname or alias.name] = f"{module}.{alias.name}"
        self._import(node, module, f"from {our_module(module)} import {names}")
        for alias in node.names:
            if alias.name in INTERNALS and module.split(".")[0] in (*_CHANNELS, "asgiref"):
                self._internal(node, alias.name)
            if module == "django.core.asgi" and alias.name == "get_asgi_application":
                self._django_application(node)

    def _import(self, node: ast.AST, module: str, instead: str) -> None:
        package = module.split(".", maxsplit=1)[0]
        if package == "daphne":
            what = f"{module} is imported; there is no daphne any more."
            self._add(node, "daphne", "change", what, "Remove it: hypercorn serves.")
        elif package in _CHANNELS:
            what = f"{module} is imported."
            self._add(node, "import", "change", what, f"Write: {instead}")
        if is_below(module, "channels.testing"):
            self._testing = True

    def _django_application(self, node: ast.AST) -> None:
        below = self._settings_line if self._settings_line > getattr(node, "lineno", 0) else 0
        where = f", below line {below}, where the settings are named," if below else ""
        self._add(
            node,
            "asgi-application",
            "change",
            "get_asgi_application() can't run on trio.",
            f"Write{where or ':'} from greenroom.bridges.django import django_application,"
            " and call that.",
        )

    def _internal(self, node: ast.AST, name: str) -> None:
        self._add(
            node,
            "internals",
            "change",
            f"{name} is no API of Channels, and is not here.",
            INTERNALS[name],
        )

    # -- settings -----------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._setting(target.id, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name) and node.value is not None:
            self._setting(node.target.id, node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._setting(node.target.id, node.value)
        self.generic_visit(node)

    def _setting(self, name: str, value: ast.expr) -> None:
        if name == "INSTALLED_APPS":
            self._apps(value)
        elif name == "CHANNEL_LAYERS":
            self._layers(value)
        elif name == "ASGI_APPLICATION":
            self._add(
                value,
                "asgi-application-setting",
                "note",
                "ASGI_APPLICATION stays: manage.py runserver, serve and runworker read it.",
                "Have it name a Greenroom(...), or a ProtocolTypeRouter of"
                " greenroom.bridges.channels.routing.",
            )

    def _apps(self, value: ast.expr) -> None:
        for node in ast.walk(value):
            app = node.value if isinstance(node, ast.Constant) else None
            if not isinstance(app, str):
                continue
            if is_below(app, "daphne"):
                what = "INSTALLED_APPS has daphne."
                self._add(node, "installed-apps", "change", what, "Remove it.")
            elif is_below(app, "channels"):
                instead = 'Write "greenroom.bridges.channels" and "greenroom.bridges.django".'
                self._add(node, "installed-apps", "change", "INSTALLED_APPS has channels.", instead)

    def _layers(self, value: ast.expr) -> None:
        for node in ast.walk(value):
            if not isinstance(node, ast.Dict):
                continue
            for key, each in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "BACKEND":
                    self._backend(each)

    def _backend(self, node: ast.expr) -> None:
        name = node.value if isinstance(node, ast.Constant) else None
        if not isinstance(name, str) or name.startswith("greenroom."):
            return
        if name in BACKENDS:
            what = f"{name} in CHANNEL_LAYERS stands for ours, and speaks the same on the wire."
            self._add(node, "channel-layer", "note", what, "It may stay.")
        else:
            what = f"the channel layer {name} is not ours."
            instead = "It is used as it is: see that it works on trio, or map it to one of ours."
            self._add(node, "channel-layer", "change", what, instead)

    # -- consumers, tests, calls ----------------------------------------------------------------

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if any(self._is_consumer(base) for base in node.bases):
            self._consumers.add(node.name)
            self._consumer(node)
        self.generic_visit(node)

    def _is_consumer(self, base: ast.expr) -> bool:
        name = self._full_name(base) or _last_name(base)
        return name in self._consumers or name.endswith("Consumer")

    def _consumer(self, node: ast.ClassDef) -> None:
        for each in node.body:
            if isinstance(each, ast.AsyncFunctionDef) and each.name == "__call__":
                self._add(
                    each,
                    "own-call",
                    "note",
                    f"{node.name} has a __call__ of its own: it runs, but is not supervised.",
                    "Do it in connect, dispatch or a middleware: then it is restarted.",
                )
        if any(_sets_switch(each) for each in node.body):
            return
        uses = sorted({(line, used) for line, used in self._asyncio_in(node)})
        if uses:
            (line, _), *_ = uses
            names = dict.fromkeys(used for _, used in uses)
            longest = [a for a in names if not any(b.startswith(f"{a}.") for b in names)]
            used = ", ".join(longest)
            self.findings.append(
                Finding(
                    self.path,
                    line,
                    "asyncio-in-consumer",
                    "change",
                    f"{node.name} uses {used}, which needs an asyncio loop.",
                    f"Set on_asyncio = True in {node.name}; or use trio there.",
                )
            )

    def _asyncio_in(self, node: ast.ClassDef) -> Iterator[tuple[int, str]]:
        for each in ast.walk(node):
            if isinstance(each, ast.Import | ast.ImportFrom):
                yield from self._imports_inside(each)
            elif isinstance(each, ast.Attribute) and not isinstance(each.value, ast.Attribute):
                name = self._full_name(each)
                if asyncio_library(name):
                    yield each.lineno, name
            elif isinstance(each, ast.Name) and "." in self._names.get(each.id, ""):
                name = self._names[each.id]
                if asyncio_library(name):
                    yield each.lineno, name

    def _imports_inside(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
        modules = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
        for module in modules:
            if asyncio_library(module):
                yield node.lineno, module

    def _full_name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._full_name(node.value)}.{node.attr}"
        return self._names.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def visit_Raise(self, node: ast.Raise) -> None:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if raised is not None and _last_name(raised) == "StopConsumer":
            self._add(
                node,
                "stop-consumer",
                "note",
                "StopConsumer is raised; it ends the consumer as before.",
                "It may go: a consumer ends with its connection by itself.",
            )
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in INTERNALS:
            self._internal(node, node.attr)
        elif self._full_name(node) == "django.core.asgi.get_asgi_application":
            self._django_application(node)
        elif self._names_theirs(node):
            name = self._full_name(node)
            what = f"{name} is used by its whole name."
            self._add(node, "name", "change", what, f"Write: {our_module(name)}")
            return  # what is inside of it is the same name
        self.generic_visit(node)

    def _names_theirs(self, node: ast.Attribute) -> bool:
        """Whether it begins with ``channels.``, as ``import channels.layers`` has it."""
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return isinstance(root, ast.Name) and self._names.get(root.id) == root.id == "channels"

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            if self._testing and _last_name(decorator) == "asyncio":
                self._add(
                    decorator,
                    "test-mark",
                    "note",
                    f"{node.name} is run by pytest-asyncio.",
                    "It may stay, the communicators work there; or remove the mark and let"
                    " pytest-trio run it.",
                )
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)


def _settings_line(tree: ast.AST) -> int:
    """Return in which line the environment is told of the settings; 0 if in none."""
    lines = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value == "DJANGO_SETTINGS_MODULE"
    ]
    return min(lines, default=0)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _sets_switch(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return any(_last_name(target) == "on_asyncio" for target in targets)
