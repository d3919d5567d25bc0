# Settings that change what Django makes of a request: behind a proxy, below a path, with DEBUG.
# Each pair of servers costs seconds, so one serves all that goes together.

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e._parity import Answer, Client, Pair, served_pair

PROXIED = """
FORCE_SCRIPT_NAME = "/forced"
USE_X_FORWARDED_HOST = USE_X_FORWARDED_PORT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 60
SECURE_REDIRECT_EXEMPT = ["^forced/local/"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
APPEND_SLASH = False
"""
HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def proxied(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """
    A pair that trusts its proxy.
    """
    with served_pair(prepared, tmp_path_factory.mktemp("proxied"), settings=PROXIED) as pair:
        yield pair


@pytest.fixture(scope="module")
def debugged(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """
    A pair with DEBUG, below a root_path.
    """
    folder = tmp_path_factory.mktemp("debugged")
    options, settings = ["--root-path", "/mounted"], "DEBUG = True"
    with served_pair(prepared, folder, *options, settings=settings) as pair:
        yield pair


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        (HTTPS, "parity.example"),
        ({**HTTPS, "X-Forwarded-Host": "www.shown.example"}, "www.shown.example"),
        ({**HTTPS, "X-Forwarded-Host": "www.shown.example, b"}, None),
        ({**HTTPS, "X-Forwarded-Host": "elsewhere.example"}, None),
        ({**HTTPS, "X-Forwarded-Port": "8443"}, "parity.example"),
        ({**HTTPS, "X-Forwarded-Port": "443"}, "parity.example"),
        ({"X-Forwarded-Proto": "https, http"}, "parity.example"),
        ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.1"}, "parity.example"),
    ],
)
def test_forwarded(proxied: Pair, headers: dict[str, str], host: str | None) -> None:
    """
    Host, port and scheme are those that the proxy names, where Django is told to trust it.
    """
    answer = proxied.ask("/forced/echo/x/?q=1", headers=headers)

    assert (answer.status == 200) == (host is not None)
    if host is not None:
        seen = json.loads(answer.body)
        assert seen["host"] == [host, "https", True]
        assert seen["port"] == headers.get("X-Forwarded-Port")
        assert seen["paths"] == ["/forced/echo/x/", "/echo/x/", "/forced/", "/forced/slash/"]


@pytest.mark.parametrize("path", ["/echo/?a=1", "/local/", "/slash", "/nowhere/"])
@pytest.mark.parametrize("proto", ["http", ""])
def test_redirected_to_https(proxied: Pair, path: str, proto: str) -> None:
    """
    SECURE_SSL_REDIRECT sends whoever came without TLS to the same address with it.
    """
    answer = proxied.ask("/forced" + path, headers={"X-Forwarded-Proto": proto} if proto else {})

    if path == "/local/":
        assert answer.status == 200
    else:
        assert (answer.status, answer.header("location")) == (
            301,
            f"https://parity.example/forced{path}",
        )


def test_a_proxy_that_takes_the_prefix_away(proxied: Pair) -> None:
    """
    Under ASGI the path is as it came: a proxy must leave the prefix in it, or say root_path.
    """
    seen = json.loads(proxied.ask("/echo/x/", headers=HTTPS).body)

    assert seen["paths"] == ["/echo/x/", "/echo/x/", "/forced/", "/forced/slash/"]


def test_cookies_behind_tls(proxied: Pair) -> None:
    """
    Secure cookies, HSTS and the referer check of CSRF are those of a site behind TLS.
    """

    def story(client: Client) -> Any:
        page = client.ask("/form/", headers=HTTPS)
        kind = {**HTTPS, "Content-Type": "application/x-www-form-urlencoded"}
        data = f"text=x&csrfmiddlewaretoken={client.token}"
        without = client.ask("/form/", "POST", data, kind)
        referer = {**kind, "Referer": "https://parity.example/"}
        return page, without, client.ask("/form/", "POST", data, referer)

    page, without, right = proxied.both(story)

    assert "Secure" in (page.header("set-cookie") or "")
    assert page.header("strict-transport-security") == "max-age=60"
    assert (without.status, right.status) == (403, 200)


@pytest.mark.parametrize("path", ["/mounted/echo/x/", "/mounted/", "/mountedecho/", "/echo/"])
def test_root_path(debugged: Pair, path: str) -> None:
    """
    The server's root path is the script name; what is not below it is taken as Django takes it.
    """
    debugged.both(lambda client: shown(client.ask(path)))


def headers_of(answer: Answer) -> Any:
    """Return the headers but for those that depend on the length of a page of stacks."""
    return [each for each in answer.headers if each[0] not in ("Content-Length", "ETag")]


def shown(answer: Any) -> Any:
    """What of a page with DEBUG can be compared: not stacks, ports, moments and addresses."""
    text = answer.body.decode()
    if answer.status == 200:
        return answer.status, text
    summary = re.findall(r"<(?:h1|title|pre class=\"exception_value\").*?>(.*?)<", text, re.DOTALL)
    about = text.partition('id="requestinfo"')[2]  # not the variables of all frames
    rows = re.findall(r"<tr>\s*<td>(\w+)</td>\s*<td class=\"code\"><pre>(.*?)</pre>", about)
    frames = re.findall(r"paritysite/\w+\.py</code>, line (\d+), in (\w+)", text)
    skipped = {"SERVER_PORT", "REMOTE_PORT", "FOLDER", "DATABASES", "EMAIL_FILE_PATH"}
    skipped |= {"SESSION_FILE_PATH", "HOOKS", "CSRF_COOKIE"}
    kept = [row for row in rows if row[0] not in skipped and "0x" not in row[1]]
    return answer.status, headers_of(answer), [each.strip() for each in summary], kept, frames


@pytest.mark.parametrize(
    ("kind", "status"),
    [("lookup", 500), ("404", 404), ("403", 403), ("suspicious", 400), ("broken-template", 500)],
)
def test_debug_pages(debugged: Pair, kind: str, status: int) -> None:
    """
    With DEBUG an error is a page with the same summary, tables and frames of the project.
    """
    page = debugged.both(lambda client: shown(client.ask(f"/mounted/raise/{kind}/?a=1")))

    assert page[0] == status
    if kind == "lookup":
        assert ("REQUEST_METHOD", "&#x27;GET&#x27;") in page[3]
        assert page[4][-1][1] == "raises"


def test_the_debug_page_of_an_async_view(debugged: Pair) -> None:
    """
    The page of an async view's error shows its line, and what raised it.
    """
    page = debugged.both(lambda client: shown(client.ask("/mounted/async/lookup/")))

    assert (page[0], page[4][-1][1]) == (500, "async_view")


def test_the_debug_page_in_plain_text(debugged: Pair) -> None:
    """
    Who does not ask for HTML gets the error as plain text.
    """

    def story(client: Client) -> Any:
        answer = client.ask("/mounted/raise/lookup/", headers={"Accept": "application/json"})
        text = answer.body.decode()
        own = re.findall(r"paritysite/(\w+)\.py\", line \d+, in (\w+)", text)
        return answer.status, headers_of(answer), text.splitlines()[:4], own

    status, headers, lines, own = debugged.both(story)

    assert (status, dict(headers)["Content-Type"]) == (500, "text/plain; charset=utf-8")
    assert lines[0] == "LookupError at /raise/lookup/"
    assert own[-1] == ("views", "raises")


def test_the_welcome_page_of_404(debugged: Pair) -> None:
    """
    With DEBUG a page that is not there lists the project's own.
    """
    answer = debugged.both(lambda client: shown(client.ask("/mounted/nowhere/")))

    assert answer[0] == 404
