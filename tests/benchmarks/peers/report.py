# From runs to lines: medians, and ratios to the base within the same round.
#
# A ratio is taken inside one round, where both servers had the same spell of the machine; the
# table shows the median of these ratios and the smallest and largest.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .running import Result
from .workloads import BARE, BASE, GREENROOM, SERVERS, WORKLOADS, Workload

Rounds = Sequence[Mapping[str, Result]]
"""The results of one workload, by server, of each round."""

UNITS = {"rate": "/s", "p50_us": "us", "kib": "KiB"}
HEADINGS = ("workload", "server", "median", "of Channels", "min..max", "CPU us", "target", "")
WIDTHS = (15, 22, 13, 12, 14, 8, 10, 6)


@dataclass(frozen=True)
class Spread:
    """The median, the smallest and the largest of some values."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Return the spread of *values*; None without any."""
        return cls(median(values), min(values), max(values)) if values else None


def figures(rounds: Rounds, server: str, name: str) -> list[float]:
    """Return one figure of a server, of each round that has it."""
    return [each[server][name] for each in rounds if name in each.get(server, {})]


def ratios(rounds: Rounds, server: str, base: str, name: str) -> Spread | None:
    """Return how a figure of *server* compares with that of *base*, in the same rounds."""
    return Spread.of(
        [
            each[server][name] / each[base][name]
            for each in rounds
            if each.get(server, {}).get(name) and each.get(base, {}).get(name)
        ]
    )


def verdict(workload: Workload, rounds: Rounds) -> bool | None:
    """Say whether Greenroom reaches the target; None without figures."""
    if workload.times is not None:
        ratio = ratios(rounds, GREENROOM, BASE, workload.figure)
        return ratio and ratio.median >= workload.times
    own = figures(rounds, GREENROOM, workload.figure)
    return median(own) <= (workload.at_most or 0) if own else None


def lines(name: str, rounds: Rounds) -> list[str]:
    """Return the table's lines for one workload."""
    workload = WORKLOADS[name]
    servers = [server for server in SERVERS if any(server in each for each in rounds)]
    table = [_line(name, workload, server, rounds) for server in servers]
    factor = ratios(rounds, BARE, GREENROOM, workload.figure)
    if factor and workload.bare_factor:
        met = factor.median <= workload.bare_factor
        table.append(
            _cells(
                name,
                "bare / consumer",
                "",
                f"{factor.median:.2f}x",
                f"{factor.least:.2f}..{factor.most:.2f}",
                "",
                f"<= {workload.bare_factor}x",
                _met(met),
            )
        )
    return table + _notes(rounds, servers)


def heading() -> str:
    """Return the table's first line."""
    return _cells(*HEADINGS)


def _line(name: str, workload: Workload, server: str, rounds: Rounds) -> str:
    own = figures(rounds, server, workload.figure)
    ratio = ratios(rounds, server, BASE, workload.figure)
    cpu = figures(rounds, server, "cpu_us")
    ours = server == GREENROOM
    return _cells(
        name,
        SERVERS[server].title,
        f"{median(own):,.{1 if workload.less_is_better else 0}f} {UNITS[workload.figure]}",
        f"{ratio.median:.2f}x" if ratio else "",
        f"{ratio.least:.2f}..{ratio.most:.2f}" if ratio else "",
        f"{median(cpu):.1f}" if cpu else "",
        _target(workload) if ours else "",
        _met(verdict(workload, rounds)) if ours else "",
    )


def _target(workload: Workload) -> str:
    if workload.times is not None:
        return f">= {workload.times:g}x"
    return f"<= {workload.at_most:g} {UNITS[workload.figure]}"


def _met(reached: bool | None) -> str:
    return {True: "met", False: "MISSED", None: ""}[reached]


def _notes(rounds: Rounds, servers: Sequence[str]) -> list[str]:
    notes: list[str] = []
    for server in servers:
        title = SERVERS[server].title
        if busy := [each for each in figures(rounds, server, "others_cpu") if each > 0.05]:
            notes.append(f"  {title}: others took up to {max(busy):.0%} of its core")
        if any(each > 0.85 for each in figures(rounds, server, "client_cpu")):
            notes.append(f"  {title}: the client was the limit, the figure is a lower bound")
        if unclean := sum(figures(rounds, server, "unclean")):
            notes.append(f"  {title}: {unclean:.0f} connections ended without a closing handshake")
    return notes


def _cells(*texts: str) -> str:
    first = [text.ljust(width) for text, width in zip(texts[:2], WIDTHS[:2], strict=True)]
    rest = [text.rjust(width) for text, width in zip(texts[2:], WIDTHS[2:], strict=True)]
    return " ".join([*first, *rest]).rstrip()
