# The spec of a pool of tasks: of a DynamicSpec what makes sense where nothing is restarted.

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ._dynamic_spec import DynamicSpec
from ._options import refuse_unless_seconds, refuse_unless_whole
from ._spec import OnExceeded, Restart
from ._strategy import Strategy
from ._supervisor_spec import AutoShutdown, Budget


@dataclass(frozen=True, kw_only=True)
class TaskPoolSpec(DynamicSpec):
    """
    A place in the tree for work that is done once, as Elixir's ``Task.Supervisor``.

    It starts without tasks; :class:`greenroom.supervisor.TaskPool`, which is what
    ``root.task_pool(path)`` returns, starts them. Each is a child with a path of its own, is
    never restarted, and is forgotten when it has ended.

    Args:
        name: The last part of its path.
        max_tasks: How many there may be at a time; None for any number.
        shutdown_seconds: How long a task may go on after a stop was asked for; 0 cancels it
            at once.

    Raises:
        TypeError: An option is unknown or of the wrong type.
        ValueError: A value is out of range.
    """

    max_tasks: int | None = 100
    shutdown_seconds: float = 5.0
    # What a supervisor of other children has, and this one has no use for.
    children: Sequence[Any] = field(default=(), init=False)
    strategy: Strategy = field(default=Strategy.ONE_FOR_ONE, init=False)
    budget: Budget = field(default=Budget.CHILD, init=False)
    max_restarts: int | None = field(default=3, init=False)
    max_seconds: float = field(default=5.0, init=False)
    on_exceeded: OnExceeded = field(default=OnExceeded.ESCALATE, init=False)
    restart: Restart = field(default=Restart.PERMANENT, init=False)
    auto_shutdown: AutoShutdown = field(default=AutoShutdown.NEVER, init=False)
    significant: bool = field(default=False, init=False)
    max_children: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.max_tasks is not None:
            refuse_unless_whole("max_tasks", self.max_tasks, 1)
        refuse_unless_seconds("shutdown_seconds", self.shutdown_seconds, zero=True)
        object.__setattr__(self, "max_children", self.max_tasks)
        super().__post_init__()
