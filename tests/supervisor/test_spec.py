# Child specs: what is accepted, what is refused, and what the refusal says.

import dataclasses
from typing import Any

import pytest

from greenroom.actors import Actor, WebsocketConsumer
from greenroom.supervisor._options import Options
from greenroom.supervisor._spec import ChildSpec, OnExceeded, Restart


class Ticker(Actor):
    pass


class Chat(WebsocketConsumer):
    pass


class Careful(Ticker):
    restart = "transient"
    max_restarts = None
    max_seconds = 60
    shutdown_seconds = 0
    on_exceeded = OnExceeded.ESCALATE
    mailbox_capacity = 1


def spec_of(**options: Any) -> ChildSpec:
    """Make a spec of anything, as a user may."""
    defaults: dict[str, Any] = {"actor": Ticker}
    return ChildSpec(**defaults | options)


def test_defaults() -> None:
    """
    A class alone is a permanent child, named after it, with 3 restarts in 5 seconds.
    """
    spec = ChildSpec.of(Ticker)

    assert spec == spec_of()
    assert (spec.name, spec.restart, spec.on_exceeded) == (
        "ticker",
        Restart.PERMANENT,
        OnExceeded.PARK,
    )
    assert (spec.max_restarts, spec.max_seconds, spec.shutdown_seconds) == (3, 5.0, 5.0)
    assert spec.kwargs == {}


def test_class_attributes_are_taken() -> None:
    """
    What a class says of itself goes into its spec; text is as good as the enum.
    """
    spec = ChildSpec.of(Careful)

    assert spec.restart is Restart.TRANSIENT
    assert spec.on_exceeded is OnExceeded.ESCALATE
    assert (spec.max_restarts, spec.max_seconds, spec.shutdown_seconds) == (None, 60, 0)


def test_options_fill_what_a_class_leaves_open() -> None:
    """
    The root's options stand in for attributes that a class does not have.
    """
    options = Options(max_restarts=7, max_seconds=70, shutdown_seconds=2)

    assert ChildSpec.of(Ticker, options).max_restarts == 7
    assert ChildSpec.of(Ticker, options).shutdown_seconds == 2
    assert ChildSpec.of(Careful, options).max_seconds == 60


def test_a_consumer_is_no_resident() -> None:
    """
    A consumer is refused as a child, as a class and in a spec, with the place where it stands.
    """
    for make in (lambda: ChildSpec.of(Chat), lambda: spec_of(actor=Chat, name="chat")):
        with pytest.raises(TypeError, match=r"Chat is a WebsocketConsumer.*websocket=\[path\("):
            make()


def test_a_spec_is_its_own_spec() -> None:
    """
    of() returns a spec as it is, not mixed with the attributes of its class.
    """
    spec = ChildSpec(actor=Careful, name="careful-1")

    assert ChildSpec.of(spec) is spec
    assert spec.restart is Restart.PERMANENT


@pytest.mark.parametrize(
    ("thing", "remedy"),
    [
        (Ticker(), r"Write Ticker, not Ticker\(\): each restart makes a new object."),
        (Ticker(), r"For arguments write ChildSpec\(actor=Ticker, kwargs=\{...\}\)."),
        ("market.actors.Ticker", "'market.actors.Ticker'. Only Greenroom"),
        (dict, r"Let builtins.dict inherit from greenroom.actors.Actor."),
        (Ticker.__init__, "Write the class, or a ChildSpec."),
        (None, "None. Write the class, or a ChildSpec."),
    ],
)
def test_everything_else_is_refused(thing: object, remedy: str) -> None:
    """
    Whatever is no class and no spec is a TypeError that says what to write.
    """
    wanted = "an Actor subclass, a ChildSpec or a SupervisorSpec. Got: "
    with pytest.raises(TypeError, match=f"{wanted}.*{remedy}"):
        ChildSpec.of(thing)
    with pytest.raises(TypeError, match=remedy):
        spec_of(actor=thing)


def test_unknown_options_are_refused() -> None:
    """
    A misspelt option is a TypeError, where OTP would ignore it.
    """
    with pytest.raises(TypeError, match="max_restart"):
        spec_of(max_restart=3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"restart": "always"}, ValueError, "'permanent', 'transient', 'temporary'. Got: 'always'"),
        ({"on_exceeded": "die"}, ValueError, "'park', 'stop', 'escalate'. Got: 'die'"),
        ({"on_exceeded": "close"}, ValueError, "'park', 'stop', 'escalate'. Got: 'close'"),
        ({"backoff": 0.5}, TypeError, "must be a Backoff, or None. Got: 0.5"),
        ({"max_restarts": -1}, ValueError, "max_restarts must be at least 0. Got: -1"),
        ({"max_restarts": "3"}, TypeError, "max_restarts must be a whole number. Got: '3'"),
        ({"max_seconds": 0}, ValueError, "max_seconds .* Got: 0"),
        ({"shutdown_seconds": -1}, ValueError, "shutdown_seconds .* Got: -1"),
        ({"name": "a/b"}, ValueError, "no slash and no space. Got: 'a/b'"),
        ({"name": "a b"}, ValueError, "Got: 'a b'"),
        ({"name": "a\n"}, ValueError, r"Got: 'a\\n'"),
        ({"name": "x" * 101}, ValueError, "1 to 100"),
        ({"name": 7}, TypeError, "a name must be a string. Got: 7"),
    ],
)
def test_mistakes_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """
    A value that makes no sense is refused with what was given.
    """
    with pytest.raises(error, match=message):
        spec_of(**options)


def test_mistakes_on_the_class_are_refused() -> None:
    """
    Attributes of a class are checked like options.
    """

    class Wrong(Ticker):
        pass

    setattr(Wrong, "restart", "sometimes")  # noqa: B010 - at creation it would be refused
    with pytest.raises(ValueError, match="Got: 'sometimes'"):
        ChildSpec.of(Wrong)


def test_kwargs_are_copied() -> None:
    """
    A spec does not change when the dict that was given does.
    """
    kwargs = {"symbol": "ABC"}
    spec = spec_of(kwargs=kwargs)
    kwargs["symbol"] = "XYZ"
    frozen: Any = spec.kwargs

    assert spec.kwargs == {"symbol": "ABC"}
    with pytest.raises(TypeError):
        frozen["symbol"] = "XYZ"


def test_specs_are_frozen() -> None:
    """
    A spec cannot be changed; replace() makes another one, checked again.
    """
    spec: Any = spec_of()

    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.name = "other"
    assert dataclasses.replace(spec, name="other").name == "other"
    with pytest.raises(ValueError, match="Got: 'a/b'"):
        dataclasses.replace(spec, name="a/b")
