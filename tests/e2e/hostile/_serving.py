# The server that is attacked, and what its process holds.

from collections.abc import Mapping
from pathlib import Path

from e2e._server import Server

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent.parent
APPLICATIONS = ("consumers", "bare")


def serving(application: str) -> Server:
    """Return a server of the application of that name in `_app`, not yet started."""
    return Server(
        f"_app:{application}",
        *("--keep-alive", "1"),
        cwd=HERE,
        env={"PYTHONPATH": str(TESTS)},
    )


def held(server: Server) -> dict[str, int]:
    """
    How many tasks, descriptors and threads the process has, as it says itself.
    """
    facts = server.facts()
    return {
        "tasks": len(facts["tasks"]),
        **{key: facts[key] for key in ("descriptors", "threads")},
    }


def holds_no_more(server: Server, fresh: Mapping[str, int]) -> bool:
    """
    Whether it has no more of them than in *fresh*; fewer are no leak.
    """
    now = held(server)
    return all(now[name] <= fresh[name] for name in fresh)
