# One child of a supervisor: its spec, which stays, and its body, which comes and goes.

from dataclasses import dataclass
from math import inf

from ._referee import Child
from ._spec import ChildSpec
from ._supervisor_spec import Spec


@dataclass(slots=True, eq=False)
class Entry:
    """What a supervisor keeps of one child."""

    spec: Spec
    body: Child | None = None
    """None before its first start, and when it was given up as unkillable."""
    asked: bool = False
    """Whether its end was asked for: by an operator, a sibling's restart, a shutdown."""
    stopping: Child | None = None
    """The body that was asked to stop, which is asked once: it has no more time than it had."""
    late: float = inf
    """When that has taken too long, on trio's clock."""
    number: int = 0
    """Its place in the start order: who comes later has a higher one."""
    off: bool = False
    """Whether an operator has stopped it, so that no sibling's restart brings it back."""

    @property
    def patience(self) -> float:
        """How long a start may take, in seconds; a supervisor's children have their own."""
        return self.spec.init_seconds if isinstance(self.spec, ChildSpec) else inf

    @property
    def alive(self) -> bool:
        """Whether its body has not ended: it runs, waits, or is on its way."""
        return self.body is not None and not self.body.ended.is_set()

    @property
    def counts(self) -> bool:
        """Whether it is significant and lives, or is about to be started."""
        return self.spec.significant and (self.alive or (self.body is None and not self.off))

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self.body is not None and self.body.state == "running"

    @property
    def waiting(self) -> bool:
        """Whether it waits to be told what comes next."""
        return self.body is not None and self.body.state == "waiting"
