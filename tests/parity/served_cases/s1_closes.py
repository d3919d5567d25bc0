# Closes of either side, and refusals: what the client sees, whether disconnect() ran, which groups
# are left behind. Groups are joined by hand in connect() and left in disconnect().
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

import socket

from parity._cases import Different
from parity._servers import server_case


def after_word(server, who, word, path="async/"):
    with server.connect(path, who) as client:
        client.send(word)
        seen = server.seen(client)
    return [seen, server.after(who)]


@server_case(
    "C9",
    "echo, and a client that closes with 1000",
    different=Different(
        "`disconnect()` is told the client's own code; hypercorn reports all as 1006.",
        stock=["hello", {"notes": [["connect", None], ["disconnect", 1006]], "groups": 0}],
        ours=["hello", {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def client_closes(server):
    with server.connect("async/", "client_closes") as client:
        client.send("hello")
        echoed = client.recv(timeout=20)
    return [echoed, server.after("client_closes")]


@server_case(
    "C16",
    "the code that the client closes with is what disconnect() is told",
    different=Different(
        "`disconnect()` is told the client's own code; hypercorn reports all as 1006.",
        stock={"notes": [["connect", None], ["disconnect", 1006]], "groups": 0},
        ours={"notes": [["connect", None], ["disconnect", 4321]], "groups": 0},
    ),
)
def client_code(server):
    with server.connect("async/", "client_code") as client:
        client.close(4321, "because")
    return server.after("client_code")


@server_case("C16", "a client that vanishes")
def client_vanishes(server):
    with server.connect("async/", "client_vanishes") as client:
        client.socket.shutdown(socket.SHUT_RDWR)
    return server.after("client_vanishes")


@server_case(
    "C15",
    "close(4001) in receive()",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[[[4001, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
        ours=[[[4001, ""]], {"notes": [["connect", None], ["disconnect", 4001]], "groups": 0}],
    ),
)
def server_closes(server):
    return after_word(server, "server_closes", "close 4001")


@server_case(
    "C15",
    "close(4001) in receive() of a sync consumer",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[[[4001, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
        ours=[[[4001, ""]], {"notes": [["connect", None], ["disconnect", 4001]], "groups": 0}],
    ),
)
def server_closes_sync(server):
    return after_word(server, "server_closes_sync", "close 4001", "sync/")


@server_case(
    "C15",
    "close(reason=...)",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[
            [[4005, "enough"]],
            {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0},
        ],
        ours=[
            [[4005, "enough"]],
            {"notes": [["connect", None], ["disconnect", 4005]], "groups": 0},
        ],
    ),
)
def server_reason(server):
    return after_word(server, "server_reason", "reason enough")


@server_case(
    "C14",
    "send(close=4006)",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[
            ["bye", [4006, ""]],
            {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0},
        ],
        ours=[
            ["bye", [4006, ""]],
            {"notes": [["connect", None], ["disconnect", 4006]], "groups": 0},
        ],
    ),
)
def send_and_close(server):
    return after_word(server, "send_and_close", "send-close")


@server_case(
    "C15",
    "close(4009) right after accept()",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[[[4009, ""]], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
        ours=[[[4009, ""]], {"notes": [["connect", None], ["disconnect", 4009]], "groups": 0}],
    ),
)
def close_after_accept(server):
    with server.connect("async/accept-close", "close_after_accept") as client:
        seen = server.seen(client)
    return [seen, server.after("close_after_accept")]


@server_case("C15", "a close code that no server may send")
def server_closes_with_bad_code(server):
    return after_word(server, "bad_code", "close 1006")


@server_case(
    "C12",
    "a subprotocol, and headers of the accept",
    different=Different(
        "`disconnect()` is told the client's own code; hypercorn reports all as 1006.",
        stock=[["chat", "1"], {"notes": [["connect", None], ["disconnect", 1006]], "groups": 0}],
        ours=[["chat", "1"], {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
    ),
)
def subprotocol(server):
    with server.connect("async/subprotocol", "subprotocol", subprotocols=["chat"]) as client:
        answer = client.response.headers
        seen = [answer["Sec-WebSocket-Protocol"], answer.get("x-a")]
    return [seen, server.after("subprotocol")]


@server_case(
    "C11",
    "close() in connect(): the handshake is refused, disconnect() runs",
    different=Different(
        "`disconnect()` is told the code that was closed with.",
        stock=[403, {"notes": [["connect", None], ["disconnect", 1000]], "groups": 0}],
        ours=[403, {"notes": [["connect", None], ["disconnect", 4003]], "groups": 0}],
    ),
)
def deny(server):
    return [server.refusal("async/deny", "deny"), server.after("deny")]


@server_case("C11", "DenyConnection in connect()")
def deny_exception(server):
    who = "deny_exception"
    return [server.refusal("async/deny-exception", who), server.after(who)]


@server_case(
    "C13",
    "a message of two mebibytes",
    different=Different(
        "More than 1 MiB is refused with 1009, unless MESSAGE_BYTES says more.",
        stock=[2097152, {"notes": [["connect", None], ["disconnect", 1006]], "groups": 0}],
        ours=[1009, {"notes": [["connect", None], ["disconnect", 1009]], "groups": 0}],
    ),
)
def large_message(server):
    with server.connect("async/", "large_message", max_size=None) as client:
        try:
            client.send("x" * 2**21)
            seen = len(client.recv(timeout=20))
        except Exception as error:
            seen = error.rcvd.code if error.rcvd else None
    return [seen, server.after("large_message")]
