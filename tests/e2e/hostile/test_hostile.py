# Every probe of the corpus, one after the other, on one real server: it answers what is due, ends
# what has to end, says nothing that looks like an error of its own, and lives.

import pytest
from e2e._server import Server
from e2e.hostile._corpus import PROBES
from e2e.hostile._peer import Innocent, throw
from e2e.hostile._probe import TEXT, Probe, close, frame
from e2e.hostile._serving import held, serving

OURS = {name.replace(" ", "-"): probe for name, probe in PROBES.items() if not probe.theirs}
THEIRS = {name.replace(" ", "-"): probe for name, probe in PROBES.items() if probe.theirs}


@pytest.mark.handler
@pytest.mark.parametrize("probe", OURS.values(), ids=OURS)
def test_a_hostile_peer_harms_nobody(server: Server, innocent: Innocent, probe: Probe) -> None:
    """
    It gets what is due and its connection ends; everybody else's goes on.
    """
    mark = server.mark()

    outcome = throw(server.port, probe)

    assert innocent.ask(), server.explain("the innocent one was not answered")
    assert outcome.ended != "late", f"it was not ended. Read: {outcome.received[:300]!r}"
    assert not probe.due or outcome.answers(probe), (
        f"due: {probe.due}, came: {outcome.close_code if probe.shaken else outcome.statuses},"
        f" read: {outcome.received[:300]!r}"
    )
    assert "Traceback" not in server.said(mark), server.said(mark)
    if probe.smuggles:
        assert len(outcome.statuses) == 1
        assert server.count("smuggled") == 0


@pytest.mark.handler
def test_nothing_is_left(server: Server, innocent: Innocent) -> None:
    """
    Behind all that, the process holds the tasks and descriptors of one open WebSocket.
    """
    assert innocent.ask()
    server.until("what the probes held is given back", lambda: held(server) == server.fresh)


@pytest.mark.plain_asgi
def test_hypercorn_outlives_a_hostile_peer(server: Server, innocent: Innocent) -> None:
    """
    What hypercorn makes of the same probes by itself harms nobody else, and the worker lives.
    """
    for name, probe in OURS.items():
        throw(server.port, probe, seconds=1.0 if probe.shaken else 0.05)
        assert innocent.ask(), server.explain(f"behind {name} the innocent one was not answered")


@pytest.mark.parametrize("probe", THEIRS.values(), ids=THEIRS)
def test_hostile_http2_harms_nobody(server: Server, innocent: Innocent, probe: Probe) -> None:
    """
    Whatever hypercorn makes of a peer that speaks HTTP/2 in clear text, the others go on.
    """
    throw(server.port, probe, seconds=1.0)

    assert innocent.ask(), server.explain("the innocent one was not answered")


@pytest.mark.slow
@pytest.mark.xfail(
    strict=False,  # it is a race, which now and then ends well
    reason="hypercorn 0.18, without us too: the application's task stays for ever",
)
def test_http2_connections_end_with_their_peers() -> None:
    """
    A peer that asks in clear-text HTTP/2 and ends its half leaves no task and no descriptor.
    """
    with serving("bare") as server:
        fresh = held(server)
        for _ in range(5):
            throw(server.port, PROBES["HTTP/2 request"], seconds=0.2)

        server.until("what they held is given back", lambda: held(server) == fresh, seconds=3.0)


@pytest.mark.handler
@pytest.mark.parametrize("application", ["bare", "consumers"])
def test_a_close_behind_much_is_answered(application: str) -> None:
    """
    Whoever closes while echoes are still on their way to him is sent a close frame all the same.
    """
    sent = frame(TEXT, b"x" * 60_000) * 4 + close(1000)
    probe = Probe(name="close behind much", sent=(sent,), ends=True, then="wait", shaken=True)

    with serving(application) as server:
        codes = [throw(server.port, probe).close_code for _ in range(20)]

    assert codes == [1000] * 20
