# What a supervisor needs to know about a supervisor below it, before it starts it.
#
# OTP's flags and its child spec in one: how it treats its children, and how its own
# supervisor treats it. Checked when it is made, like a child's (_spec.py).

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, cast

from ._options import Options, refuse_unless_seconds, refuse_unless_whole
from ._spec import (
    ChildSpec,
    OnExceeded,
    Restart,
    member,
    refuse_bad_name,
    refuse_no_flag,
    refuse_significance,
)
from ._strategy import Strategy


class Budget(StrEnum):
    """
    Whose restarts are counted together.
    """

    CHILD = "child"
    """Each child's own: one that fails for ever costs the others nothing."""
    SUPERVISOR = "supervisor"
    """All children's, as in OTP; a restart of a group counts once."""


class AutoShutdown(StrEnum):
    """
    Whether a supervisor ends when its significant children have ended by themselves.

    As in OTP 24 and later. An end that was asked for, and one that a sibling's restart
    brought, do not count.
    """

    NEVER = "never"
    """It does not."""
    ANY_SIGNIFICANT = "any_significant"
    """With the first of them."""
    ALL_SIGNIFICANT = "all_significant"
    """With the last of them."""


@dataclass(frozen=True, kw_only=True)
class SupervisorSpec:
    """
    A supervisor with its children, as a child of another one.

    Args:
        name: The last part of its path.
        children: Actor classes, :class:`ChildSpec` and :class:`SupervisorSpec`, in the order
            in which they are started.
        strategy: Which children are restarted when one crashes.
        budget: Whose restarts *max_restarts* counts. With ``child`` each child has the
            budget of its own spec, and only ``one_for_one`` makes sense.
        max_restarts: Restarts forgiven within *max_seconds*; None forgives all.
        max_seconds: Length of the window, in seconds.
        on_exceeded: What happens when they are spent, or a child escalates: ``escalate``
            ends it as crashed, which its own supervisor answers; ``park`` stops its
            children for ``park_seconds`` and begins anew; ``stop`` ends it for good.
        restart: Which of its own ends call for a restart.
        auto_shutdown: Whether it ends with its significant children.
        significant: Whether its end counts for its supervisor's *auto_shutdown*.

    Raises:
        TypeError: An option is unknown or of the wrong type.
        ValueError: A value is out of range, two options contradict each other, or two
            children have one name.
    """

    name: str
    children: Sequence[Any] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    budget: Budget = Budget.SUPERVISOR
    max_restarts: int | None = 3
    max_seconds: float = 5.0
    on_exceeded: OnExceeded = OnExceeded.ESCALATE
    restart: Restart = Restart.PERMANENT
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    significant: bool = False

    def __post_init__(self) -> None:
        set_once = object.__setattr__
        refuse_bad_name(self.name)
        for name, kind in _CHOICES.items():
            given = getattr(self, name)
            set_once(self, name, member(kind, name, given, but=OnExceeded.CLOSE))
        if self.max_restarts is not None:
            refuse_unless_whole("max_restarts", self.max_restarts, 0)
        refuse_unless_seconds("max_seconds", self.max_seconds, zero=False)
        set_once(self, "children", specs_of(self.children))
        refuse_twins(self.children)
        self._refuse_contradictions()

    def _refuse_contradictions(self) -> None:
        if self.budget is Budget.CHILD and self.strategy is not Strategy.ONE_FOR_ONE:
            raise ValueError(
                "budget 'child' goes with strategy 'one_for_one': the restart of a group is"
                f" no single child's. Got: strategy={str(self.strategy)!r}"
            )
        refuse_no_flag("significant", self.significant)
        refuse_significance(self.significant, self.restart)
        for child in self.children:
            refuse_insignificance(child, self.auto_shutdown)


_CHOICES: dict[str, type[StrEnum]] = {
    "strategy": Strategy,
    "budget": Budget,
    "on_exceeded": OnExceeded,
    "restart": Restart,
    "auto_shutdown": AutoShutdown,
}

Spec = ChildSpec | SupervisorSpec
"""Whatever can stand below a supervisor."""


def spec_of(thing: object, options: Options | None = None) -> Spec:
    """
    Return the spec of *thing*: an actor class, or a spec already.

    Raises:
        TypeError: It is something else; the message says what to write.
        ValueError: An attribute of the class is out of range.
    """
    return thing if isinstance(thing, SupervisorSpec) else ChildSpec.of(thing, options)


def renamed(spec: Spec, name: str) -> Spec:
    """Return *spec* under another name."""
    if isinstance(spec, ChildSpec):
        return replace(spec, name=name, kwargs=dict(spec.kwargs))
    return replace(spec, name=name)


def specs_of(things: object, options: Options | None = None) -> tuple[Spec, ...]:
    """
    Return the specs of *things*, in order.

    Raises:
        TypeError: It is no list or tuple, or one of them is no child.
    """
    if not isinstance(things, list | tuple):
        raise TypeError(f"children must be a list of classes and specs. Got: {things!r}")
    return tuple(spec_of(thing, options) for thing in cast("Sequence[object]", things))


def refuse_twins(specs: Sequence[Spec]) -> None:
    """
    Refuse *specs* of which two have one name.

    Raises:
        ValueError: Two have.
    """
    names = Counter(spec.name for spec in specs)
    twice = sorted(name for name, times in names.items() if times > 1)
    if twice:
        raise ValueError(
            f"two children are named {', '.join(twice)}. Give one another name:"
            " ChildSpec(actor=..., name=...)."
        )


def refuse_insignificance(spec: Spec, auto_shutdown: AutoShutdown) -> None:
    """
    Refuse a significant child whose end would mean nothing, or could never come.

    Raises:
        ValueError: *spec* is significant, and permanent or below one that never shuts down.
    """
    if not spec.significant:
        return
    if auto_shutdown is AutoShutdown.NEVER:
        raise ValueError(
            f"child {spec.name!r} is significant, which its supervisor's auto_shutdown does not"
            " look at. Expected 'any_significant' or 'all_significant'. Got: 'never'"
        )
