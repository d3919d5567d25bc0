# The supervisor of the actors that live as long as the server: one_for_one.
#
# A resident's restarts are its slot's own business (budget, backoff, parking); what
# is decided here is order: started one after the other, each acknowledged before
# the next, and stopped in reverse, each within its own deadline.

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

import trio

from ..actors import StartFailed
from ._events import described
from ._intensity import RestartWindow
from ._slot import Slot
from ._spec import ChildSpec
from ._tree import NodeSnapshot
from ._verdict import Policy

if TYPE_CHECKING:
    from ._root import Root

_INIT_SECONDS = 10.0  # for one child's `started`, as Pekko's creation timeout is 20


class Residents:
    """The supervisor at ``/residents``."""

    def __init__(self, root: "Root", specs: Sequence[ChildSpec]) -> None:
        self._root = root
        self._specs = tuple(specs)
        names = [spec.name for spec in self._specs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"two children are named {', '.join(twice)}. Give one another name:"
                " ChildSpec(actor=..., name=...)."
            )
        self._slots: list[Slot] = []
        self._stopping = False

    async def start(self, nursery: trio.Nursery) -> None:
        """
        Start all children in order, in *nursery*. A checkpoint if there are any.

        A cancellation leaves those started so far; :meth:`stop` stops them.

        Raises:
            StartFailed: One failed; those started before it have been stopped.
        """
        for spec in self._specs:
            slot = self._slot(spec)
            self._slots.append(slot)
            self._root.register(slot.path, slot.ref)
            nursery.start_soon(self._run, slot, nursery, name=f"greenroom {slot.path}")
            problem = await self._settled(slot)
            if problem is not None:
                await self.stop()
                raise StartFailed(slot.path, problem) from slot.first_error

    async def stop(self, until: float = inf) -> None:
        """
        Stop all children in reverse order, each within its deadline. A checkpoint.

        Shielded. One that will not end is reported unkillable, and the others go on.

        Args:
            until: When all must be done, on trio's clock; each has its share of what is left.
        """
        self._stopping = True
        for at, slot in reversed(list(enumerate(self._slots))):
            slot.request_stop("shutdown")
            # Its handler, its tasks, and its last handler have a deadline each.
            patience = 3 * slot.shutdown_seconds + self._root.options.disconnect_seconds + 1
            share = max(0.0, until - trio.current_time()) / (at + 1)
            patience = min(patience, share)
            with trio.move_on_after(patience, shield=True) as scope:
                await slot.ended.wait()
            if scope.cancelled_caught:
                slot.stuck()

    def left(self) -> list[str]:
        """The paths of the children that have not ended."""
        return [slot.path for slot in self._slots if not slot.ended.is_set()]

    def parked(self) -> list[str]:
        """The paths of the children that are not up and should be."""
        return [slot.path for slot in self._slots if slot.missed]

    def snapshot(self) -> NodeSnapshot:
        """Return the supervisor and its children as they are now."""
        return NodeSnapshot(
            path="/residents",
            kind="supervisor",
            name="residents",
            state="stopping" if self._stopping else "running",
            facts={"strategy": "one_for_one"},
            children=tuple(slot.snapshot() for slot in self._slots),
        )

    def _slot(self, spec: ChildSpec) -> Slot:
        return Slot(
            self._root,
            f"/residents/{spec.name}",
            spec.actor,
            kwargs=dict(spec.kwargs),
            policy=Policy(spec.restart, spec.on_exceeded, spec.backoff),
            window=RestartWindow(spec.max_restarts, spec.max_seconds),
            shutdown_seconds=spec.shutdown_seconds,
        )

    async def _run(self, slot: Slot, nursery: trio.Nursery) -> None:
        # Shielded in run(): an outer cancellation reaches it as a request, from stop().
        try:
            exit_ = await slot.run(nursery)
        except BaseException as error:  # noqa: ASYNC103, BLE001 - a fault of ours; siblings go on
            slot.abort(error)
            self._root.escalated(slot)
            return  # noqa: ASYNC104 - shielded in there: no Cancelled
        finally:
            self._root.unregister(slot.path)
        if exit_.kind.value == "fatal":
            self._root.fatal(slot.path)

    async def _settled(self, slot: Slot) -> str | None:
        """Wait for the first start; None when it serves, else what went wrong."""
        with trio.move_on_after(_INIT_SECONDS):
            await slot.settled.wait()
        if not slot.settled.is_set():
            return f"started() did not return within {_INIT_SECONDS:g} s"
        if slot.first_error is not None:
            return described(slot.first_error)
        return None
