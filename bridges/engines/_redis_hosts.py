# Where Redis is: the `hosts` of a channel layer, in all the ways in which Channels lets them be
# written, and the connections that coredis makes of them.
#
#   a URL        redis://user:password@host:6379/0, rediss://..., unix:///path?db=1
#   a pair       of host and port
#   a dict       with "address", a URL; or with "host" and "port", or "path"; and more options
#   sentinels    a dict with "sentinels", pairs, and "master_name"; perhaps "sentinel_kwargs"

import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from ._redis_extra import coredis_connection as coredis

BaseConnection = coredis.BaseConnection

DEFAULT_URL = "redis://localhost:6379"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 5.0

# Names of redis-py on the left, of coredis on the right.
_RENAMED = {
    "socket_timeout": "stream_timeout",
    "socket_connect_timeout": "connect_timeout",
    "username": "username",
    "password": "password",
    "client_name": "client_name",
    "db": "db",
    "stream_timeout": "stream_timeout",
    "connect_timeout": "connect_timeout",
    "credential_provider": "credential_provider",
    "ssl_context": "ssl_context",
    "socket_keepalive": "socket_keepalive",
    "socket_keepalive_options": "socket_keepalive_options",
}
_TCP_ONLY = {"socket_keepalive", "socket_keepalive_options"}
_NUMBERS: Mapping[str, type] = {"db": int, "stream_timeout": float, "connect_timeout": float}
# They mean something to redis-py's pools and retries, which are not here.
_IGNORED = {
    "max_connections",
    "retry",
    "retry_on_error",
    "retry_on_timeout",
    "health_check_interval",
    "protocol",
    "encoding",
    "decode_responses",
    "lib_name",
    "lib_version",
    "min_other_sentinels",
    "timeout",
}
_TLS = {
    "ssl",
    "ssl_keyfile",
    "ssl_certfile",
    "ssl_cert_reqs",
    "ssl_ca_certs",
    "ssl_check_hostname",
}
_VERIFY = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class Host:
    """One Redis: a host and port, a path, or a name that sentinels know."""

    place: tuple[str, int] | str | None
    """Host and port, or the path of a socket; None if sentinels are asked."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    master_name: str = ""
    sentinels: "Sequence[Host]" = ()

    def __str__(self) -> str:
        if self.master_name:
            return f"{self.master_name!r} of {', '.join(map(str, self.sentinels))}"
        return self.place if isinstance(self.place, str) else "%s:%d" % (self.place or ("", 0))  # noqa: UP031

    def connection(self, place: tuple[str, int] | None = None) -> BaseConnection:
        """Return a new connection, which is not open, to *place* or to where this one is."""
        options: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "stream_timeout": ANSWER_SECONDS,
            "decode_responses": False,
            **self.options,
        }
        where = place or self.place
        if isinstance(where, str):
            options = {name: value for name, value in options.items() if name not in _TCP_ONLY}
            return coredis.UnixDomainSocketConnection(
                coredis.UnixDomainSocketLocation(where), **options
            )
        assert where is not None
        options.setdefault("socket_keepalive", True)
        return coredis.TCPConnection(coredis.TCPLocation(*where), **options)


def hosts_of(hosts: object) -> list[Host]:
    """
    Return what *hosts*, of a channel layer's CONFIG, describes; one on this machine if empty.

    Raises:
        ValueError: It can't be understood.
    """
    if not hosts:
        return [host_of(DEFAULT_URL)]
    if isinstance(hosts, str | bytes):
        raise ValueError(  # noqa: TRY004 - as Channels does
            "You must pass a list of Redis hosts, even if there is only one."
        )
    return [host_of(each) for each in cast("Iterable[object]", hosts)]


def host_of(entry: object) -> Host:
    """Return what *entry*, one of the hosts, describes. Raises ValueError if it can't be."""
    if isinstance(entry, str):
        return _of_url(entry, {})
    if isinstance(entry, tuple | list) and len(cast("list[Any]", entry)) == 2:
        host, port = cast("tuple[str, int]", entry)
        return Host((str(host), int(port)))
    if not isinstance(entry, Mapping):
        raise ValueError(  # noqa: TRY004
            f"a Redis host is a URL, a pair of host and port, or a dict. Got: {entry!r}"
        )
    given = dict(cast("Mapping[str, Any]", entry))
    if "address" in given:
        return _of_url(str(given.pop("address")), given)
    if given.get("master_name") is not None:
        return _of_sentinels(given)
    path = given.pop("path", None) or given.pop("unix_socket_path", None)
    host, port = given.pop("host", "localhost"), given.pop("port", 6379)
    return Host(str(path) if path else (str(host), int(port)), _options(given))


def _of_url(url: str, more: dict[str, Any]) -> Host:
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(
            "the URL of a Redis host begins with redis://, rediss:// or unix://."
            f" Got: {parts.scheme or url!r}"
        )
    given: dict[str, Any] = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.username:
        given["username"] = unquote(parts.username)
    if parts.password:
        given["password"] = unquote(parts.password)
    if parts.scheme == "unix":
        return Host(unquote(parts.path), _options({**more, **given}))
    database = unquote(parts.path).strip("/")
    if database and "db" not in given:
        given["db"] = database
    if parts.scheme == "rediss":
        given["ssl"] = True
    return Host((parts.hostname or "localhost", parts.port or 6379), _options({**more, **given}))


def _of_sentinels(given: dict[str, Any]) -> Host:
    name = str(given.pop("master_name"))
    sentinels = given.pop("sentinels", ())
    own: dict[str, Any] = dict(given.pop("sentinel_kwargs", None) or {})
    if not sentinels:
        raise ValueError(
            f"a Redis host with master_name {name!r} needs sentinels: write"
            ' "sentinels": [("localhost", 26379)].'
        )
    options = _options(own)
    return Host(
        None,
        _options(given),
        name,
        [Host((str(host), int(port)), options) for host, port in sentinels],
    )


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - _RENAMED.keys() - _IGNORED - _TLS
    if unknown:
        raise ValueError(
            f"a Redis host has no option {sorted(unknown)[0]!r}. There are:"
            f" {', '.join(sorted(_RENAMED.keys() | _TLS))}."
        )
    options: dict[str, Any] = {}
    for name, value in given.items():
        if name in _RENAMED and value is not None:
            new = _RENAMED[name]
            options[new] = _NUMBERS[new](value) if new in _NUMBERS else value
    if _is_true(given.get("ssl")):
        options["ssl_context"] = _tls(given)
    return options


def _tls(given: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=given.get("ssl_ca_certs"))
    if given.get("ssl_certfile"):
        context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
    wanted = given.get("ssl_cert_reqs", "required")
    verify = _VERIFY[wanted.lower()] if isinstance(wanted, str) else ssl.VerifyMode(wanted or 0)
    checks = _is_true(given.get("ssl_check_hostname", verify == ssl.CERT_REQUIRED))
    context.check_hostname = checks and verify != ssl.CERT_NONE
    context.verify_mode = verify
    return context


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() in {"1", "true", "yes", "on"}
