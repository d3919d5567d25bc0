# The table of handlers of a class, and what a class may not do.

from typing import Any

import pytest

from greenroom.actors import Actor, WebsocketConsumer, handles


class Base:
    pass


class Derived(Base):
    pass


class Unrelated:
    pass


class Room(Actor):
    @handles("chat.message", "chat.notice")
    def on_chat(self, message):
        pass

    @handles(Base)
    async def on_base(self, message):
        pass


def test_handlers_are_found_by_type() -> None:
    """
    Dicts find the handler of their "type", objects that of their class or its nearest base.
    """
    table = Room.handler_table()
    found = [
        table.find({"type": "chat.message"}),
        table.find({"type": "chat.notice", "text": "x"}),
        table.find(Base()),
        table.find(Derived()),
        table.find(Derived()),
    ]

    assert [each.name if each else None for each in found] == [
        "on_chat", "on_chat", "on_base", "on_base", "on_base",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [{"type": "on_chat"}, {"type": "send"}, {"type": 7}, {}, "chat.message", Unrelated(), None],
)
def test_only_declared_handlers_can_be_reached(message: object) -> None:
    """
    A message of an undeclared type finds nothing, also if a method has that name.
    """
    assert Room.handler_table().find(message) is None
    assert Room.handler_table().find(message) is None  # remembered as missing


def test_the_declared_types_are_spelt_as_declared() -> None:
    """
    The table lists message types as they stand in @handles.
    """
    assert Room.handler_table().declared == ("'chat.message'", "'chat.notice'", "Base")


def test_a_subclass_inherits_and_overrides() -> None:
    """
    Handlers are inherited; a subclass's declaration for a type replaces the base's.
    """

    class Louder(Room):
        @handles("chat.message")
        def shout(self, message):
            pass

    table = Louder.handler_table()
    assert [table.find({"type": t}).name for t in ("chat.message", "chat.notice")] == [  # type: ignore[union-attr]
        "shout", "on_chat",
    ]  # fmt: skip
    assert Room.handler_table().find({"type": "chat.message"}).name == "on_chat"  # type: ignore[union-attr]


def test_two_handlers_for_one_type_are_refused() -> None:
    """
    A class with two handlers for one message type is refused when it is created.
    """
    with pytest.raises(TypeError, match=r"two handlers for 'x': first and second. Keep one"):

        class Twice(Actor):
            @handles("x")
            def first(self, message):
                pass

            @handles("x")
            def second(self, message):
                pass


def test_handles_refuses_what_is_no_type() -> None:
    """
    handles() wants strings and classes, says so, and hints at forgotten parentheses.
    """
    with pytest.raises(TypeError, match="at least one message type"):
        handles()
    with pytest.raises(TypeError, match="takes strings and classes. Got: 7"):
        handles(7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="with the type. Got: <function"):

        class Forgetful(Actor):
            @handles  # type: ignore[arg-type]
            def on_chat(self, message):
                pass


@pytest.mark.parametrize("value", [7, staticmethod(lambda text: None), classmethod(lambda c: None)])
def test_a_handlers_name_is_for_methods(value: Any) -> None:
    """
    A class attribute or static method with a handler's name is refused.
    """
    with pytest.raises(TypeError, match="is the name of a handler, so it must be a method. Got:"):
        type("Chat", (WebsocketConsumer,), {"receive": value})


@pytest.mark.parametrize("outside", [classmethod, staticmethod, property])
def test_a_declaration_behind_another_decorator_is_seen(outside: Any) -> None:
    """
    @classmethod and its like are refused on a declared handler on either side of @handles.
    """

    def ping(self, message):
        pass

    for value in (outside(handles("ping")(ping)), *_marked(outside(ping))):
        with pytest.raises(TypeError, match=r"Room\.on_ping is the name of a handler.*Got: <"):
            type("Room", (Actor,), {"on_ping": value})


def _marked(value: Any) -> list[Any]:
    return [] if isinstance(value, property) else [handles("ping")(value)]  # it takes no mark


@pytest.mark.parametrize("name", ["path", "ref", "send", "scope", "group_send", "stop", "accept"])
def test_what_the_runtime_uses_cannot_be_overridden(name: str) -> None:
    """
    A class that overrides an attribute of the runtime is refused when it is created.
    """
    expected = rf"Chat defines {name}, which the runtime uses itself. Choose another name"
    with pytest.raises(TypeError, match=expected):
        type("Chat", (WebsocketConsumer,), {name: lambda self: None})
    with pytest.raises(TypeError, match=expected):
        type("Chat", (WebsocketConsumer,), {"__annotations__": {name: str}})


def test_a_mixin_may_bring_handlers() -> None:
    """
    Handlers declared in a class that is no actor count once an actor inherits them.
    """

    class Mixin:
        @handles("ping")
        def on_ping(self, message):
            pass

    class Pinged(Mixin, Actor):
        pass

    assert Pinged.handler_table().declared == ("'ping'",)


def test_snapshot_needs_restored() -> None:
    """
    snapshot() without restored(state) is refused: its value would never come back.
    """
    with pytest.raises(TypeError, match=r"snapshot\(\) without restored\(state\).*or use keep"):

        class Half(Actor):
            def snapshot(self):
                return 1


def test_snapshot_is_a_plain_function() -> None:
    """
    An async or generating snapshot() is refused, with what to write: nothing would run it.
    """

    async def asynchronous(self):
        pass

    def generating(self):
        yield

    async def both(self):
        yield

    for value in (asynchronous, generating, both):
        with pytest.raises(
            TypeError, match=r"Chat\.snapshot .*write def snapshot\(self\)\. Got: <"
        ):
            type("Chat", (WebsocketConsumer,), {"snapshot": value, "restored": lambda self: None})


def test_keep_is_a_list_of_names() -> None:
    """
    keep = "username" is refused, with the list that was meant.
    """
    with pytest.raises(TypeError, match=r"write keep = \['username'\]. Got: 'username'"):

        class Chat(WebsocketConsumer):
            keep = "username"


@pytest.mark.parametrize("value", [[ValueError], ValueError, (7,)])
def test_expected_errors_is_a_tuple_of_classes(value: Any) -> None:
    """
    expected_errors of another kind is refused at once: it is looked at when all else failed.
    """
    with pytest.raises(TypeError, match=r"must be a tuple of exception classes.*Got:"):
        type("Chat", (WebsocketConsumer,), {"expected_errors": value})


def test_an_unknown_overflow_policy_is_refused() -> None:
    """
    A policy that does not exist is refused when the class is created.
    """
    expected = r"Chat\.overflow must be one of 'wait', 'drop_newest', .*Got: 'burst'"
    with pytest.raises(ValueError, match=expected):

        class Chat(WebsocketConsumer):
            overflow = "burst"


def test_an_actor_made_by_hand_says_what_to_do() -> None:
    """
    An instance that is in no tree says so, in its repr and in the error of each method.
    """
    room = Room()

    assert repr(room) == "<Room outside a tree>"
    with pytest.raises(Exception, match=r"made by hand.*Room, not Room\(\)"):
        room.path  # noqa: B018
