# Requests that go wrong over HTTP/3, and some that don't.

import trio
from _base import COUNTS, GATE, answer, http
from greenroom.bridges.asgi import Application

BUILT, DOORS = trio.open_memory_channel[trio.Event](10)


async def read(scope, receive, send):
    """Answer with the length of the body."""
    size = 0
    while (event := await receive())["type"] == "http.request":
        size += len(event["body"])
        if not event["more_body"]:
            break
    await answer(send, size)


async def early(scope, receive, send):
    """Answer without a look at the body."""
    await answer(send, "too much", 413)


async def late(scope, receive, send):
    """Answer once the client has lost its patience."""
    while (await receive())["type"] != "http.disconnect":
        pass
    COUNTS["told"] += 1
    await answer(send, "is anybody there?")


async def stuck(scope, receive, send):
    """Answer, without a look at the body, once somebody opens the gate."""
    await trio.to_thread.run_sync(GATE.wait)
    await answer(send, "at last")


async def later(scope, receive, send):
    """Answer, without a look at the client, once somebody knocks."""
    door = trio.Event()
    BUILT.send_nowait(door)
    await door.wait()
    await answer(send, "is anybody there?")


async def knock(scope, receive, send):
    """Open the door of a /later, which may still be on its way."""
    (await DOORS.receive()).set()
    await answer(send, "knocked")


async def fail(scope, receive, send):
    raise KeyError("before the answer")


async def fail_behind(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise KeyError("within the answer")


async def newline(scope, receive, send):
    headers = [(b"location", b"/\r\nset-cookie: admin=1")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def stream(scope, receive, send):
    """Stream until nobody is there any more."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def watch():
                while (await receive())["type"] != "http.disconnect":
                    pass
                scope.cancel()

            nursery.start_soon(watch)
            while True:
                await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
                await trio.sleep(0.01)
    COUNTS["told"] += 1


served = Application(
    http=http(
        read=read,
        early=early,
        late=late,
        fail=fail,
        fail_behind=fail_behind,
        newline=newline,
        stream=stream,
        stuck=stuck,
        later=later,
        knock=knock,
    )
)
# By themselves: what reads the rest of a body, or looks after the client, is Greenroom's.
BARE = {"/bare/early": early, "/bare/later": later}


async def application(scope, receive, send):
    await BARE.get(scope.get("path"), served)(scope, receive, send)
