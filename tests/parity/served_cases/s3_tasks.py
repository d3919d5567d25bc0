# What goes on beside a consumer's handlers.
#
# pyright: basic, reportArgumentType=none, reportCallIssue=none, reportAttributeAccessIssue=none

from parity._cases import Different
from parity._servers import server_case


@server_case(
    "C6",
    "a task of asyncio that connect() has started, when its client has left",
    different=Different(
        "It ends with its consumer. A context of its own lets it live on: see the guide.",
        stock={"notes": [["connect", None], ["disconnect", 1006]], "groups": 0},
        ours={
            "notes": [["connect", None], ["disconnect", 1000], ["task ended", None]],
            "groups": 0,
        },
    ),
)
def task_left_running(server):
    with server.connect("tasks/", "task_left_running") as client:
        client.send("hi")
        client.recv(timeout=20)
    return server.after("task_left_running")


@server_case("C6", "the same, in a context of its own")
def task_of_nobody(server):
    with server.connect("tasks/own", "task_of_nobody") as client:
        client.send("hi")
        client.recv(timeout=20)
    return [word for word, _ in server.notes("task_of_nobody")]
