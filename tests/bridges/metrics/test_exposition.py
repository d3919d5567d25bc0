# The text for Prometheus, read by prometheus-client's own parsers.

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from greenroom.bridges.metrics import ProcessMetrics, exposition

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def family(name: str, kind: str, *samples: Any, help: str = "Something.") -> dict[str, Any]:
    return {"name": name, "kind": kind, "help": help, "samples": list(samples)}


def sample(value: Any, **labels: str) -> dict[str, Any]:
    return {"labels": labels, "value": value}


def figures(
    processes: list[ProcessMetrics],
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Each sample by its name and labels, as Prometheus would read them."""
    _, body = exposition(processes, 0.25)
    return flat(parse(body.decode()))


def flat(families: Iterable[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for each in families:
        for one in each.samples:
            key = one.name, tuple(sorted(one.labels.items()))
            assert key not in found, f"{key} stands there twice"
            found[key] = one.value
    return found


def test_each() -> None:
    """
    EACH: a process's figures bear its pid; a silent one is up 0, and has no others.
    """
    told = [
        ProcessMetrics("7", [family("restarts_total", "counter", sample(3))]),
        ProcessMetrics("8", None),
        ProcessMetrics("9", [family("restarts_total", "counter", sample(4))]),
    ]

    assert figures(told) == {
        ("greenroom_process_up", (("pid", "7"),)): 1,
        ("greenroom_process_up", (("pid", "8"),)): 0,
        ("greenroom_process_up", (("pid", "9"),)): 1,
        ("greenroom_scrape_seconds", ()): 0.25,
        ("greenroom_restarts_total", (("pid", "7"),)): 3,
        ("greenroom_restarts_total", (("pid", "9"),)): 4,
    }


def test_without_processes() -> None:
    """
    Where no process runs there is a text all the same, with how long it took to know.
    """
    assert figures([]) == {("greenroom_scrape_seconds", ()): 0.25}


@pytest.mark.parametrize("name", ["actors", "greenroom_actors"])
def test_a_name_begins_with_greenroom_once(name: str) -> None:
    """
    Each family begins with greenroom_, whether the process said it or not.
    """
    found = figures([ProcessMetrics("7", [family(name, "gauge", sample(1))])])

    assert found["greenroom_actors", (("pid", "7"),)] == 1


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "ä€\U0001f600", "{}", "", " "])
def test_readable(text: str) -> None:
    """
    READABLE: whatever is in a label or in the help comes out of both parsers as it was.
    """
    told = [
        ProcessMetrics("7", [family("drops_total", "counter", sample(2, reason=text), help=text)])
    ]
    key = "greenroom_drops_total", (("pid", "7"), ("reason", text))

    assert figures(told)[key] == 2
    content_type, body = exposition(told, 0.25, OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    assert flat(parse_openmetrics(body.decode()))[key] == 2


def test_together() -> None:
    """
    TOGETHER: processes of two versions, with other labels and other types, share a family.
    """
    told = [
        ProcessMetrics("7", [family("dead_letters_total", "counter", sample(1))]),
        ProcessMetrics("8", [family("dead_letters_total", "counter", sample(2, reason="ended"))]),
        ProcessMetrics("9", [family("dead_letters_total", "gauge", sample(5))]),
    ]
    _, body = exposition(told, 0.25)

    assert body.decode().count("# TYPE greenroom_dead_letters_total counter") == 1
    found = figures(told)
    name = "greenroom_dead_letters_total"
    assert found[name, (("pid", "7"), ("reason", ""))] == 1
    assert found[name, (("pid", "8"), ("reason", "ended"))] == 2
    assert not [key for key in found if ("pid", "9") in key[1] and key[0] == name]


def test_histograms() -> None:
    """
    A histogram has its buckets, its count and its sum for each process.
    """
    told = {"labels": {}, "buckets": [[0.1, 2], [1.0, 3], [None, 4]], "sum": 2.5}
    found = figures([ProcessMetrics("7", [family("stop_seconds", "histogram", told)])])

    pid = ("pid", "7")
    assert found["greenroom_stop_seconds_bucket", (("le", "0.1"), pid)] == 2
    assert found["greenroom_stop_seconds_bucket", (("le", "+Inf"), pid)] == 4
    assert found["greenroom_stop_seconds_count", (pid,)] == 4
    assert found["greenroom_stop_seconds_sum", (pid,)] == 2.5


def test_what_is_not_known_is_left_out() -> None:
    """
    A sample without a value is no sample; a process's family without samples costs nothing.
    """
    told = [ProcessMetrics("7", [family("lag", "gauge", sample(None)), family("x", "gauge")])]

    assert set(figures(told)) == {
        ("greenroom_process_up", (("pid", "7"),)),
        ("greenroom_scrape_seconds", ()),
    }
