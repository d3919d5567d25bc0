"""From a frame of JSON to the handler that the class has declared for it."""

# Everything that can be decided is decided when the class is created: into what text is decoded,
# which handlers there are, and whether frames are handled on trio or in a worker thread. Where
# one class mixes both they come in on trio, and the `def` handler of one goes to a thread.

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from .._deferred import flush
from .._runs import FRAMES, runs_of
from .._signature import Handler, compile_named
from .._timed import Begins, within_timeout
from .._unrun import refuse_unrun
from ._invalid import BINARY, EMPTY, UNKNOWN_TYPE, WRONG_SHAPE, InvalidContent
from ._json_codec import converted, decode_any, decoder_of, guarded, refuse_deep

if TYPE_CHECKING:
    from .._actor import Actor
    from .._life import Life
    from .._messages import InFrame
    from ._json import JsonWebsocketConsumer

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__greenroom_receives__"
CONTENT = {"content": "content"}
INVALID = {"error": "error", "text": "text", "bytes": "bytes"}
_ANYTHING = (Any, object, inspect.Parameter.empty)


def receives(*keys: str | type) -> Callable[[F], F]:
    """
    Declare a method of a JSON consumer as the handler of what its peer sends.

    Args:
        keys: Each the value of the content's ``type`` (or what ``dispatch_by`` names), or a
            `msgspec.Struct` with that tag, as which the content is then validated.

    The method takes ``content`` by name. Nothing but a peer's messages gets to it, and no peer
    gets to what ``@handles`` declares. It may be marked with :func:`timeout`; ``@concurrent`` and
    ``@cancelled_on_disconnect`` are for ``receive_json``, and hold for all handlers of the class.

    Raises:
        TypeError: No key was given, or one is neither a string nor a Struct with a tag.
    """
    if not keys:
        raise TypeError('receives() needs at least one key: write @receives("move").')
    for key in keys:
        if not isinstance(key, str) and _tag_of(key) is None:
            hint = ': write @receives("move")' if callable(key) else ""
            raise TypeError(
                "receives() takes strings, and msgspec.Struct classes with a string as their tag"
                f"{hint}. Got: {key!r}"
            )

    def mark(function: F) -> F:
        setattr(function, _MARK, keys)
        return function

    return mark


class Content:
    """What a handler of JSON is offered by name."""

    __slots__ = ("content",)

    def __init__(self, content: object) -> None:
        self.content = content


class Invalid:
    """What ``on_invalid`` is offered by name."""

    __slots__ = ("bytes", "error", "text")

    def __init__(self, error: InvalidContent, frame: InFrame) -> None:
        self.error = error
        self.text = frame.text
        self.bytes = frame.bytes


class _Way:
    """One handler, and what its content is validated as."""

    __slots__ = ("handler", "kind", "typed")

    def __init__(self, handler: Handler, kind: Any) -> None:
        self.handler = handler
        self.kind = kind
        self.typed = kind not in _ANYTHING


class Reader:
    """Finds the handler of each frame, with its content; one for each class."""

    def __init__(self, actor: type[JsonWebsocketConsumer], *, own_decoder: bool) -> None:
        self.actor = actor
        self._depth = actor.json_depth
        self._own_decoder = own_decoder
        self._key = actor.dispatch_by
        self.default = _special(actor, "receive_json")
        self.ways = _ways(actor)
        _check_kinds(actor, self.ways, self.default)
        self._decode = decode_any
        if self._own_decoder:
            self._decode = actor.decode_json
        elif self.default is not None and not self.ways and self.default.typed:
            self._decode = decoder_of(self.default.kind)
        own = getattr(actor, "on_invalid", None)
        owner = f"{actor.__qualname__}.on_invalid"
        self.on_invalid = None if own is None else compile_named(owner, own, INVALID)
        """The class's own; None for the default."""

    @property
    def handlers(self) -> list[Handler]:
        """All that may have to be called."""
        found = [way.handler for way in self.ways.values()]
        if self.default is not None:
            found.append(self.default.handler)
        return [*found, self.on_invalid] if self.on_invalid is not None else found

    def read(self, frame: InFrame) -> tuple[Handler, Content]:
        """
        Return who handles *frame*, and what it is given.

        Raises:
            InvalidContent: Nobody can.
        """
        text = frame.text
        if text is None:
            raise InvalidContent(BINARY, "A binary message came where JSON is read as text.")
        if not text or text.isspace():
            raise InvalidContent(EMPTY, "An empty message came where JSON was expected.")
        content = guarded(self._decode, text)
        way = self.default
        if not self.ways:
            assert way is not None
            if way.typed and not self._own_decoder:  # it has been validated, and parts are objects
                if text.count("[") + text.count("{") > self._depth:
                    refuse_deep(text, decode_any(text), self._depth)
                return way.handler, Content(content)
        else:
            way = self._way_of(content)
        refuse_deep(text, content, self._depth)
        return way.handler, Content(converted(content, way.kind) if way.typed else content)

    def _way_of(self, content: object) -> _Way:
        by, known = self._key, ", ".join(map(repr, sorted(self.ways)))
        if isinstance(content, dict):
            key = cast("dict[str, object]", content).get(by)
            way = self.ways.get(key) if isinstance(key, str) else None
            way = way or self.default
            if way is not None:
                return way
            if isinstance(key, str):
                raise InvalidContent(
                    UNKNOWN_TYPE, f"Unknown value {key[:100]!r}, expected one of {known}.", by
                )
            detail = f"Expected a string, one of {known}."
            raise InvalidContent(WRONG_SHAPE, detail, by)
        if self.default is not None:
            return self.default
        raise InvalidContent(WRONG_SHAPE, f"Expected an object with a string {by!r}.")


def receive_handler(reader: Reader) -> Handler:
    """Return what the loop calls for each frame, in place of ``receive``."""
    handlers = reader.handlers
    on_trio = [handler.is_async for handler in handlers]
    read, invalid = reader.read, reader.on_invalid

    def in_thread(self: Any, frame: InFrame) -> object:
        try:
            handler, item = read(frame)
        except InvalidContent as error:
            if self._refuse_content(error, frame):
                return None
            if invalid is None:
                self._answer_invalid(error)
                return None
            return invalid.call(self, Invalid(error, frame))
        return handler.call(self, item)

    async def here(self: Any, frame: InFrame) -> object:
        try:
            handler, item = read(frame)
        except InvalidContent as error:
            if self._refuse_content(error, frame):
                return None
            if invalid is None:
                await self._answer_invalid(error)
                return None
            handler, item = invalid, Invalid(error, frame)
        if handler.is_async and handler.seconds is None:
            return await handler.call(self, item)
        run = _hop if handler.seconds is None else _timed
        return await run(self._life, handler, item, frame)

    if not any(on_trio) and all(handler.seconds is None for handler in handlers):
        return Handler("receive", in_thread, is_async=False)
    if not all(on_trio):
        _refuse_concurrent(reader.actor)
    return Handler("receive", here, is_async=True)


async def _timed(life: Life, handler: Handler, item: object, frame: InFrame) -> object:
    """Run a handler with a timeout of its own. A checkpoint as it is; HandlerTimeout."""

    async def run(begins: Begins) -> None:
        if handler.is_async:
            begins()
            refuse_unrun(await handler.call(life.instance, item), handler.name)
        else:
            await _hop(life, handler, item, frame, begins)

    await within_timeout(life.host, handler, run)
    return None


async def _hop(
    life: Life, handler: Handler, item: object, frame: InFrame, begins: Begins | None = None
) -> object:
    """Run a `def` handler of a class that also has others in a thread. A checkpoint."""
    instance = life.instance

    def step() -> object:
        if begins is not None:
            life.host.loop.call_soon(begins)
        return handler.call(instance, item)

    batch = life.hop.batch([step])
    try:
        await life.hop.run(batch, handler.name)
    finally:
        if not batch.begun:  # it was told to stop meanwhile: the frame is the next one's
            life.item = None
            life.host.mailbox.put_back([frame])
        flush(life)
    refuse_unrun(batch.value, handler.name)
    return None


def _special(actor: type[Actor], name: str) -> _Way | None:
    function = getattr(actor, name, None)
    if function is None:
        return None
    owner = f"{actor.__qualname__}.{name}"
    return _Way(compile_named(owner, function, CONTENT), _kind_of(owner, actor, function))


def _ways(actor: type[JsonWebsocketConsumer]) -> dict[str, _Way]:
    """Return the class's ``@receives`` handlers; a subclass's replace its bases'."""
    ways: dict[str, _Way] = {}
    for cls in reversed(actor.__mro__):
        here: dict[str, str] = {}
        for name, value in vars(cls).items():
            for key in cast("tuple[str | type, ...]", getattr(value, _MARK, ())):
                tag = key if isinstance(key, str) else str(_tag_of(key))
                if tag in here:
                    raise TypeError(
                        f"{cls.__qualname__}: two handlers for {tag!r}: {here[tag]} and {name}."
                        " Keep one."
                    )
                here[tag] = name
                owner = f"{actor.__qualname__}.{name}"
                function = getattr(actor, name)
                kind = _kind_of(owner, actor, function) if isinstance(key, str) else key
                ways[tag] = _Way(_marked(actor, owner, function), kind)
    return ways


def _marked(actor: type[Actor], owner: str, function: Callable[..., Any]) -> Handler:
    """Return the handler of *owner*, run as it is marked."""
    handler = compile_named(owner, function, CONTENT)
    runs = runs_of(actor, handler.name)
    for mark, used in (
        ("concurrent", bool(runs.concurrent)),
        ("cancelled_on_disconnect", runs.cancel_on_disconnect is not None),
    ):
        if used:
            raise TypeError(
                f"{owner}: @{mark} can't be said of one @receives handler: the message is taken"
                " from the mailbox before it is read. Mark receive_json with it, which holds for"
                " all handlers of the class."
            )
    handler.run_as(runs, cancel=False)
    return handler


def _refuse_concurrent(actor: type[Actor]) -> None:
    # All that runs in threads for one incarnation's frames is one job, so it could not be told
    # to stop if it were several.
    if any(runs_of(actor, name).concurrent for name in FRAMES):
        raise TypeError(
            f"{actor.__qualname__} is @concurrent, and only some of what handles its JSON is"
            " `def`, or has a timeout of its own. Write all of it as `async def`, or all as `def`"
            " without @timeout."
        )


def _tag_of(kind: object) -> str | None:
    config = getattr(kind, "__struct_config__", None)
    tag = getattr(config, "tag", None)
    return tag if isinstance(tag, str) else None


def _kind_of(owner: str, actor: type, function: Callable[..., Any]) -> Any:
    """Return what the parameter ``content`` is annotated with."""
    plain = inspect.unwrap(function)
    parameter = inspect.signature(plain).parameters.get("content")
    kind: Any = Any if parameter is None else parameter.annotation
    if not isinstance(kind, str):
        return kind
    module = sys.modules.get(plain.__module__)
    names = {**vars(module or object), **getattr(plain, "__globals__", {})}
    try:
        return eval(kind, names, dict(vars(actor)))  # noqa: S307 - an annotation of the class
    except Exception as error:
        raise TypeError(
            f"{owner}: the type of content, which it is to be validated as, is not known when the"
            f" class is created ({error!r}). Import it above the class, and not only for type"
            f" checkers. Got: {kind!r}"
        ) from error


def _check_kinds(
    actor: type[JsonWebsocketConsumer], ways: dict[str, _Way], default: _Way | None
) -> None:
    for key, way in [*ways.items(), ("", default)]:
        if way is None or not way.typed:
            continue
        owner = f"{actor.__qualname__}.{way.handler.name}"
        try:
            decoder_of(way.kind)
        except TypeError as error:
            raise TypeError(
                f"{owner}: content can't be validated as {way.kind!r}: {error} Annotate it with a"
                " msgspec.Struct, another type that msgspec knows, or Any."
            ) from error
        config: Any = getattr(way.kind, "__struct_config__", None)
        if not key or config is None:
            continue
        _check_struct(owner, actor.dispatch_by, way.kind, config)


def _check_struct(owner: str, by: str, kind: Any, config: Any) -> None:
    field = config.tag_field
    if config.tag is not None and field != by:
        raise TypeError(
            f"{owner}: the tag of {kind.__qualname__} is the field {field!r}, but content is"
            f" dispatched by {by!r}. Write dispatch_by = {field!r} in the consumer."
        )
    names = {each.encode_name for each in msgspec.structs.fields(kind)}
    if config.tag is None and config.forbid_unknown_fields and by not in names:
        raise TypeError(
            f"{owner}: {kind.__qualname__} forbids unknown fields, so {by!r}, by which content is"
            " dispatched, would be refused. Give it a tag: class"
            f' {kind.__qualname__}(msgspec.Struct, tag="...", tag_field={by!r}).'
        )
