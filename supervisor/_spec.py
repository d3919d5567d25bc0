# What a supervisor needs to know about a child before it starts it.
#
# A spec is made from a class, never from an instance: a restart needs a new object,
# and the one in hand has already lived. It is checked when it is made, so that a
# mistake is a TypeError at import and not a child that never starts.
#
# Unlike OTP, which ignores keys it does not know, an unknown option is refused: the
# dataclass does that by itself.

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeGuard

from ..actors import Actor
from ..actors.consumers import Consumer
from ._backoff import Backoff
from ._options import Options, refuse_unless_seconds, refuse_unless_whole


class Restart(StrEnum):
    """
    Which ends of a child call for a new incarnation.
    """

    PERMANENT = "permanent"
    """Every end but a requested stop."""
    TRANSIENT = "transient"
    """A crash only; a normal end is an end."""
    TEMPORARY = "temporary"
    """None; the child and its spec are forgotten when it ends."""


class OnExceeded(StrEnum):
    """
    What happens to a child that has spent its restart budget.
    """

    PARK = "park"
    """It rests for `park_seconds` and then has a fresh budget; readiness suffers."""
    STOP = "stop"
    """It stays down until an operator starts it."""
    ESCALATE = "escalate"
    """Its supervisor gives up too, and its parent decides."""
    CLOSE = "close"
    """Its connection closes with 1011; for consumers, where `stop` is the same."""


def _is_actor_class(thing: object) -> TypeGuard[type[Actor]]:
    return isinstance(thing, type) and issubclass(thing, Actor)


def _refuse_no_actor_class(thing: object) -> None:
    if _is_actor_class(thing):
        return
    kind = type(thing)
    if isinstance(thing, str):
        remedy = (
            "Only Greenroom(children=[...]) resolves dotted names; here import the"
            " class and pass it."
        )
    elif _is_actor_class(kind):
        remedy = (
            f"Write {kind.__name__}, not {kind.__name__}(): each restart makes a new"
            " object. For arguments write"
            f" ChildSpec(actor={kind.__name__}, kwargs={{...}})."
        )
    elif isinstance(thing, type):
        remedy = f"Let {kind_name(thing)} inherit from greenroom.actors.Actor."
    else:
        remedy = "Write the class, or a ChildSpec."
    raise TypeError(
        "a child must be an Actor subclass, a ChildSpec or a SupervisorSpec."
        f" Got: {thing!r}. {remedy}"
    )


def _refuse_consumer(actor: type[Actor]) -> None:
    if issubclass(actor, Consumer):
        kind = next(base for base in actor.__mro__ if "servers" in vars(base)).__name__
        article = "an" if kind[0] in "AEHIOU" else "a"
        where = " and ".join(f"{each}=[path(...)]" for each in sorted(actor.protocols))
        raise TypeError(
            f"{actor.__name__} is {article} {kind}, which lives with its connection."
            f" Consumers stand in {where}."
        )


def kind_name(kind: type) -> str:
    """
    Return the name by which a class is called in messages.
    """
    return f"{kind.__module__}.{kind.__qualname__}"


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """
    How to start one child, and what to do when it ends.

    Args:
        actor: The class; each incarnation is a new instance of it.
        name: The last part of its path; the class name in lower case if left out.
        kwargs: Arguments of each instance; copied, not to be changed afterwards.
        restart: Which ends call for a restart.
        max_restarts: Restarts forgiven within *max_seconds*; None forgives all.
        max_seconds: Length of the window in seconds.
        shutdown_seconds: How long it may take to stop; 0 cancels it at once.
        on_exceeded: What happens when the budget is spent; not `close`, for it has no socket.
        backoff: The pauses before its restarts; None: those of its class, else the tree's.
        init_seconds: How long its first start may take.
        significant: Whether its end counts for its supervisor's ``auto_shutdown``.

    Raises:
        TypeError: *actor* is no actor class, or a consumer, or an option is unknown or of
            the wrong type.
        ValueError: a value is out of range, or it is significant and permanent.
    """

    actor: type[Actor]
    name: str = ""
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    restart: Restart = Restart.PERMANENT
    max_restarts: int | None = 3
    max_seconds: float = 5.0
    shutdown_seconds: float = 5.0
    on_exceeded: OnExceeded = OnExceeded.PARK
    backoff: Backoff | None = None
    init_seconds: float = 10.0
    significant: bool = False

    def __post_init__(self) -> None:
        _refuse_no_actor_class(self.actor)
        _refuse_consumer(self.actor)
        set_once = object.__setattr__
        set_once(self, "name", self.name or self.actor.__name__.lower())
        set_once(self, "kwargs", MappingProxyType(dict(self.kwargs)))
        set_once(self, "restart", member(Restart, "restart", self.restart))
        on_exceeded = member(OnExceeded, "on_exceeded", self.on_exceeded, but=OnExceeded.CLOSE)
        set_once(self, "on_exceeded", on_exceeded)
        backoff: object = self.backoff
        if backoff is not None and not isinstance(backoff, Backoff):
            raise TypeError(f"backoff must be a Backoff, or None. Got: {backoff!r}")
        refuse_bad_name(self.name)
        if self.max_restarts is not None:
            refuse_unless_whole("max_restarts", self.max_restarts, 0)
        refuse_unless_seconds("max_seconds", self.max_seconds, zero=False)
        refuse_unless_seconds("shutdown_seconds", self.shutdown_seconds, zero=True)
        refuse_unless_seconds("init_seconds", self.init_seconds, zero=False)
        refuse_no_flag("significant", self.significant)
        refuse_significance(self.significant, self.restart)

    @classmethod
    def of(cls, thing: object, options: Options | None = None) -> "ChildSpec":
        """
        Return the spec of *thing*, an actor class or a spec already.

        The attributes `restart`, `max_restarts`, `max_seconds`, `shutdown_seconds`
        and `on_exceeded` of the class are taken where it has them, then those of
        *options*, then the defaults.

        Raises:
            TypeError: *thing* is something else; the message says what to write.
            ValueError: an attribute of the class is out of range.
        """
        if isinstance(thing, ChildSpec):
            return thing
        if not _is_actor_class(thing):
            _refuse_no_actor_class(thing)
            raise AssertionError  # pragma: no cover - refused above
        taken: dict[str, Any] = {}
        for attribute in _FROM_CLASS:
            for source in (thing, options):
                if hasattr(source, attribute):
                    taken[attribute] = getattr(source, attribute)
                    break
        return cls(actor=thing, **taken)


_FROM_CLASS = (
    "restart",
    "max_restarts",
    "max_seconds",
    "shutdown_seconds",
    "on_exceeded",
)


def member(kind: type[StrEnum], name: str, value: object, *, but: StrEnum | None = None) -> StrEnum:
    """
    Return the member of *kind* that *value* is, or spells; *but* one that makes no sense here.

    Raises:
        ValueError: It is none.
    """
    for member in kind:
        if member == str(value) and member is not but:
            return member
    choices = ", ".join(repr(str(member)) for member in kind if member is not but)
    raise ValueError(f"{name} must be one of {choices}. Got: {value!r}")


def refuse_no_flag(name: str, value: object) -> None:
    """
    Refuse *value* unless it is True or False.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False. Got: {value!r}")


def refuse_significance(significant: bool, restart: Restart) -> None:
    """
    Refuse a significant child that never ends by itself.

    Raises:
        ValueError: it is significant and permanent.
    """
    if significant and restart is Restart.PERMANENT:
        raise ValueError(
            "significant goes with restart 'transient' or 'temporary': a permanent child"
            " never ends by itself. Got: restart='permanent'"
        )


def refuse_bad_name(name: object) -> None:
    """
    Refuse *name* unless it can be one part of a path.

    Raises:
        TypeError: it is no string.
        ValueError: it is empty, longer than 100 characters, or has a slash, a space
            or an unprintable character in it.
    """
    if not isinstance(name, str):
        raise TypeError(f"a name must be a string. Got: {name!r}")
    if (
        not 1 <= len(name) <= 100
        or not name.isprintable()
        or any(character in "/ " for character in name)
    ):
        raise ValueError(
            f"a name must have 1 to 100 printable characters, no slash and no space. Got: {name!r}"
        )
