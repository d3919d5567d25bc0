# Telling hypercorn's worker from everybody else. The real processes: tests/e2e.

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from greenroom.bridges.hypercorn._startup import in_hypercorn_worker, refuse


def below(module: str, function: str, work: Callable[[], Any]) -> Any:
    """Call *work* below a function of that name in a module of that name."""
    namespace: dict[str, Any] = {"__name__": module}
    exec(f"def {function}(work): return work()", namespace)
    return namespace[function](work)


@pytest.mark.parametrize(
    ("module", "function", "expected"),
    [
        ("hypercorn.utils", "load_application", True),
        ("hypercorn.trio.run", "trio_worker", True),
        ("hypercorn.asyncio.run", "asyncio_worker", True),
        ("hypercorn.trio", "serve", False),
        ("hypercornish", "load_application", False),
        ("mysite", "load_application", False),
    ],
)
def test_the_call_stack_tells(module: str, function: str, expected: bool) -> None:
    """
    Below hypercorn's loader or worker it is hypercorn; below its API it is not.
    """
    assert below(module, function, in_hypercorn_worker) is expected


def test_refuse_raises_for_everybody() -> None:
    """
    Outside of hypercorn's command a refusal is the exception that was asked for.
    """
    with pytest.raises(LookupError, match=r"^no such thing$"):
        refuse("no such thing", LookupError)


def test_refuse_ends_a_worker_with_a_line() -> None:
    """
    Below hypercorn's loader a refusal is a SystemExit whose text is the line.
    """
    with pytest.raises(SystemExit, match=r"^greenroom: no such thing$"):
        below("hypercorn.utils", "load_application", lambda: refuse("no such thing", LookupError))


def test_leave_ends_the_process_at_once() -> None:
    """
    leave() prints its line, runs no cleanup, and ends with status 1.
    """
    script = (
        "import atexit\n"
        "from greenroom.bridges.hypercorn._startup import leave\n"
        "atexit.register(print, 'cleaned up')\n"
        "leave('did not start')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "greenroom: did not start\n"
