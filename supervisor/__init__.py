"""Supervision: slots, the tree, restarts, groups, events, snapshots."""

from ..actors._early import set_django_up as _set_django_up
from ._administration import Counts as Counts
from ._backoff import Backoff as Backoff
from ._current import current_root as current_root
from ._dead_letters import DeadLetter as DeadLetter
from ._dead_letters import DeadLetterKey as DeadLetterKey
from ._dead_letters import DeadLetters as DeadLetters
from ._dynamic import DynamicSupervisor as DynamicSupervisor
from ._dynamic_spec import DynamicSpec as DynamicSpec
from ._dynamic_spec import PartitionSpec as PartitionSpec
from ._engine import Engine as Engine
from ._engine import EngineSink as EngineSink
from ._engine import EngineStatistics as EngineStatistics
from ._errors import AlreadyStarted as AlreadyStarted
from ._errors import ChildNotFound as ChildNotFound
from ._errors import DescribeFailed as DescribeFailed
from ._errors import InvalidState as InvalidState
from ._errors import StartsStill as StartsStill
from ._errors import SupervisorGaveUp as SupervisorGaveUp
from ._errors import SupervisorStopping as SupervisorStopping
from ._errors import TaskStopped as TaskStopped
from ._errors import TaskTimeout as TaskTimeout
from ._errors import TooManyChildren as TooManyChildren
from ._events import EVENTS as EVENTS
from ._events import Event as Event
from ._events import EventStream as EventStream
from ._groups import GroupChange as GroupChange
from ._groups import Groups as Groups
from ._intensity import RestartWindow as RestartWindow
from ._options import Options as Options
from ._presences import Presences as Presences
from ._registration import Registration as Registration
from ._registration import RegistryChange as RegistryChange
from ._registry import Registry as Registry
from ._root import Root as Root
from ._spec import ChildSpec as ChildSpec
from ._spec import OnExceeded as OnExceeded
from ._spec import Restart as Restart
from ._strategy import Strategy as Strategy
from ._supervisor import Supervisor as Supervisor
from ._supervisor_spec import AutoShutdown as AutoShutdown
from ._supervisor_spec import Budget as Budget
from ._supervisor_spec import SupervisorSpec as SupervisorSpec
from ._suspensions import Suspensions as Suspensions
from ._task import TaskDone as TaskDone
from ._task import TaskFailed as TaskFailed
from ._task_pool import TaskPool as TaskPool
from ._task_pool_spec import TaskPoolSpec as TaskPoolSpec
from ._traces import Traces as Traces
from ._tree import CrashReport as CrashReport
from ._tree import NodeSnapshot as NodeSnapshot

__all__ = [
    "EVENTS",
    "AlreadyStarted",
    "AutoShutdown",
    "Backoff",
    "Budget",
    "ChildNotFound",
    "ChildSpec",
    "Counts",
    "CrashReport",
    "DeadLetter",
    "DeadLetterKey",
    "DeadLetters",
    "DescribeFailed",
    "DynamicSpec",
    "DynamicSupervisor",
    "Engine",
    "EngineSink",
    "EngineStatistics",
    "Event",
    "EventStream",
    "GroupChange",
    "Groups",
    "InvalidState",
    "NodeSnapshot",
    "OnExceeded",
    "Options",
    "PartitionSpec",
    "Presences",
    "Registration",
    "Registry",
    "RegistryChange",
    "Restart",
    "RestartWindow",
    "Root",
    "StartsStill",
    "Strategy",
    "Supervisor",
    "SupervisorGaveUp",
    "SupervisorSpec",
    "SupervisorStopping",
    "Suspensions",
    "TaskDone",
    "TaskFailed",
    "TaskPool",
    "TaskPoolSpec",
    "TaskStopped",
    "TaskTimeout",
    "TooManyChildren",
    "Traces",
    "current_root",
]

_set_django_up()
