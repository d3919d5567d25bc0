# What carries group messages to the other processes: the contract.
#
# Anyone can write an engine (Redis, PostgreSQL, NATS ...). The promises below are
# executable: bridges/testing/engine_suite.py is a set of tests that every engine,
# ours included, has to pass, and its header says how to run them on yours.
#
#   SCOPE      publish() reaches all *other* processes that have subscribed to the
#              topic, never the publishing one: it has delivered by itself, at once
#              and without encoding anything.
#   FIDELITY   text (str) arrives as text, bytes as bytes, a dict as an equal dict.
#              How they look on the wire is the engine's business; a payload that it
#              cannot carry is refused where it is published, with a TypeError.
#   ORDER      what one process publishes to one topic arrives in that order. Nothing
#              is promised across topics, nor across publishers.
#   AT MOST    a message arrives once or not at all, never twice. Nothing is stored;
#   ONCE       who was not subscribed when it passed does not get it later.
#   GAP        when messages may have been lost (a connection broke, a buffer ran
#              over), the engine repairs itself and then says so once by sink.gap().
#              Loss without a gap is the one thing that no engine may do.
#   NO WAITING publish, subscribe and unsubscribe return at once, in any thread, and
#              do not raise because the world is broken. They are called under a lock
#              and from inside broadcasts, so they must not call the sink either.
#              What cannot be passed on at once is counted as lag, and past the
#              engine's own bound dropped, with a gap on the far side.
#
# Membership is not the engine's business: it lives in the process that owns the
# connection, so that nothing has to expire and nothing leaks. The engine knows only
# which topics somebody here wants to hear.

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import trio


class EngineSink(Protocol):
    """
    Where an engine puts what it receives. Called on the event loop, from `run` only.
    """

    def deliver(self, topic: str, payload: object) -> None:
        """
        Take *payload*, published to *topic* by another process. Never raises.
        """
        ...

    def gap(self, reason: str) -> None:
        """
        Take note that messages of any topic may have been missed. Never raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class EngineStatistics:
    """
    What an engine has done so far, and how far it is behind.
    """

    connected: bool
    """Whether messages reach the other processes at this moment."""
    subscriptions: int = 0
    """Topics that this process listens to."""
    published: int = 0
    """Messages taken by publish()."""
    received: int = 0
    """Messages handed to the sink."""
    dropped: int = 0
    """Messages that were taken and could not be passed on."""
    gaps: int = 0
    """Gaps told to the sink."""
    lag_messages: int = 0
    """Messages taken that have not left this process yet."""
    lag_bytes: int = 0
    """Their size."""
    lag_seconds: float = 0.0
    """Age of the oldest of them."""


class Carrier(Protocol):
    """
    What goes with the messages of a tree that is traced: to which trace they belong.
    """

    def said(self) -> bytes:
        """
        Return what goes with a message that is published here and now; empty for nothing.

        Any thread; at most 8 KiB. Never raises.
        """
        ...

    def within(self, said: bytes) -> AbstractContextManager[object]:
        """
        Return a block to deliver a message in, with which came what *said* in another process.

        Never raises, whatever came.
        """
        ...


class Engine(ABC):
    """
    Carries messages between processes. One instance serves one root, once.
    """

    def carry(self, carrier: Carrier) -> None:  # noqa: B027 - most need do nothing
        """
        Have what *carrier* says go with each dict that is published. Before `run`.

        For an engine that can: text and bytes reach no handler, so nothing need go with them. A
        process that knows nothing of it must get the same message. By default nothing goes along.
        """

    @abstractmethod
    async def run(
        self,
        sink: EngineSink,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """
        Work until cancelled; started as soon as the other methods may be called.

        Reaching the outside world is no part of the start, and losing it is no
        reason to return or raise: the engine tries again, with pauses, for ever.
        Always a checkpoint. Cancellation leaves connections closed, messages that
        had not left dropped, and the other methods harmless; an engine may take a
        second before that to send what waits, since it is the last that others hear.
        """

    @abstractmethod
    def publish(self, topic: str, payload: object) -> None:
        """
        Send *payload* to all other processes that have subscribed to *topic*.

        Returns at once; any thread; never raises because of the world.

        Args:
            topic: At most 250 characters of valid text.
            payload: A str, bytes, or a dict message. An engine may carry more.

        Raises:
            TypeError: the payload is of a kind, or holds a value, that the engine
                cannot carry. Nothing was sent.
        """

    @abstractmethod
    def subscribe(self, topic: str) -> None:
        """
        Ask for what other processes publish to *topic* from about now on.

        Returns at once, before the others know; any thread; before `run` too.
        Subscribing twice is the same as once.
        """

    @abstractmethod
    def unsubscribe(self, topic: str) -> None:
        """
        Ask for no more of *topic*; what is under way may still arrive.

        Returns at once; any thread. Without a subscription it does nothing.
        """

    @abstractmethod
    def peers(self) -> frozenset[str]:
        """
        Name the other processes that the engine believes to be reachable now.
        """

    @abstractmethod
    def statistics(self) -> EngineStatistics:
        """
        Return counters and lag; any thread.
        """
