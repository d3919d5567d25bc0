"""Actors: messages, mailboxes, references, and the classes that users write.

Knows no supervisor, no Django and no server; those are handed in from above.
"""

from ._actor import Actor as Actor
from ._decider import Directive as Directive
from ._denied import Denied as Denied
from ._early import set_django_up as _set_django_up
from ._errors import ActorNotFound as ActorNotFound
from ._errors import ActorStopped as ActorStopped
from ._errors import AlreadyRegistered as AlreadyRegistered
from ._errors import CallCycle as CallCycle
from ._errors import CallFailed as CallFailed
from ._errors import CallTimeout as CallTimeout
from ._errors import Decline as Decline
from ._errors import DeferFull as DeferFull
from ._errors import Disconnected as Disconnected
from ._errors import GreenroomError as GreenroomError
from ._errors import MailboxFull as MailboxFull
from ._errors import NotAnswered as NotAnswered
from ._errors import NotRegistered as NotRegistered
from ._errors import Renewed as Renewed
from ._errors import SelfCall as SelfCall
from ._errors import SelfWait as SelfWait
from ._errors import Stale as Stale
from ._errors import StartFailed as StartFailed
from ._errors import StillAlive as StillAlive
from ._errors import TooManyKeys as TooManyKeys
from ._errors import TooManyReplies as TooManyReplies
from ._errors import UndeclaredMessage as UndeclaredMessage
from ._errors import WrongSide as WrongSide
from ._handlers import handles as handles
from ._job import Job as Job
from ._job import JobState as JobState
from ._job import NobodyWaits as NobodyWaits
from ._job import current_job as current_job
from ._messages import Request as Request
from ._monitors import Down as Down
from ._monitors import Monitor as Monitor
from ._monitors import Restarted as Restarted
from ._overflow import Overflow as Overflow
from ._presence import Presence as Presence
from ._presence import PresenceDiff as PresenceDiff
from ._presence_errors import NotPresent as NotPresent
from ._presence_errors import TooManyPresences as TooManyPresences
from ._ref import ActorRef as ActorRef
from ._reply_later import DeferredReply as DeferredReply
from ._runs import cancelled_on_disconnect as cancelled_on_disconnect
from ._runs import concurrent as concurrent
from ._runs import timeout as timeout
from ._thread_hooks import ThreadHooks as ThreadHooks
from ._threads import AbandonedJob as AbandonedJob
from ._threads import PoolClosed as PoolClosed
from ._threads import PoolStatistics as PoolStatistics
from ._threads import ThreadPool as ThreadPool
from ._timed import HandlerTimeout as HandlerTimeout
from ._timers import Timer as Timer
from .consumers import EventHistory as EventHistory
from .consumers import EventStreamConsumer as EventStreamConsumer
from .consumers import HttpConsumer as HttpConsumer
from .consumers import InvalidContent as InvalidContent
from .consumers import JsonWebsocketConsumer as JsonWebsocketConsumer
from .consumers import LongPollConsumer as LongPollConsumer
from .consumers import WebsocketConsumer as WebsocketConsumer
from .consumers import receives as receives

__all__ = [
    "AbandonedJob",
    "Actor",
    "ActorNotFound",
    "ActorRef",
    "ActorStopped",
    "AlreadyRegistered",
    "CallCycle",
    "CallFailed",
    "CallTimeout",
    "Decline",
    "DeferFull",
    "DeferredReply",
    "Denied",
    "Directive",
    "Disconnected",
    "Down",
    "EventHistory",
    "EventStreamConsumer",
    "GreenroomError",
    "HandlerTimeout",
    "HttpConsumer",
    "InvalidContent",
    "Job",
    "JobState",
    "JsonWebsocketConsumer",
    "LongPollConsumer",
    "MailboxFull",
    "Monitor",
    "NobodyWaits",
    "NotAnswered",
    "NotPresent",
    "NotRegistered",
    "Overflow",
    "PoolClosed",
    "PoolStatistics",
    "Presence",
    "PresenceDiff",
    "Renewed",
    "Request",
    "Restarted",
    "SelfCall",
    "SelfWait",
    "Stale",
    "StartFailed",
    "StillAlive",
    "ThreadHooks",
    "ThreadPool",
    "Timer",
    "TooManyKeys",
    "TooManyPresences",
    "TooManyReplies",
    "UndeclaredMessage",
    "WebsocketConsumer",
    "WrongSide",
    "cancelled_on_disconnect",
    "concurrent",
    "current_job",
    "handles",
    "receives",
    "timeout",
]

_set_django_up()
