"""What of an actor's state survives a crash, and how it reaches the next incarnation."""

# Three ways, from the least to the most explicit (DESIGN: the slot):
#   nothing declared   the attributes that a successful opening left behind;
#   keep = [...]       these attributes, as they were after the last message that
#                      was handled without an error;
#   snapshot()         a value of the class's choosing, taken at the same moments
#                      and given to restored(state).
# Never the state of the moment of the crash: it may be half of a change.
#
# A bound method among it is bound to an instance that is inert: calling it would crash
# each incarnation to come. So what an instance is filled with is bound to it anew, and
# that is what is handed on: nothing here holds an instance that has a successor.

from __future__ import annotations

import copy
import functools
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, MemberDescriptorType, MethodType
from typing import TYPE_CHECKING, Any, cast

from ._errors import described

if TYPE_CHECKING:
    from ._actor import Actor


_NONE: Mapping[str, Any] = MappingProxyType({})  # of all who have nothing, as most do


@dataclass(slots=True)
class Handed:
    """The state that a slot carries from one incarnation to the next."""

    attributes: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    kept: Mapping[str, Any] = field(default_factory=lambda: _NONE)
    state: object = None
    has_state: bool = False


class Keeper:
    """Takes state from one incarnation into *handed*, and fills the next one from it."""

    __slots__ = (
        "_actor", "_handed", "_keep", "_plain", "_snapshot", "keeps",
    )  # fmt: skip

    def __init__(self, actor: type[Actor], handed: Handed) -> None:
        self._actor = actor
        self._handed = handed
        self._keep = tuple(actor.keep)
        self._snapshot: Callable[[Actor], object] | None = getattr(actor, "snapshot", None)
        self.keeps = bool(self._keep) or self._snapshot is not None
        """Whether anything is taken after a message."""
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
            holder = instance.state_holder()
            bare = _is_bare(holder)
            self._handed.attributes = _NONE if bare else dict(_attributes(holder))
        self.succeeded(instance)

    def succeeded(self, instance: Actor | None) -> None:
        """Take the declared state after a message was handled without an error."""
        if instance is None:
            return
        if self._keep:
            attributes = _attributes(instance.state_holder())
            self._handed.kept = {
                name: self._copied(name, attributes[name])
                for name in self._keep
                if name in attributes
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
        handed, holder = self._handed, instance.state_holder()
        handed.attributes = _bound_anew(handed.attributes, holder)
        handed.kept = _bound_anew(handed.kept, holder)
        _fill(holder, handed.attributes)
        # Copies again: what this incarnation does to them before its first success must
        # not reach the one after it.
        _fill(holder, {name: self._copied(name, v) for name, v in handed.kept.items()})
        return restored and handed.has_state

    def _copied(self, name: str, value: object) -> object:
        try:
            return copy.copy(value)
        except Exception as error:
            raise TypeError(
                f"{self._actor.__qualname__}.keep: {name!r} can't be copied ({described(error)})."
                " Keep what can be, and make the rest in started()."
            ) from error


_BINDS: frozenset[type] = frozenset((MethodType, functools.partial))
_HOLDS: frozenset[type] = frozenset((dict, list, tuple, set))


def _bound_anew(attributes: Mapping[str, Any], instance: object) -> dict[str, Any]:
    """Return *attributes* with the methods of *instance*'s predecessors bound to it."""
    return {name: _rebound(value, instance) for name, value in attributes.items()}


def _rebound(value: Any, instance: object, *, deep: bool = True) -> Any:
    kind = cast("Any", type(value))
    if kind in _BINDS:
        return _rebound_method(value, instance)
    if not deep or kind not in _HOLDS:
        return value
    held = value.copy() if kind is not tuple else value  # a thread left behind may change it
    if _BINDS.isdisjoint(map(type, held.values() if kind is dict else held)):
        return value
    old = list(held.values() if kind is dict else held)
    new = [_rebound(each, instance, deep=False) for each in old]
    if all(map(operator.is_, new, old)):  # methods of others
        return value
    return dict(zip(held, new, strict=True)) if kind is dict else type(value)(new)


def _rebound_method(value: Any, instance: object) -> Any:
    if type(value) is not MethodType:
        bound = _rebound(value.func, instance, deep=False)
        changed = bound is not value.func
        return functools.partial(bound, *value.args, **value.keywords) if changed else value
    owner = value.__self__
    if owner is instance or type(owner) is not type(instance):
        return value
    if _place(owner) is not _place(instance):  # another actor of its class, which may live
        return value
    return MethodType(value.__func__, instance)


def _place(instance: object) -> object:
    # One made by hand has none.
    return getattr(getattr(instance, "_life", instance), "host", instance)


_OWN_SLOTS = frozenset(("__greenroom_actor__", "__greenroom_holder__"))  # no state of the user's


@functools.cache
def _slots(actor: type) -> frozenset[str]:
    """Return the names of *actor*'s own ``__slots__``, as `dataclass(slots=True)` makes them."""
    return frozenset(
        name
        for cls in actor.__mro__
        if _OWN_SLOTS.isdisjoint(vars(cls))
        for name, value in vars(cls).items()
        if type(value) is MemberDescriptorType
    )


def _attributes(instance: object) -> dict[str, Any]:
    slots = _slots(type(instance))
    if not slots:
        return vars(instance)  # asked after each message, where `keep` names something
    attributes = dict(vars(instance))
    for name in slots:
        if hasattr(instance, name):
            attributes[name] = getattr(instance, name)
    return attributes


def _is_bare(instance: object) -> bool:
    """Say whether *instance* has no attributes, without vars(), which makes a dict that stays."""
    if _slots(type(instance)):
        return False
    state: Any = object.__getstate__(instance)
    return state is None or (type(state) is tuple and state[0] is None)


def _fill(instance: object, attributes: Mapping[str, Any]) -> None:
    slots = _slots(type(instance))
    for name, value in attributes.items():
        if name in slots:
            setattr(instance, name, value)
        else:  # past a __setattr__ of the user's, and what a property would refuse
            vars(instance)[name] = value
