# The restart of a group: siblings make room in reverse order, and start again in order.
#
# OTP's one_for_all and rest_for_one. In OTP a sibling is stopped and started; here its
# incarnation is, while its slot stays, and with it its reference and its mailbox. A group's
# restart counts once, and each further attempt to bring the group up counts as one.
#
# What crashes while a group is being restarted: a member's crash is part of that restart; of
# those before the group, the restart becomes theirs, which concerns this group as well.
#
# While it backs off, the supervisor answers what it is asked: a member that will never start
# again can be stopped, and the group goes on without it.

from collections import deque

import trio

from ._entry import Entry
from ._referee import Child
from ._spec import Restart
from ._strategy import Strategy, concerned
from ._supervision import Supervision
from ._verdict import Next, Order


class GroupRestart(Supervision):
    """The part of a supervisor that restarts siblings together."""

    async def _answer(self, entry: Entry, child: Child, epoch: int) -> None:
        """Restart the group of a child that has crashed, unless that was done already."""
        failed = entry if _is_crash_of(entry, child, epoch) else None
        while failed is not None and not self._is_over():
            names = concerned(self.spec.strategy, list(self._entries), failed.spec.name)
            group = [self._entries[name] for name in names]
            now = self._clock()
            if not self._window.admit(now):
                self._give_up(self._path_of(failed.spec), self._too_many())
                return
            seconds = self._root.pause(self._window.count(now))
            self.note(
                "supervisor.restarting",
                child=self._path_of(failed.spec),
                children=[each.spec.name for each in group if not each.off],
                seconds=round(seconds, 3),
            )
            for each in reversed(group):
                await self._rest(each, f"its sibling {failed.spec.name} crashed")
                if self._is_over():
                    return
            failed = await self._back_off(seconds, group) or await self._go(group)

    async def _rest(self, entry: Entry, reason: str, *, at_once: bool = False) -> None:
        """Have *entry* end its incarnation, and wait for its turn; a temporary one ends."""
        body = entry.body
        if body is None or not entry.alive or entry.waiting:
            return
        if entry.spec.restart is Restart.TEMPORARY:
            if await self._stop(entry, reason):
                self._entries.forget(entry)
            return
        entry.asked = True
        called = self._entries.get(body.calls.removeprefix(f"{self.path}/"))
        # Who waits for a sibling that waits for it would wait in vain.
        at_once = at_once or (called is not None and called.waiting)
        body.request_rest(reason, at_once=at_once)
        if not await self._until_so(
            lambda: entry.waiting or not entry.alive or self._asked, body.patience
        ):
            self._abandon(entry)

    async def _back_off(self, seconds: float, group: list[Entry]) -> Entry | None:
        """Wait before the restart; return who has crashed meanwhile and takes it over."""
        members = set(group)
        self._crashed = deque(each for each in self._crashed if each[0] not in members)
        began = trio.current_time()
        await self._serve_until(began + seconds, members)
        self._paused += trio.current_time() - began
        crash = self._overtaker(members)
        self._crashed = deque(each for each in self._crashed if each[0] not in members)
        if crash is None:
            return None
        self._crashed.remove(crash)
        return crash[0]

    async def _serve_until(self, until: float, group: set[Entry]) -> None:
        """Do what is asked of it until then: nobody is half way anywhere, and it may be long."""
        requests = self._requests
        while not (self._is_over() or self._overtaker(group)):
            await self._until_so(
                lambda: requests.waiting or self._asked or self._over or self._overtaker(group),
                max(0.0, until - trio.current_time()),
            )
            if self._is_over() or not requests.waiting:
                return
            await requests.serve_one()

    def _overtaker(self, group: set[Entry]) -> "tuple[Entry, Child, int] | None":
        """Return the crash of one before *group*, whose restart is this one's as well."""
        for crash in self._crashed:
            entry = crash[0]
            if entry in group or not _is_crash_of(*crash):
                continue
            if self.spec.strategy is Strategy.ONE_FOR_ALL or self._is_before(entry, group):
                return crash
        return None

    def _is_before(self, entry: Entry, group: set[Entry]) -> bool:
        """Say whether *entry* was started before all of *group* that are still there."""
        there = (each for each in group if self._entries.get(each.spec.name) is each)
        return all(entry.number < each.number for each in there)

    async def _go(self, group: list[Entry]) -> Entry | None:
        """Start each of *group*, in order; return the first that has failed to."""
        for entry in group:
            if self._is_over():
                return None
            if entry.off or self._entries.get(entry.spec.name) is not entry:
                continue  # an operator has stopped it, or it was temporary
            if entry.waiting:
                serves = await self._resume(entry)
            elif entry.alive:
                continue
            else:
                serves = await self._start(entry) is None
                if not serves:
                    await self._stop(entry, "it failed to start")
            if not serves:
                return entry
        names = [entry.spec.name for entry in group if entry.up]
        self.note("supervisor.restarted", children=names)
        return None

    async def _resume(self, entry: Entry) -> bool:
        """Have the next incarnation of *entry* begin; say whether it serves, or is to go."""
        body, patience = entry.body, entry.patience
        assert body is not None
        entry.asked = False
        body.tell(Order(Next.RESTART))
        settled = await self._until_so(
            lambda: entry.up or entry.waiting or not entry.alive or self._asked, patience
        )
        if not settled:
            await self._rest(entry, f"it did not start within {patience:g} s", at_once=True)
        if entry.waiting:  # it has crashed: that is answered by whoever called this
            self._crashed = deque(each for each in self._crashed if each[0] is not entry)
        return settled and not entry.waiting


def _is_crash_of(entry: Entry, child: Child, epoch: int) -> bool:
    """Say whether *child*'s crash in *epoch* has not been answered yet."""
    return entry.body is child and child.epoch == epoch and entry.waiting
