# The server that is attacked, and what its process holds.

from pathlib import Path
from typing import Any

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


def held(server: Server) -> dict[str, Any]:
    """
    How many tasks, descriptors and threads the process has, as it says itself.
    """
    facts = server.facts()
    return {**{key: facts[key] for key in ("descriptors", "threads")}, "tasks": len(facts["tasks"])}
