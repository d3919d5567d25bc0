# Makes the reference from the code. Directives, for MyST pages:
#
#   {names} greenroom.actors   one name a line: an autodoc entry for each
#   {handlers} greenroom....   the handlers of a class and the parameters that each may name
#   {settings}                 every option of the setting GREENROOM
#   {commands}                 every management command with its arguments
#   {checks}                   every system check, with what it says when it finds something
#   {events}                   every kind of event with its log level
#
# Settings, commands, checks, events and close codes can be linked by a role of that name:
# {setting}`MAX_RESTARTS`, {event}`slot.crashed`, {closecode}`1011`.

import importlib
import inspect
import sys
from collections.abc import Iterator
from textwrap import indent

import entries
from docutils import nodes
from docutils.parsers.rst import directives
from provoked import provoke
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective


class Generated(SphinxDirective):
    """A directive whose content is made as reStructuredText."""

    def rst(self) -> Iterator[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.rst())
        return self.parse_text_to_nodes(f"`````{{eval-rst}}\n{text}\n`````\n")


class Names(Generated):
    """``{names} greenroom.actors``: an entry for each name, from its docstring."""

    has_content = True
    required_arguments = 1
    option_spec = {
        "hide": directives.unchanged,
        "bare": directives.flag,
        "inherited": directives.flag,
    }

    def rst(self) -> Iterator[str]:
        package = self.arguments[0]
        module = importlib.import_module(package)
        for name in self.content:
            value = getattr(module, name)
            if _kind(value) == "data":
                yield from _data(package, name, value)
                continue
            yield f".. {_kind(value)}:: {package}.{name}"
            if inspect.isclass(value):
                yield "   :show-inheritance:"
                if "bare" not in self.options:
                    yield "   :members:"
                if "inherited" in self.options:  # of a part that has no entry of its own
                    yield "   :inherited-members: object"
                if "hide" in self.options:
                    yield f"   :exclude-members: {self.options['hide']}"
            yield ""


def _kind(value: object) -> str:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if inspect.isroutine(value) else "data"


def _data(package: str, name: str, value: object) -> Iterator[str]:
    # autodoc looks for the docstring of a value where it was imported to, and finds the type's.
    yield f".. py:data:: {package}.{name}"
    yield f"   :type: {type(value).__name__}\n"
    for home in [name for name in sys.modules if name.startswith(f"{package}._")]:
        if vars(sys.modules[home]).get(name) is value:
            docs = ModuleAnalyzer.for_module(home).find_attr_docs()
            yield from (f"   {line}" for line in docs.get(("", name), ()))
    yield ""


class Handlers(Generated):
    """``{handlers} greenroom.actors.Actor``: what a class may define, and what each may ask for."""

    required_arguments = 1

    def rst(self) -> Iterator[str]:
        module, _, name = self.arguments[0].rpartition(".")
        cls = getattr(importlib.import_module(module), name)
        offered = dict(cls._special)
        if name == "WebsocketClient":
            offered = importlib.import_module("greenroom.bridges.client._handlers")._HOOKS
        for handler, parameters in offered.items():
            listed = ", ".join(f"``{parameter}``" for parameter in parameters)
            yield f"``{handler}``"
            yield f"   {listed or 'nothing'}\n"


class Settings(Generated):
    """``{settings}``: every option with default, unit and meaning."""

    def rst(self) -> Iterator[str]:
        from greenroom.supervisor import Options

        for option in Options.described():
            yield f".. setting:: {option.name.upper()}\n"
            plain = option.default is None or option.unit in ("choice", "fraction", "mapping")
            unit = "" if plain else f" {option.unit}"
            yield f"   Default ``{option.written}``{unit}.\n"
            yield f"   {option.doc}\n"


class Commands(Generated):
    """``{commands}``: every management command, from its parser."""

    def rst(self) -> Iterator[str]:
        from django.core.management import load_command_class

        for name in entries.commands():
            command = load_command_class("greenroom.bridges.django", name)
            parser = command.create_parser("manage.py", name)
            yield f".. command:: {name}\n"
            yield f"   {command.help}\n"
            for action in parser._actions:  # argparse offers no public list
                if action.dest in _DJANGOS_OWN:
                    continue
                shown = "/".join(action.option_strings) or action.dest
                value = f" {action.metavar or action.dest.upper()}" if action.nargs != 0 else ""
                yield f"   ``{shown}{value}``"
                yield f"       {(action.help or '').replace('%%', '%')}\n"


_DJANGOS_OWN = {
    "help",
    "version",
    "verbosity",
    "settings",
    "pythonpath",
    "traceback",
    "no_color",
    "force_color",
    "skip_checks",
}


class Checks(Generated):
    """``{checks}``: every system check and an example of its message and hint."""

    def rst(self) -> Iterator[str]:
        examples = provoke()
        for id, meaning in entries.checks().items():
            level = {"E": "Error", "W": "Warning"}[id.partition(".")[2][0]]
            yield f".. check:: {id}\n"
            yield f"   {level}. {meaning} For example:\n"
            yield "   .. code-block:: text\n"
            yield indent(f"{examples[id].msg}\nHINT: {examples[id].hint}", "      ")
            yield ""


class Events(Generated):
    """``{events}``: every kind of event."""

    def rst(self) -> Iterator[str]:
        import logging

        from greenroom.supervisor._log import LEVELS

        for kind, meaning in entries.events().items():
            yield f".. event:: {kind}\n"
            yield f"   {meaning} Logged as {logging.getLevelName(LEVELS[kind])}.\n"


def resolve_private(app: Sphinx, env: object, node: nodes.Element, content: nodes.Node) -> object:
    """Lead ``greenroom.actors._ref.ActorRef`` to where it is documented."""
    target = str(node.get("reftarget", ""))
    homes = _public_homes()
    public = homes.get(target) or homes.get(f"*.{target}")
    if public is None or node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    return domain.resolve_any_xref(env, node.get("refdoc"), app.builder, public, node, content)[0][
        1
    ]


def _public_homes() -> dict[str, str]:
    homes: dict[str, str] = {}
    for package in entries.packages():
        module = importlib.import_module(package)
        for name in entries.public_names(package):
            value = getattr(module, name)
            home = getattr(value, "__module__", package)
            if home != package:
                homes[f"{home}.{getattr(value, '__qualname__', name)}"] = f"{package}.{name}"
                homes[f"*.{name}"] = f"{package}.{name}"
    return homes


_untouched: dict[str, list[str]] = {}


def keep_sentence(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Remember an attribute's docstring before napoleon takes "state: running" for a type."""
    if what in ("attribute", "property"):
        _untouched[name] = lines[:]


def restore_sentence(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Put it back."""
    if name in _untouched:
        lines[:] = _untouched.pop(name)


def spell_factory(
    app: Sphinx, what: str, name: str, obj: object, options: object, given: str, returned: str
) -> tuple[str, str] | None:
    """Make a signature with a dataclass's default factory one that can be parsed."""
    return (given.replace("<factory>", "..."), returned) if given and "<factory>" in given else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register everything; called by Sphinx."""
    for kind in ("setting", "command", "check", "event", "closecode"):
        app.add_object_type(kind, kind, indextemplate=f"single: %s ({kind})")
    app.add_directive("names", Names)
    app.add_directive("handlers", Handlers)
    app.add_directive("settings", Settings)
    app.add_directive("commands", Commands)
    app.add_directive("checks", Checks)
    app.add_directive("events", Events)
    app.connect("missing-reference", resolve_private)
    app.connect("autodoc-process-signature", spell_factory)
    app.connect("autodoc-process-docstring", keep_sentence, priority=100)
    app.connect("autodoc-process-docstring", restore_sentence, priority=900)
    return {"parallel_read_safe": True}
