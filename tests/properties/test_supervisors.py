# Random trees and random crashes, against a model: what runs is what should run.
#
# The model knows OTP's rules and nothing of trio: which incarnation each child is in after each
# step. Every step is one of: a child crashes, ends by itself, is stopped, started, added; two
# crash at once.

from __future__ import annotations

from dataclasses import dataclass, field

import trio
from conformance.kit import Journal, Tree, member, tree
from helpers import task_names
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.bridges.testing import virtual_clock
from greenroom.supervisor import Options

STRATEGIES = ["one_for_one", "one_for_all", "rest_for_one"]
RESTARTS = ["permanent", "transient", "temporary"]


@dataclass
class Child:
    """What the model knows of one child."""

    restart: str
    epoch: int = 1
    up: bool = True
    off: bool = False  # by hand


@dataclass
class Model:
    """The children in start order, and the rules."""

    strategy: str
    children: dict[str, Child] = field(default_factory=dict)

    def crash(self, *names: str) -> None:
        """Children crash, at once."""
        failed = [name for name in names if name in self.children and self.children[name].up]
        lasting = [n for n in failed if self.children[n].restart != "temporary"]
        for name in failed:
            if name not in lasting:
                del self.children[name]
        self._restart(lasting)

    def end(self, name: str) -> None:
        """A child ends by itself."""
        child = self.children[name]
        if not child.up:
            return
        if child.restart == "permanent":
            self._restart([name])
        elif child.restart == "transient":
            child.up = False
        else:
            del self.children[name]

    def stop(self, name: str) -> None:
        """A child is stopped by hand."""
        child = self.children[name]
        child.up, child.off = False, True
        if child.restart == "temporary":
            del self.children[name]

    def start(self, name: str) -> None:
        """A stopped child is started by hand, in its first incarnation."""
        child = self.children[name]
        child.up, child.off, child.epoch = True, False, 1

    def renew(self, name: str) -> None:
        """A child is restarted by hand: it alone, whatever its kind and the strategy."""
        self.children[name].epoch += 1

    def _restart(self, failed: list[str]) -> None:
        if not failed:
            return
        order = list(self.children)
        if self.strategy == "one_for_one":
            group = failed
        elif self.strategy == "one_for_all":
            group = order
        else:
            group = order[min(map(order.index, failed)) :]
        for name in group:
            child = self.children[name]
            if child.restart == "temporary":
                del self.children[name]
            elif child.up:
                child.epoch += 1
            elif not child.off:  # it had ended by itself, and begins anew
                child.up, child.epoch = True, 1

    def expected(self) -> dict[str, int]:
        """The incarnations of those that run, in order."""
        return {name: child.epoch for name, child in self.children.items() if child.up}


steps = st.lists(
    st.tuples(
        st.sampled_from(["crash", "crash two", "end", "stop", "start", "add", "renew"]),
        st.integers(0, 9),
        st.sampled_from(RESTARTS),
    ),
    max_size=25,
)


@settings(max_examples=100)
@given(
    st.sampled_from(STRATEGIES),
    st.lists(st.sampled_from(RESTARTS), max_size=6),
    steps,
    st.sets(st.integers(0, 9)),
    st.floats(0, 1),
)
def test_whatever_happens_the_right_children_run(
    strategy: str,
    kinds: list[str],
    happens: list[tuple[str, int, str]],
    last: set[int],
    seconds: float,
) -> None:
    """
    After any sequence exactly the right children run, in order; at the end nothing is left.

    Nor when some crash shortly before the end, and the stop comes in the middle of a restart.
    """
    trio.run(_play, strategy, kinds, happens, last, seconds, clock=virtual_clock())


async def _play(
    strategy: str,
    kinds: list[str],
    happens: list[tuple[str, int, str]],
    last: set[int],
    seconds: float,
) -> None:
    journal, model = Journal(), Model(strategy)
    specs = []
    for number, kind in enumerate(kinds):
        model.children[f"c{number}"] = Child(kind)
        specs.append(member(journal, f"c{number}", restart=kind))
    numbers = iter(range(len(kinds), 1000))
    before = len(task_names())
    options = Options(backoff_jitter=0, backoff_max_seconds=1)
    async with tree(journal, specs, strategy=strategy, options=options, max_restarts=None) as t:
        for what, at, kind in happens:
            await _step(t, model, what, at, kind, f"c{next(numbers)}")
            await t.calm(10)
            children = t.node().children
            running = {each.name: each.epoch for each in children if each.state == "running"}
            assert list(running.items()) == list(model.expected().items())
            assert [each.name for each in children] == list(model.children)
        up = list(model.expected())
        mark = len(journal.lines)
        crash = [name for at, name in enumerate(up) if at in last]
        for name in crash:
            t.tell(name, "crash")
        if crash:
            await t.calm(seconds)
        s, began = t.s, trio.current_time()
    if not crash:
        assert journal.since(mark) == [f"-{name}" for name in reversed(up)]
    assert trio.current_time() - began < 1
    assert not s.left()
    assert len(task_names()) == before


async def _step(t: Tree, model: Model, what: str, at: int, kind: str, new: str) -> None:
    names = list(model.children)
    if what == "add" or not names:
        await t.s.add(member(t.journal, new, restart=kind))
        model.children[new] = Child(kind)
        return
    name = names[at % len(names)]
    child = model.children[name]
    if what == "crash two" and child.up:
        other = names[(at + 1) % len(names)]
        for each in dict.fromkeys((name, other)):
            if model.children[each].up:
                t.tell(each, "crash")
        model.crash(*dict.fromkeys((name, other)))
    elif what == "crash" and child.up:
        t.tell(name, "crash")
        model.crash(name)
    elif what == "end" and child.up:
        t.tell(name, "stop")
        model.end(name)
    elif what == "renew" and child.up:
        assert await t.server.root.restart(t.ref(name).path) == child.epoch + 1
        model.renew(name)
    elif what == "stop":
        await t.s.stop_child(name)
        model.stop(name)
    elif what == "start" and not child.up:
        await t.s.start_child(name)
        model.start(name)
