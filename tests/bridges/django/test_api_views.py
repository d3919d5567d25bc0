# The JSON API, asked as a script does it, with a tree that runs in this process.

from collections.abc import Iterator
from typing import Any

import api_project
import pytest
from console_project import client_of
from django.test import Client, override_settings
from prometheus_client.parser import text_string_to_metric_families

from greenroom.bridges.django.console import _api_views
from greenroom.bridges.django.console._api_table import ENDPOINTS
from greenroom.bridges.inspection import Answer, Gathered, ProcessId
from greenroom.bridges.inspection._inspector import QUESTIONS

API = "/greenroom/api/v1/"
TARGET = "/residents/secretive"


@pytest.fixture
def project(rolled_back: None) -> Iterator[None]:
    with api_project.api_settings():
        yield


@pytest.fixture
def server(project: None) -> Iterator[Any]:
    with api_project.secrets_served() as server:
        yield server


@pytest.fixture
def reader() -> Client:
    return Client(headers={"authorization": f"Bearer {api_project.READER}"})


@pytest.fixture
def operator() -> Client:
    return Client(headers={"authorization": f"Bearer {api_project.OPERATOR}"})


def answer_in(response: Any) -> dict[str, Any]:
    """The answer of the only process."""
    assert response.status_code == 200, response.content
    (only,) = response.json()["answers"]
    return only["answer"]


def error_in(response: Any) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["text"]


@pytest.mark.parametrize("path", ["v1/nothing", "v2/tree", "v1/tree/", "v1//"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_what_there_is_not(project: None, reader: Client, path: str, method: str) -> None:
    """
    What there is not is said in JSON, as all else, and only to who may ask.
    """
    status, code, text = error_in(getattr(reader, method)(f"/greenroom/api/{path}"))
    assert (status, code) == (404, "not-found")
    assert "api/v1/" in text
    assert getattr(Client(), method)(f"/greenroom/api/{path}").status_code == 401


def test_the_index_without_its_slash(project: None, reader: Client) -> None:
    """
    The first page is found without the slash at its end.
    """
    found = reader.get(API.removesuffix("/"))
    assert (found.status_code, found["Location"]) == (301, API)


def test_the_index_lists_what_can_be_asked(project: None, reader: Client) -> None:
    """
    The index names each endpoint with its URL, its parameters, and whether one may; all are there.
    """
    index = reader.get(API).json()

    assert (index["version"], index["you"]) == (1, "token reader")
    listed = {each["name"]: each for each in index["endpoints"]}
    assert set(listed) == {*ENDPOINTS, "audit", "actions"}
    assert listed["audit"]["allowed"] is False
    assert listed["tree"]["query"]["limit"]["type"] == "whole"
    for each in listed.values():
        status = reader.get(each["url"]).status_code
        assert status == (503 if each["allowed"] else 403) or each["name"] in ("actors", "actions")


def test_each_endpoint_is_a_question(server: Any, operator: Client) -> None:
    """
    Each endpoint asks what a process can answer, and each of its parameters is known there.
    """
    samples = {"text": "x", "whole": "1", "flag": "false", "seconds": "1", "flag or seconds": "60"}
    process = answer_process(operator)
    for name, endpoint in ENDPOINTS.items():
        assert endpoint.ask in QUESTIONS
        for parameter in endpoint.known:
            value = parameter.choices[0] if parameter.choices else samples[parameter.kind]
            query = {"process": process, parameter.name: value}
            if parameter.name in ("after", "group", "topic"):
                continue  # what is no cursor is refused, what is no group or topic not found
            if name == "actors" or parameter.name == "path":
                query["path"] = TARGET
            if parameter.name == "process":
                query["process"] = process
            response = operator.get(API + name, query)
            assert response.status_code == 200, f"{name} {query}: {response.content}"


def answer_process(client: Client) -> str:
    return client.get(f"{API}processes").json()["answers"][0]["process"]["id"]


def test_who_is_present(server: Any, reader: Client) -> None:
    """
    Topics are listed, and who is present in one, without what they say of themselves.
    """
    topics = reader.get(f"{API}presence")
    assert answer_in(topics)["rows"] == [
        {"topic": "secretive-room", "keys": 1, "here": 1, "watchers": 0}
    ]
    found = reader.get(f"{API}presence", {"topic": "secretive-room", "search": "SECRET"})
    [row] = answer_in(found)["rows"]
    assert (row["key"], row["path"], row["actor"]) == ("secretive", TARGET, "Secretive")
    assert api_project.STATE not in found.content.decode()
    status, code, _ = error_in(reader.get(f"{API}presence", {"topic": "nobody's"}))
    assert (status, code) == (404, "not-found")


def test_a_place_and_what_is_below(server: Any, reader: Client) -> None:
    """
    The tree has a place with its rows, a page at a time, each process with its own cursor.
    """
    first = answer_in(reader.get(f"{API}tree", {"path": "/residents", "limit": "1"}))
    assert [row["name"] for row in first["rows"]] == ["secretive"]
    query = {"path": "/residents", "after": first["next"], "process": answer_process(reader)}
    second = answer_in(reader.get(f"{API}tree", query))

    assert [row["name"] for row in second["rows"]] == ["busy"]
    assert second["next"] is None


def test_a_cursor_belongs_to_a_process(server: Any, reader: Client) -> None:
    """
    A cursor without the process whose it is gets 400.
    """
    status, code, text = error_in(reader.get(f"{API}tree", {"after": "WzEsMV0"}))

    assert (status, code) == (400, "bad-question")
    assert "process=ID" in text


@pytest.mark.parametrize(
    "url", [f"{API}actors{TARGET}", f"{API}actors?path={TARGET}", f"{API}actors/{TARGET}"]
)
def test_an_actor_by_its_path(server: Any, reader: Client, url: str) -> None:
    """
    The path stands in the URL as the tree gives it, or in path=.
    """
    response = reader.get(url)
    if url.endswith(f"/{TARGET}"):
        assert error_in(response)[:2] == (404, "not-found")  # it is not the same path
    else:
        assert answer_in(response)["row"]["path"] == TARGET


def test_what_needs_a_permission(server: Any, reader: Client, operator: Client) -> None:
    """
    A traceback, the state and the stack are given to whom may see them, when they are asked for.
    """
    url = f"{API}actors{TARGET}"
    for name in ("traceback", "state", "stack"):
        status, code, text = error_in(reader.get(url, {name: "true"}))
        assert (status, code) == (403, "forbidden")
        assert text.startswith(f"{name}=true needs the permission greenroom.view_")
        assert answer_in(reader.get(url, {name: "false"}))
    found = operator.get(url, {"traceback": "true", "state": "true"}).content.decode()
    assert api_project.SOURCE in found
    assert api_project.SHOWN in found
    assert api_project.SOURCE not in operator.get(url).content.decode()


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("tree?path=/nowhere", 404, "not-found"),
        ("tree?limit=0", 400, "bad-question"),
        ("tree?limit=501", 400, "bad-question"),
        ("tree?limit=x", 400, "bad-question"),
        ("tree?depth=3", 400, "bad-question"),
        ("tree?path=/&path=/residents", 400, "bad-question"),
        ("tree?seconds=0", 400, "bad-question"),
        ("tree?seconds=11", 400, "bad-question"),
        ("tree?process=nobody:1:1", 404, "not-found"),
        ("actors", 400, "bad-question"),
        ("actors/nowhere", 404, "not-found"),
        (f"actors{TARGET}?path={TARGET}", 400, "bad-question"),
        ("actions/explode", 405, "not-allowed"),
        ("metrics?pid=1", 400, "bad-question"),
    ],
)
def test_what_is_wrong(server: Any, reader: Client, url: str, status: int, code: str) -> None:
    """
    What can't be answered gets the status of its reason, a code and a sentence.
    """
    got = error_in(reader.get(API + url))

    assert got[:2] == (status, code)
    assert got[2]


def test_who_is_silent_is_named(project: None, reader: Client, monkeypatch: Any) -> None:
    """
    A process that does not answer is named beside those that do; alone it is a timeout.
    """
    well = Answer(ProcessId("here", 1, 1), {"rows": []})
    stuck = Answer(ProcessId("here", 2, 1), None, "no answer within 1 s")
    said = [well, stuck]
    monkeypatch.setattr(_api_views._ask, "ask", lambda *_, **__: Gathered(said, len(said), 1.0))
    both = reader.get(f"{API}tree")
    assert both.status_code == 200
    assert both.json()["complete"] is False
    said = [stuck]
    alone = reader.get(f"{API}tree")
    assert error_in(alone) == (504, "timeout", "No process has answered: no answer within 1 s.")


def test_no_process_runs(project: None, reader: Client) -> None:
    """
    Where no worker runs the answer is 503 and says so; the metrics are there, and say none is up.
    """
    assert error_in(reader.get(f"{API}tree"))[:2] == (503, "no-process")
    response = reader.get("/greenroom/metrics")
    assert response.status_code == 200
    assert b"greenroom_process_up{" not in response.content


def test_without_inspection(project: None, reader: Client) -> None:
    """
    Where INSPECTION is off the answer names the setting.
    """
    settings = {"INSPECTION": False, "INSPECTION_TOKENS": api_project.TOKENS}
    with override_settings(GREENROOM=settings):
        status, code, text = error_in(reader.get(f"{API}tree"))

    assert (status, code) == (503, "no-process")
    assert 'GREENROOM["INSPECTION"] is False' in text


def test_prometheus_reads_the_metrics(server: Any, reader: Client) -> None:
    """
    What /metrics gives is what Prometheus reads, with the figures of each process.
    """
    response = reader.get("/greenroom/metrics")
    families = {
        each.name: each for each in text_string_to_metric_families(response.content.decode())
    }

    assert response["Content-Type"].startswith("text/plain; version=")
    (up,) = families["greenroom_process_up"].samples
    assert up.value == 1
    assert len(families) > 10
    for family in families.values():
        assert family.documentation
        for sample in family.samples:
            assert {"user", "path", "address"}.isdisjoint(sample.labels)
    assert client_of("ada", "view_tree").get("/greenroom/metrics").status_code == 200


def test_metrics_without_the_extra(
    project: None, reader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Without prometheus-client the answer says what to install.
    """
    import sys

    monkeypatch.setitem(sys.modules, "greenroom.bridges.metrics", None)

    status, code, text = error_in(reader.get("/greenroom/metrics"))
    assert (status, code) == (501, "not-installed")
    assert "pip install 'greenroom[metrics]'" in text
