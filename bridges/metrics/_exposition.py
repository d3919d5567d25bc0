# The text that Prometheus reads, from what each process has answered to the question `metrics`.
#
# Each series bears the pid of its process, counters too. Adding them up here would be wrong: a
# process that ends takes its share of the sum away, and one that is silent for a moment does, too;
# a counter that falls is one that began anew, says Prometheus, and counts what is left once more.
# So the sum is made there, behind the rate: `sum without (pid) (rate(...))`. A pid costs one series
# of each kind until the process ends, as it does in prometheus-client's own multiprocess mode.
#
# Invariants, each with a test of that name in tests/bridges/metrics/test_exposition.py:
#   READABLE   what comes out is what prometheus-client's own parser reads, whatever is in labels.
#   EACH       a process's figures are its own; a silent one is up 0, and has no others.
#   TOGETHER   a family stands once, with the samples of all processes, also of other versions.

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

PREFIX = "greenroom_"
PID = "pid"


@dataclass(frozen=True, slots=True)
class ProcessMetrics:
    """What one process has answered."""

    pid: str
    """Its number; with `:2` behind it for a second tree in it."""
    families: Sequence[Mapping[str, Any]] | None
    """The answer's `metrics`; None if the process was silent, or had an error to tell."""


def exposition(
    processes: Sequence[ProcessMetrics], seconds: float, accept: str = ""
) -> tuple[str, bytes]:
    """
    Return the content type and the body of an answer to a scrape.

    Args:
        processes: All that were asked.
        seconds: How long asking them took.
        accept: The header ``Accept`` of who asks: OpenMetrics for who reads it, else the text
            format 0.0.4.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(processes, seconds))
    encode, content_type = cast(
        "tuple[Callable[[CollectorRegistry], bytes], str]", choose_encoder(accept)
    )
    return content_type, encode(registry)


class _Collected(Collector):
    def __init__(self, processes: Sequence[ProcessMetrics], seconds: float) -> None:
        self._processes = processes
        self._seconds = seconds

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is is known only when it is asked for."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each family once."""
        up = GaugeMetricFamily(
            f"{PREFIX}process_up", "Whether the process answered this scrape.", labels=[PID]
        )
        for process in self._processes:
            up.add_metric([process.pid], 0 if process.families is None else 1)
        yield up
        yield GaugeMetricFamily(
            f"{PREFIX}scrape_seconds", "How long the processes took to answer.", self._seconds
        )
        for name, told in _by_name(self._processes).items():
            yield _family(name, told)


_Told = list[tuple[str, Mapping[str, Any]]]


def _by_name(processes: Sequence[ProcessMetrics]) -> dict[str, _Told]:
    found: dict[str, _Told] = {}
    for process in processes:
        for family in process.families or ():
            found.setdefault(str(family["name"]), []).append((process.pid, family))
    return found


def _family(name: str, told: _Told) -> Metric:
    first = told[0][1]
    labels = list(
        dict.fromkeys(
            label
            for _, family in told
            for sample in family["samples"]
            for label in sample.get("labels", {})
        )
    )
    kind = str(first["kind"])
    named = name if name.startswith(PREFIX) else f"{PREFIX}{name}"
    made: Any = _KINDS[kind](named, str(first["help"]), labels=[*labels, PID])
    for pid, family in told:
        if family["kind"] != kind:
            continue  # a process of another version: not the same figure
        for sample in family["samples"]:
            given = sample.get("labels", {})
            values = [*(str(given.get(label, "")) for label in labels), pid]
            if kind == "histogram":
                buckets = [(_bound(bound), count) for bound, count in sample["buckets"]]
                made.add_metric(values, buckets, sample["sum"])
            elif sample["value"] is not None:
                made.add_metric(values, sample["value"])
    return made


def _bound(bound: object) -> str:
    return "+Inf" if bound is None else str(bound)


_KINDS = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}
