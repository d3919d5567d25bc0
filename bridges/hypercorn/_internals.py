# What Greenroom needs of hypercorn's inside, and whether it is there.
#
# This is the one list of it. It is compared with the hypercorn that is installed before anything
# is imported that derives from its classes: where something is missing, or the version is one
# that nobody has looked at, hypercorn is left as it is, and a warning and a system check say so.
#
# Each line of NEEDED is written as it is in a stub file. A name alone has to be there, as an
# attribute of the class or as one that its methods use. With parentheses it must be callable with
# exactly these parameters: what is overridden is called with them, and one more may be one that
# hypercorn counts on. What is awaited has to be `async`.
#
# Invariants, each with a test of that name in tests/bridges/hypercorn/test_internals.py:
#   NAMED      what is missing is named, whichever line of NEEDED it is.
#   NO RAISE   whatever is installed, looking at it raises nothing.

import inspect
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

KNOWN = ("0.18.",)
"""Versions of hypercorn, by their beginnings, whose connections may be replaced."""

Needs = Mapping[str, Sequence[str]]

NEEDED: Needs = {
    "hypercorn.app_wrappers": (
        "ASGIWrapper(app)",
        "ASGIWrapper.app",
        "async ASGIWrapper.__call__(self, scope, receive, send, sync_spawn, call_soon)",
    ),
    "hypercorn.config": (
        "Config.accesslog",
        "Config.include_date_header",
        "Config.include_server_header",
        "Config.keep_alive_max_requests",
        "Config.keep_alive_timeout",
        "Config.log",
        "Config.root_path",
        "Config.server_names",
        "Config.statsd_host",
    ),
    "hypercorn.events": ("Closed()", "Event", "RawData(data, address)"),
    "hypercorn.logging": (
        "async Logger.access(self, request, response, request_time)",
        "async Logger.error(self, message, *args, **kwargs)",
    ),
    "hypercorn.protocol": ("async ProtocolWrapper.handle(self, event)",),
    "hypercorn.protocol.h11": ("H11Protocol.send",),
    "hypercorn.protocol.http_stream": ("HTTPStream.send",),
    "hypercorn.protocol.ws_stream": ("WSStream.closed", "WSStream.send"),
    "hypercorn.trio.run": ("TCPServer", "UDPServer", "WorkerContext", "worker_serve"),
    "hypercorn.trio.task_group": (
        "TaskGroup()",
        "async TaskGroup.spawn_app(self, app, config, scope, send)",
        "TaskGroup.spawn(self, func, *args)",
    ),
    "hypercorn.trio.tcp_server": (
        "TCPServer(app, config, context, state, stream)",
        "TCPServer.__await__(self)",
        "TCPServer.idle_task",
        "TCPServer.protocol",
        "TCPServer.send_lock",
        "async TCPServer.run(self)",
        "async TCPServer.protocol_send(self, event)",
        "async TCPServer._read_data(self)",
        "async TCPServer._close(self)",
    ),
    "hypercorn.trio.udp_server": (
        "UDPServer(app, config, context, state, socket)",
        "async UDPServer.run(self, task_status)",
        "async UDPServer.protocol_send(self, event)",
    ),
    "hypercorn.trio.worker_context": (
        "EventWrapper()",
        "EventWrapper._event",
        "EventWrapper.is_set(self)",
        "async EventWrapper.set(self)",
        "async EventWrapper.wait(self)",
        "WorkerContext(max_requests)",
        "WorkerContext.terminate",
        "WorkerContext.terminated",
        "async WorkerContext.mark_request(self)",
    ),
    "hypercorn.utils": ("parse_socket_addr(family, address)",),
}
"""What is needed of each module."""

NEEDED_FOR_QUIC: Needs = {
    "hypercorn.protocol.events": (
        "InformationalResponse(stream_id, headers, status_code)",
        "Response(stream_id, headers, status_code)",
        "StreamClosed(stream_id)",
        "Trailers(stream_id, headers)",
    ),
    "hypercorn.protocol.h3": (
        "H3Protocol(app, config, context, task_group, state, client, server, quic, send)",
        "H3Protocol.streams",
        "H3Protocol.task_group",
        "async H3Protocol.handle(self, quic_event)",
        "async H3Protocol.stream_send(self, event)",
        "async H3Protocol._create_stream(self, request)",
    ),
    "hypercorn.protocol.quic": (
        "Buffer",
        "H3Protocol",
        "PACKET_TYPE_INITIAL",
        "pull_quic_header(buf, host_cid_length)",
        "QuicProtocol(app, config, context, task_group, state, server, send)",
        "QuicProtocol.connections",
        "QuicProtocol.idle",
        "QuicProtocol.task_group",
        "async QuicProtocol.handle(self, event)",
        "async QuicProtocol.send_all(self, connection)",
        "async QuicProtocol._handle_events(self, connection, client)",
        "_Connection.h3",
        "_Connection.quic",
    ),
}
"""The same for QUIC; these modules can be imported only with aioquic, and are when it is served."""


def problem(installed: str | None = None, needs: Needs = NEEDED) -> str:
    """
    Say why hypercorn's connections can't be replaced; empty if they can be.

    Args:
        installed: hypercorn's version; that of what is installed if it is left out.
        needs: What of it is needed.
    """
    try:
        installed = installed or version("hypercorn")
    except PackageNotFoundError:
        installed = "of no version"
    return unknown(installed) or missing(installed, needs)


def unknown(installed: str) -> str:
    """Say what it means that hypercorn *installed* is none that is known; empty if it is."""
    if installed.startswith(KNOWN):
        return ""
    known = ", ".join(f"{each}*" for each in KNOWN)
    return f"hypercorn {installed} is unknown to this Greenroom (it knows {known}): {_MEANING}"


def missing(installed: str, needs: Needs = NEEDED) -> str:
    """Say what hypercorn *installed* lacks of *needs*, and what that means; empty if nothing."""
    lacks = list(_missing(needs))
    if not lacks:
        return ""
    more = f" and {len(lacks) - _NAMED} more" if len(lacks) > _NAMED else ""
    named = ", ".join(lacks[:_NAMED])
    return f"hypercorn {installed} lacks what Greenroom needs of it ({named}{more}): {_MEANING}"


def find(module: str, name: str) -> Any:
    """Return the class *name* of *module*; where there is none, one without instances."""
    found = _attribute(_module(module), name)
    return found if isinstance(found, type) else _NoSuch


class _NoSuch(Exception):
    """Stands for what hypercorn does not have."""


_ABSENT = _NoSuch()
_NAMED = 5  # a sentence, not a list
_MEANING = "its connections are left as they are, and an error in one may end the server"


def _missing(needs: Needs) -> Iterator[str]:
    for name, lines in needs.items():
        module = _module(name)
        if module is _ABSENT:
            yield name
            continue
        for line in lines:
            if not _is_there(module, line):
                yield f"{name}: {line}"


def _is_there(module: object, line: str) -> bool:
    awaited = line.startswith("async ")
    name, called, rest = line.removeprefix("async ").partition("(")
    owner_name, dot, last = name.rpartition(".")
    owner = _attribute(module, owner_name) if dot else module
    found = _attribute(owner, last)
    if not called:
        return found is not _ABSENT or (isinstance(owner, type) and last in _used_in(owner))
    return _parameters(found) == rest and (not awaited or inspect.iscoroutinefunction(found))


def _module(name: str) -> object:
    try:
        return import_module(name)
    except Exception:  # noqa: BLE001 - whatever it is, it can't be used
        return _ABSENT


def _attribute(owner: object, name: str) -> object:
    try:
        return getattr(owner, name, _ABSENT)
    except Exception:  # noqa: BLE001 - whatever it is, it can't be used
        return _ABSENT


def _parameters(function: object) -> str:
    """Return them as they are written, without annotations and defaults, and `)`."""
    if not callable(function):
        return ""
    try:
        parameters = inspect.signature(function).parameters.values()
    except Exception:  # noqa: BLE001 - it has none that can be seen
        return ""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return ", ".join(stars.get(each.kind, "") + each.name for each in parameters) + ")"


def _used_in(owner: type) -> set[str]:
    """Return the names that the methods of *owner* use, those of its instances among them."""
    codes = [
        getattr(each, "__code__", None) for kind in owner.__mro__ for each in vars(kind).values()
    ]
    return {name for code in codes if code is not None for name in code.co_names}
