"""Greenroom beside its peers, over real sockets: ratios to Channels on uvicorn in the same run.

    python tests/benchmarks/peers.py [-w echo100,fan1000] [-r 5] [-d 5] [--json FILE]

Makes its own environment in .venv-bench (pinned in peers/requirements.txt), links this checkout
into it, compiles the load client with cc, and prints a table; Linux only. Each round starts
every server afresh, in turn, so that a slow spell of the machine falls on all of them.
The server is pinned to one core and the client to another, both with a real-time priority where
that is allowed: on two cores nothing else gets on while it runs, so do not run tests beside it
(or say --priority 0). Every payload is compared; one wrong answer voids a run.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers.environment import ROOT, Environment, prepare
from peers.report import Rounds, heading, lines, ratios, verdict
from peers.running import Failed, Result, Settings, may_be_real_time, run
from peers.workloads import BARE, BASE, GREENROOM, SERVERS, WORKLOADS

FILES = 12_000  # connections of the largest workload, on either side, and some


def main() -> int:
    """Measure and print; return 1 if a run failed."""
    arguments = parse()
    if arguments.priority and not may_be_real_time(arguments.priority):
        print("peers: no real-time priority for this user; figures will be noisier.")
        arguments.priority = 0
    allow_files()
    made = prepare(arguments.folder, arguments.python)
    settings = Settings(
        arguments.cores, arguments.priority, arguments.seconds, min(1.0, arguments.seconds)
    )
    complaints = 0
    found: dict[str, Rounds] = {}
    print(heading())
    for name in arguments.workloads:
        found[name], failed = measure(made, name, arguments.servers, arguments.rounds, settings)
        complaints += failed
        print("\n".join(lines(name, found[name])), flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(document(found, arguments), indent=1) + "\n")
    return 1 if complaints else 0


def measure(
    made: Environment, name: str, servers: list[str], rounds: int, settings: Settings
) -> tuple[Rounds, int]:
    """Run one workload on the servers in turn, *rounds* times; return results and failures."""
    workload = WORKLOADS[name]
    taking_part = [
        server
        for server in servers
        if SERVERS[server].command(http=workload.http) and (server != BARE or workload.bare_factor)
    ]
    results: list[dict[str, Result]] = []
    failed = 0
    for at in range(rounds):
        results.append({})
        for server in taking_part:
            try:
                results[-1][server] = run(made, SERVERS[server], workload, settings)
            except Failed as failure:
                failed += 1
                print(f"  {name}, round {at + 1}, {server}: {failure}", flush=True)
    return results, failed


def document(found: dict[str, Rounds], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what --json writes: the ratios to the base, and each figure of each run."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": arguments.python,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "priority": arguments.priority,
        "workloads": {
            name: {
                "met": verdict(WORKLOADS[name], rounds),
                "of_channels": {
                    server: asdict(spread)
                    for server in SERVERS
                    if (spread := ratios(rounds, server, BASE, WORKLOADS[name].figure))
                },
                "runs": list(rounds),
            }
            for name, rounds in found.items()
        },
    }


def allow_files() -> None:
    """Raise the number of open files for all that is started from here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        sys.exit(f"peers: needs {FILES} open files, the hard limit is {hard} (`ulimit -Hn`).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))


def parse() -> argparse.Namespace:
    """Read the command line; names that do not exist are refused."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add("-w", "--workloads", type=one_of(WORKLOADS), default=list(WORKLOADS), metavar="NAMES")
    add("-s", "--servers", type=one_of(SERVERS), default=[BASE, GREENROOM, BARE], metavar="NAMES")
    add("-r", "--rounds", type=int, default=5)
    add("-d", "--seconds", type=float, default=5.0, help="measured in each run (default: 5)")
    add("--json", type=Path, metavar="FILE", help="write every figure of every run there")
    add("--folder", type=Path, default=ROOT / ".venv-bench", help="of the environment")
    add("--python", default=sys.executable, help="interpreter of all Python servers")
    add("--cores", type=two_cores, default=(0, 1), help="server's and client's (default: 0,1)")
    add("--priority", type=int, default=10, help="real-time priority of both, or 0")
    parser.epilog = f"workloads: {', '.join(WORKLOADS)}; servers: {', '.join(SERVERS)}"
    return parser.parse_args()


def one_of(known: Any) -> Any:
    """Return a type for argparse: names out of *known*, with commas between."""

    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in known]:
            there = ", ".join(known)
            raise argparse.ArgumentTypeError(f"no {unknown[0]!r}; there are: {there}")
        return chosen

    return names


def two_cores(text: str) -> tuple[int, int]:
    """Read ``0,1``."""
    server, client = text.split(",")
    return int(server), int(client)


if __name__ == "__main__":
    sys.exit(main())
