# What follows the end of an incarnation. Pure.

import pytest

from greenroom.actors._exits import Exit, ExitKind
from greenroom.supervisor import OnExceeded, Restart, RestartWindow
from greenroom.supervisor._verdict import Next, Policy, decide

CRASH = Exit(ExitKind.CRASHED, "frame", ValueError())
POLICY = Policy(Restart.PERMANENT, OnExceeded.STOP)


def window(max_restarts: int | None = 1) -> RestartWindow:
    return RestartWindow(max_restarts, 5.0)


@pytest.mark.parametrize("kind", [ExitKind.STOPPED, ExitKind.PEER, ExitKind.FATAL])
@pytest.mark.parametrize("restart", list(Restart))
def test_only_a_crash_is_restarted(kind: ExitKind, restart: Restart) -> None:
    """
    A requested stop, the peer's end and a fatal end are ends, whatever the policy.
    """
    budget = window()

    assert decide(Exit(kind, "why"), Policy(restart, OnExceeded.PARK), budget, 1.0) is Next.END
    assert budget.left(1.0) == 1


def test_a_failed_opening_is_an_end() -> None:
    """
    A crash before the slot came to serve is no matter for restarts.
    """
    crash = Exit(ExitKind.CRASHED, "connect", ValueError(), opening=True)
    assert decide(crash, POLICY, window(), 0.0) is Next.END


@pytest.mark.parametrize("restart", [Restart.PERMANENT, Restart.TRANSIENT])
def test_a_crash_within_the_budget_is_restarted(restart: Restart) -> None:
    """
    A permanent or transient slot restarts after a crash, and its budget is charged.
    """
    budget = window()

    assert decide(CRASH, Policy(restart, OnExceeded.STOP), budget, 1.0) is Next.RESTART
    assert budget.left(1.0) == 0


def test_temporary_is_never_restarted() -> None:
    """
    A temporary slot ends at its first crash, and nothing is charged.
    """
    budget = window()

    assert decide(CRASH, Policy(Restart.TEMPORARY, OnExceeded.PARK), budget, 1.0) is Next.END
    assert budget.left(1.0) == 1


@pytest.mark.parametrize(
    ("on_exceeded", "expected"),
    [
        (OnExceeded.PARK, Next.PARK),
        (OnExceeded.STOP, Next.END),
        (OnExceeded.ESCALATE, Next.ESCALATE),
    ],
)
def test_a_spent_budget_does_what_the_policy_says(on_exceeded: OnExceeded, expected: Next) -> None:
    """
    One crash more than the budget parks, ends or escalates, as declared.
    """
    budget = window()
    policy = Policy(Restart.PERMANENT, on_exceeded)
    assert decide(CRASH, policy, budget, 1.0) is Next.RESTART

    assert decide(CRASH, policy, budget, 2.0) is expected


def test_without_a_limit_a_slot_restarts_for_ever() -> None:
    """
    max_restarts=None restarts after every crash.
    """
    budget = window(None)
    assert {decide(CRASH, POLICY, budget, 0.0) for _ in range(500)} == {Next.RESTART}
