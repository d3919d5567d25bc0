# Specs of supervisors whose children come and go, or stand for keys.

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ._options import refuse_unless_whole
from ._strategy import Strategy
from ._supervisor_spec import AutoShutdown, Budget, SupervisorSpec, renamed, spec_of


@dataclass(frozen=True, kw_only=True)
class DynamicSpec(SupervisorSpec):
    """
    A supervisor of any number of children that come and go, as Elixir's ``DynamicSupervisor``.

    It starts without children; :meth:`greenroom.supervisor.DynamicSupervisor.add` starts one.
    Children start beside each other, are each for themselves, and are asked to stop all at
    once. One that has ended for good is forgotten, whatever its kind.

    Args:
        max_children: How many there may be, those that are about to be restarted included;
            None for any number.

    The other options are those of :class:`SupervisorSpec`; *budget* is ``child`` if left out.

    Raises:
        TypeError: An option is unknown or of the wrong type.
        ValueError: A value is out of range, or an option makes no sense here: *children*,
            another *strategy* than ``one_for_one``, *auto_shutdown*.
    """

    budget: Budget = Budget.CHILD
    max_children: int | None = None

    def _refuse_contradictions(self) -> None:
        _refuse_strategies(self)
        super()._refuse_contradictions()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_children is not None:
            refuse_unless_whole("max_children", self.max_children, 1)
        if self.children:
            raise ValueError(
                f"{self.name}: a dynamic supervisor starts without children; add() starts them."
                f" Got: {len(self.children)} children"
            )


@dataclass(frozen=True, kw_only=True)
class PartitionSpec(SupervisorSpec):
    """
    A supervisor of equal children of which each stands for its share of all keys.

    As Elixir's ``PartitionSupervisor``. :meth:`greenroom.supervisor.Supervisor.partition`
    returns the one for a key, always the same. For failure domains and for order by key; on
    one event loop it makes nothing faster.

    Args:
        child: An actor class, a :class:`ChildSpec` or a :class:`SupervisorSpec`; each copy is
            named by its number.
        partitions: How many copies.

    The other options are those of :class:`SupervisorSpec`; *budget* is ``child`` if left out.

    Raises:
        TypeError: An option is unknown or of the wrong type.
        ValueError: A value is out of range, or an option makes no sense here: *children*,
            another *strategy* than ``one_for_one``, *auto_shutdown*.
    """

    child: Any = None
    partitions: int = 1
    budget: Budget = Budget.CHILD
    children: Sequence[Any] = field(default=(), init=False)

    def _refuse_contradictions(self) -> None:
        _refuse_strategies(self)
        super()._refuse_contradictions()

    def __post_init__(self) -> None:
        refuse_unless_whole("partitions", self.partitions, 1)
        child = spec_of(self.child)
        copies = [renamed(child, str(number)) for number in range(self.partitions)]
        object.__setattr__(self, "children", tuple(copies))
        super().__post_init__()


def partition_of(key: str | bytes | int, partitions: int) -> int:
    """
    Return which of *partitions* is *key*'s. Pure; the same in every process and run.

    Raises:
        TypeError: *key* is no string, bytes or whole number.
    """
    if isinstance(key, int) and not isinstance(key, bool):
        return abs(key) % partitions
    if isinstance(key, str):
        key = key.encode(errors="surrogatepass")
    if not isinstance(key, bytes):
        raise TypeError(f"a key must be a string, bytes or a whole number. Got: {key!r}")
    return zlib.crc32(key) % partitions


def _refuse_strategies(spec: SupervisorSpec) -> None:
    if spec.strategy is not Strategy.ONE_FOR_ONE:
        raise ValueError(
            f"{spec.name}: its children do not depend on each other. Expected strategy"
            f" 'one_for_one'. Got: {str(spec.strategy)!r}"
        )
    if spec.auto_shutdown is not AutoShutdown.NEVER:
        raise ValueError(
            f"{spec.name}: its children are not significant. Expected auto_shutdown 'never'."
            f" Got: {str(spec.auto_shutdown)!r}"
        )
