# Exceptions, StopConsumer, handlers that wait, paths and origins that are refused, SIGTERM.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different
from parity._servers import server_case
from parity.served_cases.s1_closes import after_word


@server_case(
    "C6",
    "an exception in connect(), before accept()",
    different=Different(
        "`disconnect()` runs, and the groups are left.",
        stock=[500, {"notes": [["connect", None]], "groups": 1}],
        ours=[500, {"notes": [["connect", None], ["disconnect", 1011]], "groups": 0}],
    ),
)
def raise_in_connect(server):
    return [server.refusal("async/raise", "raise_in_connect"), server.after("raise_in_connect")]


@server_case(
    "C6",
    "an exception in connect(), after accept()",
    different=Different(
        "`disconnect()` runs, and the groups are left.",
        stock=[[[1011, ""]], {"notes": [["connect", None]], "groups": 1}],
        ours=[[[1011, ""]], {"notes": [["connect", None], ["disconnect", 1011]], "groups": 0}],
    ),
)
def raise_after_accept(server):
    with server.connect("async/accept-raise", "raise_after_accept") as client:
        seen = server.seen(client)
    return [seen, server.after("raise_after_accept")]


@server_case(
    "C6",
    "StopConsumer in connect(), before accept()",
    different=Different(
        "It is a refusal, not a server's error; `disconnect()` runs, and the groups are left.",
        stock=[500, {"notes": [["connect", None]], "groups": 1}],
        ours=[403, {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def stop_in_connect(server):
    return [server.refusal("async/stop", "stop_in_connect"), server.after("stop_in_connect")]


def _goes_on(server, who, word, path="async/"):
    """Send *word*, then "again": what comes of it, and what is noted after the client's close."""
    with server.connect(path, who) as client:
        client.send(word)
        try:
            client.send("again")
            seen = [client.recv(timeout=20)]
        except Exception as error:
            seen = [type(error).__name__, error.rcvd.code if error.rcvd else None]
    return [seen, server.after(who)]


@server_case(
    "C6",
    "an exception in receive()",
    different=Different(
        "The consumer is restarted with its socket open, and the next message answered.",
        stock=[["ConnectionClosedError", 1011], {"notes": [["connect", None]], "groups": 1}],
        ours=[["again"], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def raise_in_receive(server):
    return _goes_on(server, "raise_in_receive", "raise")


@server_case(
    "C6",
    "five exceptions in receive(), one after the other",
    different=Different(
        "Three restarts in five seconds; then it is closed with 1011, and `disconnect()` runs.",
        stock=[[1011], {"notes": [["connect", None]], "groups": 1}],
        ours=[
            ["0", "1", "2", 1011],
            {"notes": [["connect", None], ["disconnect", 1011]], "groups": 0},
        ],
    ),
)
def raise_too_often(server):
    with server.connect("async/", "raise_too_often") as client:
        seen = []
        try:
            for number in range(5):
                client.send("raise")
                client.send(str(number))
                seen.append(client.recv(timeout=20))
        except Exception as error:
            seen.append(error.rcvd.code if error.rcvd else None)
    return [seen, server.after("raise_too_often")]


@server_case(
    "C6",
    "an exception in receive() of a sync consumer",
    different=Different(
        "The consumer is restarted with its socket open, and the next message answered.",
        stock=[["ConnectionClosedError", 1011], {"notes": [["connect", None]], "groups": 0}],
        ours=[["again"], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def raise_in_receive_sync(server):
    return _goes_on(server, "raise_in_receive_sync", "raise", "sync/")


@server_case(
    "C6",
    "an exception in the handler of a group's message",
    different=Different(
        "The consumer is restarted with its socket open, and the next message answered.",
        stock=[["ConnectionClosedError", 1011], {"notes": [["connect", None]], "groups": 1}],
        ours=[["again"], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def raise_in_group_handler(server):
    return _goes_on(server, "raise_in_group_handler", "tell raises")


@server_case(
    "C18",
    "malformed JSON to a JSON consumer",
    different=Different(
        "The consumer is restarted with its socket open, and the next message answered.",
        stock=[["ConnectionClosedError", 1011], {"notes": [], "groups": 0}],
        ours=[["1"], {"notes": [["disconnect", 1000]], "groups": 0}],
    ),
)
def bad_json(server):
    with server.connect("json/", "bad_json") as client:
        client.send("{oops")
        try:
            client.send("1")
            seen = [client.recv(timeout=20)]
        except Exception as error:
            seen = [type(error).__name__, error.rcvd.code if error.rcvd else None]
    return [seen, server.after("bad_json")]


@server_case(
    "C6",
    "StopConsumer in receive()",
    different=Different(
        "The socket is closed with 1000, `disconnect()` runs, and the groups are left.",
        stock=[[[1011, ""]], {"notes": [["connect", None]], "groups": 1}],
        ours=[[[1000, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def stop_in_receive(server):
    return after_word(server, "stop_in_receive", "stop")


@server_case(
    "C6",
    "StopConsumer in receive() of a sync consumer",
    different=Different(
        "The socket is closed with 1000, `disconnect()` runs, and the groups are left.",
        stock=[[[1011, ""]], {"notes": [["connect", None]], "groups": 0}],
        ours=[[[1000, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def stop_in_receive_sync(server):
    return after_word(server, "stop_in_receive_sync", "stop", "sync/")


@server_case(
    "C6",
    "StopConsumer in the handler of a group's message",
    different=Different(
        "The socket is closed with 1000, `disconnect()` runs, and the groups are left.",
        stock=[[[1011, ""]], {"notes": [["connect", None]], "groups": 1}],
        ours=[[[1000, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def stop_in_group_handler(server):
    return after_word(server, "stop_in_group_handler", "tell stops")


@server_case(
    "C15",
    "close() in the handler of a group's message",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[[[4007, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
        ours=[[[4007, ""]], {"notes": [["connect", None], ["disconnect", 4007]], "groups": 0}],
    ),
)
def close_in_group_handler(server):
    return after_word(server, "close_in_group_handler", "tell closes")


@server_case(
    "C4",
    "a group's message that no method handles",
    different=Different(
        "The consumer is restarted with its socket open, and the next message answered.",
        stock=[["ConnectionClosedError", 1011], {"notes": [["connect", None]], "groups": 1}],
        ours=[["again"], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def unknown_group_message(server):
    return _goes_on(server, "unknown_group_message", "tell nothing")


@server_case(
    "C16",
    "an exception in disconnect()",
    different=Different(
        "`disconnect()` is told the client's own code; hypercorn reports all as 1006.",
        stock={"notes": [["connect", None], ["disconnect", 1006]], "groups": 0},
        ours={"notes": [["connect", None], ["disconnect", 1000]], "groups": 0},
    ),
)
def raise_in_disconnect(server):
    with server.connect("async/raise-disconnect", "raise_in_disconnect") as client:
        client.send("x")
        client.recv(timeout=20)
    return server.after("raise_in_disconnect")


@server_case(
    "C17",
    "websocket_disconnect overridden without super",
    different=Different(
        "Groups are left with the connection's end, whatever was overridden.",
        stock={"notes": [["connect", None], ["raw disconnect", None]], "groups": 1},
        ours={"notes": [["connect", None], ["raw disconnect", None]], "groups": 0},
    ),
)
def no_super(server):
    with server.connect("no-super/", "no_super") as client:
        client.send("x")
        client.recv(timeout=20)
    return server.after("no_super")


@server_case("C5", "the client leaves while a handler waits for ever")
def leaves_during_handler(server):
    with server.connect("async/", "leaves_during_handler") as client:
        client.send("forever")
        client.recv(timeout=20)
    return server.after("leaves_during_handler")


@server_case(
    "C5",
    "the same, with `supervision = {'cancel_on_disconnect': True}` in the class",
    different=Different(
        "The handler is cancelled when the client leaves; then `disconnect()` runs.",
        stock={"notes": [["connect", None]], "groups": 1},
        ours={
            "notes": [["connect", None], ["handler's finally", None], ["disconnect", 1000]],
            "groups": 0,
        },
    ),
)
def leaves_during_handler_cancelled(server):
    with server.connect("cancelled/", "leaves_cancelled") as client:
        client.send("forever")
        client.recv(timeout=20)
    return server.after("leaves_cancelled")


@server_case(
    "R5",
    "a path that no route matches",
    different=Different(
        "The client gets 404, and the log no traceback.",
        stock=500,
        ours=404,
    ),
)
def no_route(server):
    return server.refusal("nowhere/", "no_route")


@server_case(
    "R16",
    "OriginValidator around one route: an origin it refuses, and one it allows",
    different=Different(
        "Greenroom's own check comes first: set ORIGINS, too, or put the validator outermost.",
        stock=[403, [], "accepted"],
        ours=[403, [], 403],
    ),
)
def origins(server):
    return [
        server.refusal("guarded/", "origin_bad", origin="http://evil.com"),
        server.notes("origin_bad"),
        server.refusal("guarded/", "origin_good", origin="http://good.com"),
    ]


@server_case(
    "R16",
    "no validator: a page of ALLOWED_HOSTS, one of another host, and no Origin at all",
    different=Different(
        "Pages of other hosts are refused where nobody has said which may connect: see ORIGINS.",
        stock=["accepted", "accepted", "accepted"],
        ours=["accepted", 403, "accepted"],
    ),
)
def origins_unsaid(server):
    return [
        server.refusal("async/", "origin_own", origin="http://example.com"),
        server.refusal("async/", "origin_other", origin="http://good.com"),
        server.refusal("async/", "origin_none"),
    ]


def _terminated(server, who, word):
    """
    What of a stop arrives: the code 1012 at the client, and at disconnect().

    With Channels, what code it is else, and whether disconnect() runs, is up to asyncio's version.
    """
    with server.connect("async/", who) as client:
        client.send(word)
        client.recv(timeout=20)
        server.terminate()
        seen = server.seen(client, 6)
    return {
        "the client sees 1012": seen == [[1012, ""]],
        "disconnect() is told 1012": ["disconnect", 1012] in server.notes(who),
    }


NEITHER = {"the client sees 1012": False, "disconnect() is told 1012": False}
BOTH = {"the client sees 1012": True, "disconnect() is told 1012": True}


@server_case(
    "C16",
    "SIGTERM to the server: an idle connection",
    own=True,
    different=Different(
        "The client is told to come again (1012), and `disconnect()` runs.",
        stock=NEITHER,
        ours=BOTH,
    ),
)
def sigterm(server):
    return _terminated(server, "sigterm", "x")


@server_case(
    "C16",
    "SIGTERM to the server: a handler that waits for ever",
    own=True,
    different=Different(
        "The handler is cancelled, `disconnect()` runs, the client is told to come again (1012).",
        stock=NEITHER,
        ours=BOTH,
    ),
)
def sigterm_during_handler(server):
    return _terminated(server, "sigterm_during_handler", "forever")


@server_case(
    "C6",
    "SystemExit in receive(): does the server live on?",
    own=True,
    different=Different(
        "It ends this connection alone; the server lives on.",
        stock=[[[1011, ""]], [["connect", None]], False],
        ours=[[[1011, ""]], [["connect", None], ["disconnect", 1011]], True],
    ),
)
def system_exit(server):
    with server.connect("async/", "system_exit") as client:
        client.send("exit")
        seen = server.seen(client)
    return [seen, server.notes("system_exit"), server.answers()]
