# The examples of the how-to pages about users and routers do what the pages say.

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from django.urls import path
from django_sessions import cookie, in_db, served, store

from greenroom.bridges.django import Greenroom
from greenroom.bridges.testing import HandshakeRefused, serve

pytestmark = pytest.mark.usefixtures("rolled_back")

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def example(name: str) -> Any:
    """Import docs/examples/*name*.py."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["BasketConsumer", "BasketOnTrio"])
async def test_a_basket(name: str, key: str) -> None:
    """
    What a socket puts into the session's basket is there for pages.
    """
    consumer = getattr(example("basket_of_a_session"), name)
    async with served(consumer) as server:
        async with server.websocket(f"/{name.lower()}/", headers=cookie(key)) as ws:
            for text, said in (("tea", "1 things"), ("milk", "2 things")):
                ws.send_text(text)
                assert await ws.receive_text() == said
        await ws.application_done.wait()
        assert await in_db(lambda: store(key)["basket"]) == ["tea", "milk"]


async def test_a_feed(user: Any) -> None:
    """
    A token lets in by each of the three ways.
    """
    module = example("feed_by_token")
    token = module.token_for(user)
    assert re.fullmatch(r"[-!#$%&'*+.^_`|~0-9a-zA-Z]+", token)  # what a subprotocol may hold
    routes = [path("feed/", module.feed)]
    async with serve(Greenroom(websocket=routes, close_seconds=0)) as server:
        headers = [("authorization", f"Bearer {token}")]
        async with server.websocket("/feed/", headers=headers) as ws:
            assert await ws.receive_text() == "news for ada"
        offered = ["greenroom.v1", f"token.{token}"]
        async with server.websocket("/feed/", subprotocols=offered) as ws:
            assert ws.subprotocol == "greenroom.v1"
            assert await ws.receive_text() == "news for ada"
        async with server.websocket("/feed/") as ws:
            ws.send_text(token)
            assert await ws.receive_text() == "news for ada"
        async with server.websocket("/feed/") as ws:
            ws.send_text("forged")
            assert (await ws.closed()).code == 4401


async def test_nested_routers() -> None:
    """
    What the routers have captured reaches the consumer; an unknown path is a 404.
    """
    async with serve(example("nested_routers").application) as server:
        async with server.websocket("/ws/shop/room/7/") as ws:
            ws.send_text("hi")
            assert await ws.receive_text() == "{'site': 'shop', 'room': 7}: hi"
        with pytest.raises(HandshakeRefused):
            async with server.websocket("/ws/shop/"):
                pass
