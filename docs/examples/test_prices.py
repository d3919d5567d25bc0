# Tests of docs/examples/prices.py, for pytest with pytest-trio (trio_mode = true).
import pytest
import trio
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.testing import StreamEvent, StreamRefused, serve, virtual_clock

from prices import Market, Prices


@pytest.fixture
def clock():
    """Waits take no time: pytest-trio runs the test on this clock."""
    return virtual_clock()


class Everywhere:
    """Leads every path to the one stream; with Django that is a route of http=[...]."""

    def match(self, scope):
        return Match(Prices, name="prices")


application = Application(http_router=Everywhere(), children=[Market])


async def test_who_comes_back_misses_nothing(clock):
    async with serve(application) as server:
        async with server.event_stream("/") as stream:
            assert (await stream.next_event()).event == "snapshot"
            assert (await stream.next_event()).data == '{"btc":101}'
            last = stream.last_event_id
        await trio.sleep(3)
        async with server.event_stream("/", last_event_id=last) as stream:
            found = [(await stream.next_event()).data for _ in range(4)]
        assert found == ['{"btc":102}', '{"btc":103}', '{"btc":104}', '{"btc":105}']


async def test_who_was_away_too_long_begins_anew(clock):
    async with serve(application) as server:
        async with server.event_stream("/", last_event_id="of-yesterday") as stream:
            while (event := await stream.next_event()).event != "snapshot":
                assert event.event == "price"  # what is there still
        assert event == StreamEvent('{"btc":100}', "snapshot", event.id)


async def test_who_is_to_stay_away():
    async with serve(Prices.as_asgi()) as server:
        with pytest.raises(StreamRefused) as refused:
            async with server.event_stream("/?token=expired"):
                pass
        assert refused.value.status == 204
