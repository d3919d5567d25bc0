"""Actors: messages, mailboxes, references, and the classes that users write.

Knows no supervisor, no Django and no server; those are handed in from above.
"""

from ._actor import Actor as Actor
from ._decider import Directive as Directive
from ._early import set_django_up as _set_django_up
from ._errors import ActorNotFound as ActorNotFound
from ._errors import ActorStopped as ActorStopped
from ._errors import CallFailed as CallFailed
from ._errors import CallTimeout as CallTimeout
from ._errors import Decline as Decline
from ._errors import DeferFull as DeferFull
from ._errors import Disconnected as Disconnected
from ._errors import GreenroomError as GreenroomError
from ._errors import MailboxFull as MailboxFull
from ._errors import Renewed as Renewed
from ._errors import SelfCall as SelfCall
from ._errors import Stale as Stale
from ._errors import StartFailed as StartFailed
from ._errors import UndeclaredMessage as UndeclaredMessage
from ._errors import WrongSide as WrongSide
from ._handlers import handles as handles
from ._job import Job as Job
from ._job import JobState as JobState
from ._job import ThreadHooks as ThreadHooks
from ._job import current_job as current_job
from ._mailbox import Overflow as Overflow
from ._messages import Request as Request
from ._ref import ActorRef as ActorRef
from ._threads import AbandonedJob as AbandonedJob
from ._threads import PoolClosed as PoolClosed
from ._threads import PoolStatistics as PoolStatistics
from ._threads import ThreadPool as ThreadPool
from ._timers import Timer as Timer
from .consumers import WebsocketConsumer as WebsocketConsumer

__all__ = [
    "AbandonedJob",
    "Actor",
    "ActorNotFound",
    "ActorRef",
    "ActorStopped",
    "CallFailed",
    "CallTimeout",
    "Decline",
    "DeferFull",
    "Directive",
    "Disconnected",
    "GreenroomError",
    "Job",
    "JobState",
    "MailboxFull",
    "Overflow",
    "PoolClosed",
    "PoolStatistics",
    "Renewed",
    "Request",
    "SelfCall",
    "Stale",
    "StartFailed",
    "ThreadHooks",
    "ThreadPool",
    "Timer",
    "UndeclaredMessage",
    "WebsocketConsumer",
    "WrongSide",
    "current_job",
    "handles",
]

_set_django_up()
