# What async code is written for: the mark is found wherever people put it.

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from greenroom.actors import Actor
from greenroom.bridges.asgiref import flavour_of, on_asyncio, on_trio
from greenroom.bridges.asgiref._flavour import flavour_of_call


async def plain() -> None:
    pass


@on_trio
async def marked() -> None:
    pass


@on_trio
class View:
    async def get(self, *_: object) -> None:
        pass

    @classmethod
    def as_view(cls) -> Callable[..., Any]:
        async def view() -> None:
            pass

        view.view_class = cls  # type: ignore[attr-defined]
        return view

    async def __call__(self) -> None:
        pass


class Child(View):
    pass


@on_asyncio
class Other(View):
    pass


class Clerk(Actor):
    async def own(self) -> None:
        pass

    @on_asyncio
    async def fetch(self) -> None:
        pass


@wraps(marked)
async def wrapped() -> None:
    pass


@pytest.mark.parametrize(
    ("code", "flavour"),
    [
        (plain, "asyncio"),
        (marked, "trio"),
        (wrapped, "trio"),
        (partial(marked), "trio"),
        (partial(partial(plain)), "asyncio"),
        (View, "trio"),
        (View(), "trio"),
        (View().get, "trio"),
        (View.as_view(), "trio"),
        (Child.as_view(), "trio"),
        (Other.as_view(), "asyncio"),
        (Other().get, "asyncio"),
        (Clerk().own, "trio"),
        (partial(Clerk().own), "trio"),
        (Clerk().fetch, "asyncio"),
        (Clerk.own, "asyncio"),
    ],
)
def test_the_mark_is_found(code: object, flavour: str) -> None:
    """
    On functions, methods, classes, instances, partials, and through as_view() and wraps().
    """
    assert flavour_of(code, "asyncio") == flavour


@pytest.mark.parametrize(
    ("code", "args", "flavour"),
    [
        (Clerk.own, (Clerk(),), "trio"),
        (partial(Clerk.own, Clerk()), (), "trio"),
        (Clerk.fetch, (Clerk(),), "asyncio"),
        (Clerk.own, (), "asyncio"),
        (plain, (Clerk(),), "asyncio"),
        (View.get, (Clerk(),), "asyncio"),
    ],
)
def test_a_method_that_gets_its_actor(code: object, args: tuple[object, ...], flavour: str) -> None:
    """
    A bare function is an actor's own if the actor that it gets has it as a method.
    """
    assert flavour_of_call(code, args) == flavour


def test_the_default_is_for_what_has_no_mark() -> None:
    """
    The default is said for what has no mark only.
    """
    assert flavour_of(plain, "trio") == "trio"
    assert flavour_of(on_asyncio(partial(plain)), "trio") == "asyncio"


def test_only_code_is_marked() -> None:
    """
    What can't be called is refused.
    """
    with pytest.raises(TypeError, match="@on_trio marks a function or a class"):
        on_trio(3)
