# Every knob of the runtime, in one frozen object, checked when it is made.
#
# The sentences in the fields' metadata are the reference documentation: the page
# docs/reference/settings is generated from Options.described(), and so is the
# message of a refusal. A value that makes no sense is refused here, at start, by
# name and with what was given, and never met later inside a connection.
#
# Over 400 lines because it is one table, and a dataclass can't be cut: its options and their order
# are read in one place, here and in the reference. What checks them is in _option_checks.py.
#
# Infinite seconds are refused on purpose. Each deadline is the promise that
# something ends; whoever wants "very long" can write a large number, and it then
# shows in a snapshot as what it is.

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Literal, NamedTuple

from ._api_tokens import ApiToken, check_tokens, tokens_of
from ._option_checks import check_async_views as _check_async_views
from ._option_checks import check_bool as _check_bool
from ._option_checks import check_bool_or_none as _check_bool_or_none
from ._option_checks import check_directory as _check_directory
from ._option_checks import check_fraction as _check_fraction
from ._option_checks import check_on_fatal as _check_on_fatal
from ._option_checks import check_origins as _check_origins
from ._option_checks import check_rate as _check_rate
from ._option_checks import check_seed as _check_seed
from ._option_checks import checked as _checked
from ._option_checks import refuse_unless_seconds, refuse_unless_whole
from ._option_checks import seconds as _seconds
from ._option_checks import whole as _whole

__all__ = ["OptionDoc", "Options", "refuse_unless_seconds", "refuse_unless_whole"]


Origins = list[str] | tuple[str, ...] | str | None
Tokens = Mapping[str, Mapping[str, object]] | tuple[ApiToken, ...]


class OptionDoc(NamedTuple):
    """What the reference says about one option."""

    name: str
    default: object
    unit: str
    doc: str

    @property
    def written(self) -> str:
        """The default, as one writes it."""
        return "{}" if self.unit == "mapping" else repr(self.default)


@dataclass(frozen=True, kw_only=True)
class Options:
    """
    The settings of one root: limits, deadlines and budgets.

    All are keywords with defaults; an instance cannot be changed, but
    `dataclasses.replace(options, debug=True)` makes a changed copy.

    Raises:
        TypeError: an option is unknown or has a value of the wrong type.
        ValueError: a value is out of range, or two contradict each other.
    """

    consumer_threads: int = _whole(
        8,
        "Worker threads that run the `def` handlers of consumers and residents.",
        unit="threads",
    )
    view_threads: int = _whole(
        8,
        "Worker threads that run Django's views; apart from the consumers', so that"
        " slow views cannot starve sockets.",
        unit="threads",
    )
    orm_threads: int = _whole(
        8,
        "Worker threads that do the sync work of async code: its ORM calls, its `sync_to_async`.",
        unit="threads",
    )
    parked_threads: int = _whole(
        32,
        "Jobs of one pool that may give their thread's place away while they wait, for async"
        " code or for a slow client; a pool has at most so many threads more than its own number.",
        unit="threads",
        minimum=0,
    )
    async_views: Literal["asyncio", "trio"] = _checked(
        "asyncio",
        "What async views, and other async code that Django calls, are written for if they have"
        " no mark @on_trio or @on_asyncio. Handlers of consumers always run on trio.",
        "choice",
        _check_async_views,
    )
    channels_on_asyncio: bool = _checked(
        False,
        "Run `async def` handlers of `greenroom.bridges.channels` on an asyncio loop beside trio.",
        "choice",
        _check_bool,
    )
    patch_asgiref: bool = _checked(
        True,
        "Let asgiref's `sync_to_async` and `async_to_sync`, and with them Django's async"
        " functions, work on trio; False leaves asgiref as it is.",
        "choice",
        _check_bool,
    )
    mailbox_capacity: int = _whole(
        256,
        "Messages that may wait in a mailbox before its overflow policy applies;"
        " frames of the peer are counted by read_ahead_messages instead.",
        unit="messages",
    )
    read_ahead_messages: int = _whole(
        16,
        "Frames read from a peer before its consumer has handled them; then reading"
        " stops and TCP pushes back.",
        unit="messages",
    )
    read_ahead_bytes: int = _whole(
        65536,
        "Bytes of such frames; whichever of the two limits is met first holds.",
        unit="bytes",
    )
    output_high_water_bytes: int = _whole(
        65536,
        "Unsent output of one connection above which `await self.send(...)`, and a"
        " send in a worker thread, wait until the peer has read some.",
        unit="bytes",
    )
    output_limit_bytes: int = _whole(
        1048576,
        "Unsent output of one connection above which the peer is dropped, with close code 1013.",
        unit="bytes",
    )
    output_stall_seconds: float = _seconds(
        30.0,
        "How long a sender waits for room above output_high_water_bytes before the"
        " peer is dropped, with close code 1013.",
    )
    max_restarts: int | None = _whole(
        3,
        "Restarts that one slot may have within max_seconds; one more and it gives"
        " up: a connection closes with 1011, a resident parks. None: no limit.",
        unit="restarts",
        minimum=0,
        none=True,
    )
    max_seconds: float = _seconds(
        5.0,
        "Length of the sliding window in which restarts are counted; time spent"
        " backing off does not pass in it.",
    )
    backoff_min_seconds: float = _seconds(
        0.1,
        "Pause before the second restart in a row (the first is immediate); each"
        " further pause is twice as long.",
        zero=True,
    )
    backoff_max_seconds: float = _seconds(30.0, "Pause at which the doubling stops.", zero=True)
    backoff_jitter: float = _checked(
        0.2,
        "Share by which each pause is lengthened or shortened at random, so that"
        " slots which failed together do not return together; 0.2 is +-20 %.",
        "fraction",
        _check_fraction,
    )
    seed: int | None = _checked(
        None,
        "Makes all jitter the same in each run, for tests. None: a fresh one each time.",
        "number",
        _check_seed,
    )
    storm_restarts: int | None = _whole(
        100,
        "Restarts of consumers within storm_seconds, all connections together, that are no"
        " storm yet; in one, restarts are spread and new WebSockets refused with 503. None:"
        " there is never a storm.",
        unit="restarts",
        none=True,
    )
    storm_seconds: float = _seconds(
        1.0, "Length of the sliding window in which the restarts of storm_restarts are counted."
    )
    storm_delay_seconds: float = _seconds(
        5.0,
        "In a storm each restart waits for a random part of this time; a storm is over when"
        " for so long no restart was one too many.",
    )
    crash_events: int = _whole(
        16,
        "Events of a slot's own past that each of its crash reports holds, as far as the"
        " stream remembers them.",
        unit="events",
        minimum=0,
    )
    park_seconds: float = _seconds(
        30.0,
        "How long a resident that has spent its budget stays parked before it is"
        " tried again with a fresh one.",
    )
    presence_grace_seconds: float = _seconds(
        5.0,
        "How long a key is shown as present yet whose last connection has ended, so that who"
        " reconnects within was never away. 0: it has left at once.",
        zero=True,
    )
    shutdown_seconds: float = _seconds(
        5.0,
        "How long one actor may take to stop before it is reported unkillable and"
        " its siblings go on without it.",
        zero=True,
    )
    handshake_seconds: float = _seconds(
        10.0,
        "How long a consumer's connect() may take to accept or close; then the client is"
        " refused with 500. Once it has accepted, connect() may take its time.",
    )
    idle_limit_seconds: float | None = _seconds(
        None,
        "Silence of a WebSocket's peer after which it is closed with 1001: no message came,"
        " and none waits; pings do not count. None: no limit.",
        none=True,
    )
    lifetime_seconds: float | None = _seconds(
        None, "Age at which a WebSocket is closed with 1001. None: no limit.", none=True
    )
    lifetime_jitter: float = _checked(
        0.1,
        "Share of lifetime_seconds by which each socket's is shortened at random, so that those"
        " that came together do not leave together.",
        "fraction",
        _check_fraction,
    )
    messages_per_second: float | None = _checked(
        None,
        "Messages a second that are read from a WebSocket's peer. None: no limit.",
        "messages a second",
        _check_rate,
    )
    bytes_per_second: float | None = _checked(
        None,
        "Bytes of messages a second that are read from a WebSocket's peer. None: no limit.",
        "bytes a second",
        _check_rate,
    )
    rate_burst_seconds: float = _seconds(
        2.0, "What so many seconds of the two rates amount to may come at once."
    )
    rate_patience_seconds: float = _seconds(
        10.0,
        "How long a peer that sends more than the rates allow is only read from more slowly;"
        " then it is closed with 1008.",
        zero=True,
    )
    disconnect_seconds: float = _seconds(
        5.0,
        "How long a consumer's disconnect() may take before it is given up and reported.",
        zero=True,
    )
    total_shutdown_seconds: float = _seconds(
        20.0,
        "How long the whole tree may take to stop; past it all stacks are dumped and"
        " the process leaves by force.",
        zero=True,
    )
    on_fatal: Literal["end", "shutdown"] = _checked(
        "end",
        "What SystemExit or KeyboardInterrupt raised by a handler does: 'end' ends"
        " that slot alone, 'shutdown' makes the worker drain and leave.",
        "choice",
        _check_on_fatal,
    )
    max_connections: int | None = _whole(
        None,
        "Connections open at once; more are refused with 503. None: no limit.",
        unit="connections",
        none=True,
    )
    connections_per_address: int | None = _whole(
        None,
        "WebSockets, event streams and long-poll sessions open at once from one address (of IPv6,"
        " from one /64); more are refused"
        " with 429. None: no limit.",
        unit="connections",
        none=True,
    )
    connections_per_user: int | None = _whole(
        None,
        "WebSockets, event streams and long-poll sessions open at once of one user; more are"
        " refused with 429. None: no limit.",
        unit="connections",
        none=True,
    )
    batch_messages: int = _whole(
        64,
        "Messages that one actor handles before it lets others run.",
        unit="messages",
    )
    batch_seconds: float = _seconds(
        0.005, "Time after which it lets others run, even if fewer were handled."
    )
    thread_batch_messages: int = _whole(
        16,
        "Messages handed to a worker thread in one go, when that many wait for `def`"
        " handlers of one actor.",
        unit="messages",
    )
    close_seconds: float = _seconds(
        5.0,
        "How long a closing connection waits for the peer's half of the handshake.",
        zero=True,
    )
    fast_connections: bool = _checked(
        True,
        "Serve HTTP/1.1 and WebSockets with Greenroom's own connection handler inside"
        " hypercorn's trio worker; False leaves them to hypercorn.",
        "choice",
        _check_bool,
    )
    head_bytes: int = _whole(
        16384, "Request line and headers together; more is answered with 431.", unit="bytes"
    )
    head_seconds: float = _seconds(
        10.0, "From the first byte of a request's head to its last; then it gets 408."
    )
    body_seconds: float = _seconds(
        30.0, "Between two pieces of a request's body that the application waits for."
    )
    body_bytes: int = _whole(
        2621440,
        "A request's body that an HttpConsumer takes as a whole; a larger one gets 413.",
        unit="bytes",
    )
    answer_seconds: float | None = _seconds(
        30.0,
        "How long an HttpConsumer may leave a request unanswered, from the last part of its body"
        " on; then the client gets 504. None: as long as the client waits.",
        none=True,
    )
    heartbeat_seconds: float = _seconds(
        15.0,
        "Silence of an event stream after which a comment is sent, so that proxies do not end it;"
        " 0 for never.",
        zero=True,
    )
    reconnect_seconds: float = _seconds(
        5.0,
        "Clients of event streams that the server ends are told to come back after a random part"
        " of this time, and half a second.",
        zero=True,
    )
    message_bytes: int = _whole(
        1048576, "One WebSocket message of a peer; a larger one closes with 1009.", unit="bytes"
    )
    message_fragments: int = _whole(
        1024,
        "Fragments of one WebSocket message of a peer; more of them close with 1008.",
        unit="fragments",
    )
    compress_from_bytes: int | None = _whole(
        None,
        "WebSocket messages of so many bytes and more are compressed (permessage-deflate) for"
        " peers that can read it, and theirs are read; 256 is a good start. None: never.",
        unit="bytes",
        minimum=0,
        none=True,
    )
    ping_seconds: float = _seconds(
        20.0,
        "Silence of a WebSocket's peer after which it is pinged; 0 for never.",
        zero=True,
    )
    pong_seconds: float = _seconds(
        20.0, "How long a pinged peer may go on being silent before it counts as gone."
    )
    origins: Origins = _checked(  # noqa: RUF009 - a list is made into a tuple
        None,
        "Which pages may open WebSockets, event streams and long-poll sessions: hosts"
        " (`example.com`), domains (`.example.com`), either behind a scheme and with a port, or"
        " `null`; '*' for all. None: those of ALLOWED_HOSTS; where that is '*', the host itself.",
        "list",
        _check_origins,
    )
    origin_required: bool = _checked(
        False,
        "Refuse connections without an Origin header, too; only browsers send one.",
        "choice",
        _check_bool,
    )
    revalidate_seconds: float | None = _seconds(
        60.0,
        "How often the session and the user of a connection are looked at again, once somebody"
        " has asked for its user; one that may not go on closes with 4401. None: never.",
        none=True,
    )
    loop_blocked_seconds: float | None = _seconds(
        1.0,
        "How long the event loop may stand still before the log names who holds it up. It is"
        " asked so often, but once a second at most. None: it is not watched.",
        none=True,
    )
    threads_busy_seconds: float | None = _seconds(
        1.0,
        "How long work may wait for a thread of a pool before the log says who holds all of"
        " them. None: nobody looks.",
        none=True,
    )
    tracing: bool = _checked(
        False,
        "Make spans of OpenTelemetry: of connections, requests, messages and restarts. Needs the"
        " extra `tracing`.",
        "choice",
        _check_bool,
    )
    audit_days: int | None = _whole(
        90,
        "How long the log of what operators did in the console keeps an entry. None: for ever.",
        unit="days",
        none=True,
        maximum=36_500,
    )
    inspection: bool | None = _checked(
        None,
        "Whether the trees of each process answer questions about themselves, for the pages in the"
        " admin and `manage.py actors`: on a socket that this user alone can open. None: yes with"
        " Django, no without it.",
        "choice",
        _check_bool_or_none,
    )
    inspection_dir: str | PathLike[str] | None = _checked(  # noqa: RUF009 - a path stays as it is
        None,
        "Directory of those sockets, the same for all processes of one project, this user's alone."
        " None: one for each project and user, in XDG_RUNTIME_DIR or where temporary files are.",
        "path",
        _check_directory,
    )
    inspection_tokens: Tokens = _checked(  # noqa: RUF009 - a mapping is made into a tuple
        (),
        "Who may ask the JSON API, and for the metrics, without a session: by name a mapping with"
        " `token`, of 20 characters at least or `sha256:` and its digest, and `permissions`, which"
        " are `view_tree` alone if left out.",
        "mapping",
        check_tokens,
    )
    ready_lag_seconds: float | None = _seconds(
        1.0,
        "How late the event loop may be while `/health/ready` says that this process takes"
        " requests. None: however late.",
        none=True,
    )
    debug: bool = _checked(
        False,
        "Name the line of every forgotten await, and other help that costs time.",
        "choice",
        _check_bool,
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            field.metadata["check"](field.name, getattr(self, field.name))
        if isinstance(self.origins, list):  # as a tuple it can be hashed, and is not changed
            object.__setattr__(self, "origins", tuple(self.origins))
        if isinstance(self.inspection_tokens, Mapping):  # what is kept has no secrets in it
            tokens = tokens_of("inspection_tokens", self.inspection_tokens)
            object.__setattr__(self, "inspection_tokens", tokens)
        self._refuse_contradiction("backoff_min_seconds", "backoff_max_seconds")
        self._refuse_contradiction("output_high_water_bytes", "output_limit_bytes")
        self._refuse_contradiction("shutdown_seconds", "total_shutdown_seconds")

    def _refuse_contradiction(self, smaller: str, larger: str) -> None:
        low, high = getattr(self, smaller), getattr(self, larger)
        if low > high:
            raise ValueError(
                f"{smaller} must not exceed {larger}. Got: {smaller}={low!r}, {larger}={high!r}"
            )

    @classmethod
    def described(cls) -> list[OptionDoc]:
        """
        List every option with its default, unit and meaning, in order.
        """
        return [
            OptionDoc(field.name, field.default, field.metadata["unit"], field.metadata["doc"])
            for field in dataclasses.fields(cls)
        ]
