# The supervisor of the actors that live as long as the server, at the top of their tree.
#
# One like any other, one_for_one and with a budget for each child; but what is too much for
# it is the root's to answer, and the root starts and stops it.

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

import trio

from ..actors import StartFailed
from ..actors._exits import Exit, ExitKind
from ._events import described
from ._referee import Child
from ._supervisor import Supervisor
from ._supervisor_spec import Budget, Spec, SupervisorSpec

if TYPE_CHECKING:
    from ._root import Root


class Residents(Supervisor):
    """The supervisor at ``/residents``."""

    def __init__(self, root: "Root", specs: Sequence[Spec]) -> None:
        spec = SupervisorSpec(name="residents", children=list(specs), budget=Budget.CHILD)
        super().__init__(root, "/residents", spec, None)

    async def start(self, nursery: trio.Nursery) -> None:
        """
        Start all children in order, in *nursery*. A checkpoint.

        A cancellation leaves those started so far; :meth:`stop` stops them.

        Raises:
            StartFailed: One failed; those started before it have been stopped.
        """
        nursery.start_soon(self.run, nursery, name=f"greenroom {self.path}")
        await self.settled.wait()
        error = self.first_error
        if error is not None:
            await self.ended.wait()
            raise error if isinstance(error, StartFailed) else StartFailed(self.path, str(error))

    async def run(self, nursery: trio.Nursery) -> Exit:
        """
        Live to the end, as any supervisor does; a fault in that brings the root down, in order.

        A checkpoint. Shielded.
        """
        try:
            return await super().run(nursery)
        except Exception as error:  # noqa: BLE001 - a fault of ours; there is nobody above
            self.abort(error)
            self._escalated(self)
            return Exit(ExitKind.CRASHED, described(error), error)

    async def stop(self, until: float = inf) -> None:
        """
        Stop all children in reverse order, each within its deadline. A checkpoint.

        Shielded. One that will not end is reported unkillable, and the others go on.

        Args:
            until: When all must be done, on trio's clock; each has its share of what is left.
        """
        if self._nursery is None:  # it was never started
            return
        self.hurry(until)
        self.request_stop("shutdown")
        with trio.CancelScope(shield=True):
            await self.ended.wait()

    def parked(self) -> list[str]:
        """The paths of what is not up and should be."""
        return self.missed

    def _escalated(self, child: Child) -> None:
        self._root.escalated(child)
