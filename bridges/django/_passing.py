# Middleware with a `__call__` of its own, or a function, that acts only before the view.
#
# What looks at the response has to be called around the view, and keeps a thread while that
# waits. But much middleware ends by `return self.get_response(request)`, whitenoise among it, and
# never sees what came of that: then the same can be done by a loop that calls it first, with a
# get_response that returns at once, and what is inside of it afterwards.
#
# Whether it is so its source tells: of `get_response` there may be nothing but such returns, in no
# `try` and no `with`, with the very request; and no other method may know of it. Where there is no
# source, or it says anything else, Django's own chain is called, which is always right.
#
# Source does not tell of all who may call it in the end: a method behind a decorator, what is given
# `self`, what has been put around the middleware since. So at once get_response returns to that
# very function only, called by nobody in between; all others get what Django gave them to call.

import ast
import gc
import inspect
import sys
import textwrap
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType
from typing import Any, cast

from django.http import HttpRequest
from django.utils import deprecation

_PASSED: Any = object()
_NAME = "get_response"


class Passing:
    """Such middleware, as a layer of the chain with nothing but ``process_request``."""

    def __init__(self, middleware: Any, code: CodeType, cell: CellType | None = None) -> None:
        inner: Any = middleware.get_response if cell is None else cell.cell_contents
        owner = getattr(inner, "__self__", None)
        self.inner: Any = owner.inner if isinstance(owner, Passing) else inner
        """What Django gave it to call."""
        self._middleware, self._code, self._cell = middleware, code, cell

    def __repr__(self) -> str:
        return f"<Passing {self._middleware!r}>"

    def process_request(self, request: HttpRequest) -> Any:
        """Return the middleware's own answer, or None if it passes the request on."""
        answer = self._middleware(request)
        if answer is None:
            raise ValueError(f"The middleware {self._middleware!r} returned None, no response.")
        return None if answer is _PASSED else answer

    def take_over(self) -> None:
        """Be what the middleware calls; whoever else calls the middleware does not notice."""
        if self._cell is None:
            self._middleware.get_response = self._get_response
        else:
            self._cell.cell_contents = self._get_response

    def _get_response(self, request: HttpRequest) -> Any:
        caller = sys._getframe(1)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        if caller.f_code is self._code:
            above = caller.f_back
            if above is not None and above.f_code is _ASKING:
                return _PASSED
        return self.inner(request)


_ASKING = Passing.process_request.__code__


def passing(middleware: Any) -> Passing | None:
    """Return *middleware* as such a layer; None if it may look at the response."""
    kind = cast("type[object]", type(middleware))
    if isinstance(middleware, FunctionType):
        cell = _cell_of(middleware)
        known = cell is not None and _passes_on(middleware, [])
        return Passing(middleware, middleware.__code__, cell) if known else None
    call = inspect.getattr_static(kind, "__call__", None)
    if not isinstance(call, FunctionType) or _NAME not in getattr(middleware, "__dict__", ()):
        return None
    if not all(_leaves_it(*each) for each in _functions(kind) if each[0] is not call):
        return None
    arguments = call.__code__.co_varnames[: call.__code__.co_argcount]
    known = _passes_on(call, list(arguments[:1]))
    return Passing(middleware, call.__code__) if known else None


def _cell_of(function: FunctionType) -> CellType | None:
    """Return the variable in which *function* has its get_response, if no other one shares it."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    found = cells.pop(_NAME, None)
    for held in gc.get_referents(*cells.values()):
        if any(each is found for each in getattr(held, "__closure__", None) or ()):
            return None
    return found


def _functions(kind: type) -> Iterator[tuple[FunctionType, bool]]:
    """Yield what may be called as a method, but for constructors, and whether it is static."""
    for each in kind.__mro__:
        if each is cast("Any", deprecation).MiddlewareMixin:
            continue  # its __call__ is overridden, and the others only serve that
        for name, value in vars(each).items():
            found: Any = value
            for wrapped in ("__func__", "fget", "func"):
                found = getattr(found, wrapped, found)
            if isinstance(found, FunctionType) and name != "__init__":
                yield found, isinstance(value, staticmethod)


def _leaves_it(function: FunctionType, static: bool) -> bool:
    """Whether a method does nothing with its middleware's get_response, as far as is seen."""
    if not _names_it(function.__code__):
        return True
    tree = _parsed(function)
    if tree is None:
        return False
    own = "" if static else next((each.arg for each in tree.args.args), "")
    return all(_is_of_another(node, own) for node in ast.walk(tree))


def _is_of_another(node: ast.AST, own: str) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == _NAME:
        return isinstance(node.value, ast.Name) and node.value.id != own
    if isinstance(node, ast.Constant):
        return node.value != _NAME
    return not (isinstance(node, ast.Name) and node.id == _NAME)


def _names_it(code: CodeType) -> bool:
    names = (*code.co_names, *code.co_varnames, *code.co_freevars, *code.co_consts)
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return _NAME in names or any(_names_it(each) for each in inner)


def _parsed(function: FunctionType) -> ast.FunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError, IndexError):
        return None
    return tree if isinstance(tree, ast.FunctionDef) else None


def _passes_on(function: FunctionType, owner: list[str]) -> bool:
    """Whether all that *function*, a method of *owner*, does with get_response is to end by it."""
    if inspect.unwrap(function) is not function:
        return False
    tree = _parsed(function)
    if tree is None or tree.decorator_list:
        return False
    names = [each.arg for each in (*tree.args.posonlyargs, *tree.args.args)]
    if len(names) != len(owner) + 1 or names[:-1] != owner:
        return False
    ends = [each.func for each in _ends(tree.body) if _is_passing(each, owner, names[-1])]
    return bool(ends) and all(
        _is_harmless(node, parent, ends, names)
        for parent in ast.walk(tree)
        for node in ast.iter_child_nodes(parent)
    )


def _ends(body: list[ast.stmt]) -> Iterator[ast.Call]:
    """Yield the calls that *body* returns, outside of any ``try`` and ``with``."""
    for statement in body:
        if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Call):
            yield statement.value
        elif isinstance(statement, (ast.If, ast.For, ast.While)):
            yield from _ends([*statement.body, *statement.orelse])


def _is_passing(call: ast.Call, owner: list[str], request: str) -> bool:
    expected = ".".join([*owner, _NAME]) + f"({request})"
    return ast.unparse(call) == expected


def _is_harmless(node: ast.AST, parent: ast.AST, ends: list[ast.expr], names: list[str]) -> bool:
    if node in ends:
        return True
    if isinstance(node, ast.Attribute):
        return node.attr not in (_NAME, "__call__", "__dict__")
    if isinstance(node, ast.Constant):
        return node.value != _NAME
    if not isinstance(node, ast.Name):
        return True
    if node.id in (_NAME, "super", "vars", "locals"):
        return False
    if node.id == names[-1]:
        return isinstance(node.ctx, ast.Load)  # it is the same request to the end
    is_owner = node.id in names[:-1]
    return not is_owner or (isinstance(parent, ast.Attribute) and parent.value is node)


def take_over(layers: tuple[Any, ...]) -> None:
    """Have the middleware among *layers* that is `Passing` call what stands for get_response."""
    for each in layers:
        if isinstance(each, Passing):
            each.take_over()
