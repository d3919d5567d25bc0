"""What of an actor's state survives a crash, and how it reaches the next incarnation."""

# Three ways, from the least to the most explicit (DESIGN: the slot):
#   nothing declared   the attributes that a successful opening left behind;
#   keep = [...]       these attributes, as they were after the last message that
#                      was handled without an error;
#   snapshot()         a value of the class's choosing, taken at the same moments
#                      and given to restored(state).
# Never the state of the moment of the crash: it may be half of a change.

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._actor import Actor


@dataclass
class Handed:
    """The state that a slot carries from one incarnation to the next."""

    attributes: dict[str, Any] = field(default_factory=dict[str, Any])
    kept: dict[str, Any] = field(default_factory=dict[str, Any])
    state: object = None
    has_state: bool = False


class Keeper:
    """Takes state from one incarnation into *handed*, and fills the next one from it."""

    def __init__(self, actor: type[Actor], handed: Handed) -> None:
        self._handed = handed
        self._keep = tuple(actor.keep)
        self._snapshot: Callable[[Actor], object] | None = getattr(actor, "snapshot", None)
        # Who defines either takes over the whole matter of state (but for `keep`).
        self._plain = self._snapshot is None and not hasattr(actor, "restarted")

    @property
    def state(self) -> object:
        """What the last snapshot gave."""
        return self._handed.state

    def opened(self, instance: Actor | None) -> None:
        """Take the attributes of an instance whose opening has succeeded."""
        if instance is None:
            return
        if self._plain:
            self._handed.attributes = dict(_attributes(instance))
        self.succeeded(instance)

    def succeeded(self, instance: Actor | None) -> None:
        """Take the declared state after a message was handled without an error."""
        if instance is None:
            return
        if self._keep:
            attributes = _attributes(instance)
            self._handed.kept = {
                name: copy.copy(attributes[name]) for name in self._keep if name in attributes
            }
        if self._snapshot is not None:
            self._handed.state = self._snapshot(instance)
            self._handed.has_state = True

    def fill(self, instance: Actor | None, *, restored: bool) -> bool:
        """
        Give a new instance what was kept.

        Returns:
            Whether ``restored(state)`` should be called as well.
        """
        if instance is None:
            return False
        _fill(instance, self._handed.attributes)
        # Copies again: what this incarnation does to them before its first success must
        # not reach the one after it.
        _fill(instance, {name: copy.copy(v) for name, v in self._handed.kept.items()})
        return restored and self._handed.has_state


@functools.cache
def _slots(actor: type) -> frozenset[str]:
    """Return the names of *actor*'s own ``__slots__``, as `dataclass(slots=True)` makes them."""
    return frozenset(
        name
        for cls in actor.__mro__
        if "__greenroom_actor__" not in vars(cls)
        for name, value in vars(cls).items()
        if type(value) is MemberDescriptorType
    )


def _attributes(instance: Actor) -> dict[str, Any]:
    slots = _slots(type(instance))
    if not slots:
        return vars(instance)  # asked after each message, where `keep` names something
    attributes = dict(vars(instance))
    for name in slots:
        if hasattr(instance, name):
            attributes[name] = getattr(instance, name)
    return attributes


def _fill(instance: Actor, attributes: dict[str, Any]) -> None:
    slots = _slots(type(instance))
    for name, value in attributes.items():
        if name in slots:
            setattr(instance, name, value)
        else:  # past a __setattr__ of the user's, and what a property would refuse
            vars(instance)[name] = value
