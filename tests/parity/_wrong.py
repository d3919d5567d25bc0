# Mistakes, each made on purpose in the installed Channels, and the cases that must see it.

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any
from unittest import mock


@dataclass(frozen=True)
class Mistake:
    """
    One mistake.

    Args:
        name: What is wrong.
        target: Dotted path of what is replaced.
        wrong: Given the original, returns what takes its place.
        cases: Each of them must see it.
    """

    name: str
    target: str
    wrong: Callable[[Any], Any]
    cases: list[str] = field(default_factory=list)


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda original: lambda *arguments, **named: value


def _async_nothing(original: Any) -> Any:
    async def nothing(*arguments: Any, **named: Any) -> None:
        """Do nothing."""

    return nothing


def _swallowing(original: Any) -> Any:
    async def swallow(*arguments: Any, **named: Any) -> Any:
        try:
            return await original(*arguments, **named)
        except Exception:
            return None

    return swallow


def _swallowing_dispatch(original: Any) -> Any:
    async def many(callables: Any, dispatch: Any) -> None:
        await original(callables, _swallowing(dispatch))

    return many


def _handlers_beside_each_other(original: Any) -> Any:
    import asyncio

    async def many(callables: Any, dispatch: Any) -> None:
        tasks: list[Any] = []

        async def start(message: Any) -> None:
            tasks.append(asyncio.ensure_future(dispatch(message)))
            await asyncio.sleep(0)
            for task in tasks:
                if task.done():
                    task.result()

        await original(callables, start)

    return many


def _without_headers(original: Any) -> Any:
    def accept(self: Any, subprotocol: Any = None, headers: Any = None) -> Any:
        return original(self, subprotocol)

    return accept


def _any_type(message: dict[str, Any]) -> str:
    return message["type"].replace(".", "_")


def _lying_send(original: Any) -> Any:
    async def send(self: Any, channel: str, message: Any) -> None:
        from channels.exceptions import ChannelFull

        try:
            await original(self, channel, message)
        except ChannelFull:
            pass

    return send


def _leaving_at_once(original: Any) -> Any:
    async def http_disconnect(self: Any, message: Any) -> None:
        from channels.exceptions import StopConsumer

        raise StopConsumer

    return http_disconnect


def _shallow(message: Any) -> Any:
    return message


MISTAKES = [
    Mistake(
        "declared groups are not left",
        "channels.layers.InMemoryChannelLayer.group_discard",
        _async_nothing,
        ["groups_around-async", "groups_around-sync", "raw_disconnect_with_super-sync"],
    ),
    Mistake(
        "exceptions of handlers are swallowed",
        "channels.consumer.await_many_dispatch",
        _swallowing_dispatch,
        ["ws_receive_raises-async"],
    ),
    Mistake(
        "handlers run beside each other",
        "channels.consumer.await_many_dispatch",
        _handlers_beside_each_other,
        ["http_disconnect_during_handle"],
    ),
    Mistake(
        "accept() forgets its headers",
        "channels.generic.websocket.WebsocketConsumer.accept",
        _without_headers,
        ["accept_headers-sync"],
    ),
    Mistake(
        "a type may begin with an underscore",
        "channels.consumer.get_handler_name",
        lambda original: _any_type,
        ["dispatch_underscore-sync", "dispatch_dot-async"],
    ),
    Mistake(
        "every origin is allowed",
        "channels.security.websocket.OriginValidator.valid_origin",
        _constant(True),
        ["origin_verdict", "pattern_scheme", "allowed_hosts", "origin_missing"],
    ),
    Mistake(
        "send() to a full channel says nothing",
        "channels.layers.InMemoryChannelLayer.send",
        _lying_send,
        ["channel_full", "channel_full_again"],
    ),
    Mistake(
        "messages are not copied",
        "channels.layers.deepcopy",
        lambda original: _shallow,
        ["message_copied"],
    ),
    Mistake(
        "names are not checked",
        "channels.layers.BaseChannelLayer.require_valid_group_name",
        _constant(True),
        ["group_names", "calls_check_names"],
    ),
    Mistake(
        "sessions are not saved",
        "channels.sessions.InstanceSessionWrapper.save_session",
        _async_nothing,
        ["session_saved", "session_deleted_meanwhile"],
    ),
    Mistake(
        "any session hash will do",
        "channels.auth.constant_time_compare",
        _constant(True),
        ["get_user_wrong_hash"],
    ),
    Mistake(
        "login() tells nobody",
        "channels.auth.user_logged_in",
        lambda original: mock.Mock(),
        ["login", "login_again"],
    ),
    Mistake(
        "the HTTP consumer's disconnect() is not called",
        "channels.generic.http.AsyncHttpConsumer.http_disconnect",
        _leaving_at_once,
        ["http_disconnect_early"],
    ),
    Mistake(
        "old connections stay open",
        "channels.db.close_old_connections",
        _constant(None),
        ["to_async_closes", "aclose", "closed_between_handlers-async"],
    ),
    Mistake(
        "the worker takes messages without type",
        "channels.worker.Worker.listener",
        _swallowing,
        ["worker_no_type"],
    ),
    Mistake(
        "the communicator swallows what the application raises",
        "asgiref.testing.ApplicationCommunicator.wait",
        _swallowing,
        ["app_wait", "ws_disconnect_raises-async"],
    ),
    Mistake(
        "a router forgets its routes",
        "channels.routing.URLRouter.__call__",
        _swallowing,
        ["outer_miss", "no_routes", "error_of_an_app"],
    ),
]


def observe_all(run: Callable[[Callable[[Any], Awaitable[Any]]], Any]) -> Iterator[dict[str, Any]]:
    """Run each mistake's cases without it and with it; yield a line for each."""
    from parity._cases import CASES
    from parity._run import observe

    for mistake in MISTAKES:
        for name in mistake.cases:
            right = observe(CASES[name], run)
            with ExitStack() as stack:
                owner, _, attribute = mistake.target.rpartition(".")
                original = resolve_name(mistake.target)
                stack.enter_context(mock.patch(f"{owner}.{attribute}", mistake.wrong(original)))
                wrong = observe(CASES[name], run)
            yield {
                "case": f"{mistake.name}: {name}",
                "right": json.dumps(right.get("observed")),
                "wrong": json.dumps(wrong.get("observed", "error")),
            }
