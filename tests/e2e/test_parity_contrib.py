# What takes more than one request, and what django.contrib has, is the same under Greenroom as
# under Django's own handler: sessions, languages, messages, caches, users, forms.

import json
from typing import Any

import pytest
from e2e._parity import Client, Pair


def log_in(client: Client, name: str) -> Any:
    """Log in as a user of the project, by the form of django.contrib.auth, and fetch a form."""
    client.ask("/accounts/login/")
    done = client.post("/accounts/login/", {"username": name, "password": f"secret-{name}"})
    client.ask("/form/")
    return done


@pytest.mark.parametrize("kind", ["db", "cached_db", "cache", "file", "signed_cookies"])
def test_sessions(pair: Pair, kind: str) -> None:
    """
    Every backend keeps a session: over requests, an error, a new key, async views and an end.
    """
    steps = ["count", "count", "fail", "read", "cycle", "expire", "browser", "flush", "read"]

    def story(client: Client) -> Any:
        first = [client.ask(f"/session/{kind}/?do={step}") for step in steps]
        return first, [client.ask(f"/session/{kind}/async/") for _ in range(2)], [*client.cookies]

    answers, last, cookies = pair.both(story)

    counts = [answer.status == 200 and json.loads(answer.body)["items"] for answer in answers]
    assert counts[:4] == [[["count", 1]], [["count", 2]], False, [["count", 2]]]
    assert counts[-2:] == [[], []]
    assert json.loads(last[1].body)["items"] == [["count", 2]]
    assert cookies == ["sessionid"]


def test_what_a_view_activates_ends_with_its_request(pair: Pair) -> None:
    """
    A language or a time zone that a view activates is gone with the request, on every thread.
    """

    def story(client: Client) -> Any:
        told = [client.ask("/activate/de/Asia/Tokyo/").body for _ in range(10)]
        return told, [client.ask("/local/").body for _ in range(20)]

    told, after = pair.both(story)

    assert set(told) == {b"de Ja Asia/Tokyo 2026-07-01T21:00:00+09:00"}
    assert set(after) == {b"en Yes UTC 2026-07-01T12:00:00+00:00"}


def test_the_language_of_the_browser(pair: Pair) -> None:
    """
    LocaleMiddleware takes the language from the header or the cookie, for one request.
    """

    def story(client: Client) -> Any:
        german = client.ask("/local/", headers={"Accept-Language": "de-AT,en;q=0.5"})
        french = client.ask("/local/", headers={"Cookie": "django_language=fr"})
        return german, french, client.ask("/local/")

    german, french, plain = pair.both(story)

    assert [each.body[:6] for each in (german, french, plain)] == [b"de Ja ", b"fr Oui", b"en Yes"]
    assert german.header("Content-Language".lower()) == "de"


def test_messages(pair: Pair) -> None:
    """
    A message is shown on the next page, and only there.
    """

    def story(client: Client) -> Any:
        return client.ask("/message/"), client.ask("/who/"), client.ask("/who/")

    _, shown, again = pair.both(story)

    assert shown.body == b"nobody\nsuccess: saved\nwarning: &lt;b&gt;beware&lt;/b&gt;\n"
    assert again.body == b"nobody\n"


def test_the_cache(pair: Pair) -> None:
    """
    A cached page is made once for each language, and sent with its headers of then.
    """

    def story(client: Client) -> Any:
        german = {"Accept-Language": "de"}
        answers = [client.ask("/cached/"), client.ask("/cached/", "HEAD"), client.ask("/cached/")]
        return [*answers, client.ask("/cached/", headers=german), client.ask("/cached/")]

    answers = pair.both(story)

    assert answers[0].body == answers[2].body == answers[4].body == b"asked 1 times in en"
    assert answers[3].body == b"asked 2 times in de"
    assert answers[0].header("cache-control") == "max-age=60"


def test_a_conditional_page(pair: Pair) -> None:
    """
    ConditionalGetMiddleware answers 304 to whoever has the page already.
    """

    def story(client: Client) -> Any:
        first = client.ask("/who/")
        return first, client.ask("/who/", headers={"If-None-Match": first.header("etag") or ""})

    first, second = pair.both(story)

    assert (first.status, second.status, second.body) == (200, 304, b"")


def test_flat_pages_and_redirects(pair: Pair) -> None:
    """
    What only the database knows is found after the 404: a page, a redirect, a page that is gone.
    """
    assert pair.ask("/about/").body == b"About: A flat page.\n"
    assert pair.ask("/about").status == 301
    assert pair.ask("/old/").header("location") == "/who/"
    assert pair.ask("/gone/").status == 410


def test_log_in_and_out(pair: Pair) -> None:
    """
    Django's own login form refuses, accepts, renews the session's key, and logs out.
    """

    def story(client: Client) -> Any:
        page = client.ask("/admin/login/")
        wrong = client.post("/admin/login/", {"username": "staff", "password": "wrong"})
        right = log_in(client, "staff")
        inside = client.ask("/who/")
        out = client.post("/accounts/logout/", {})
        return page, wrong, right, inside, out.status, client.ask("/who/"), sorted(client.cookies)

    page, wrong, right, inside, out, after, cookies = pair.both(story)

    assert (page.status, wrong.status, right.status) == (200, 200, 302)
    assert b"Please enter the correct username and password" in wrong.body
    assert (inside.body, out, after.body) == (b"staff\n", 200, b"nobody\n")
    assert cookies == ["csrftoken"]


def test_an_async_login(pair: Pair) -> None:
    """
    aauthenticate and alogin of an async view log a user in for sync and async views.
    """

    def story(client: Client) -> Any:
        return client.ask("/async/login/"), client.ask("/who/"), client.ask("/async/user/")

    login, sync, asynchronous = pair.both(story)

    assert (login.status, sync.body, asynchronous.body) == (200, b"member\n", b"member")


def test_permissions(pair: Pair) -> None:
    """
    A private page sends a stranger to the login; a page for few is forbidden to others.
    """

    def story(client: Client) -> Any:
        return [client.ask(path) for path in ("/private/?a=1", "/permitted/", "/admin/")]

    def as_user(name: str) -> Any:
        def story_of_user(client: Client) -> Any:
            log_in(client, name)
            return story(client)

        return [answer.status for answer in pair.both(story_of_user)]

    stranger = pair.both(story)

    assert stranger[0].header("location") == "/accounts/login/?next=/private/%3Fa%3D1"
    assert [answer.status for answer in stranger] == [302, 403, 302]
    assert as_user("member") == [200, 403, 302]
    assert as_user("allowed") == [200, 200, 302]
    assert as_user("staff") == [200, 200, 200]


def test_the_user_of_a_proxy(pair: Pair) -> None:
    """
    RemoteUserMiddleware logs in whom a header names, and out who comes without it; the header is
    named as under WSGI, which Django's handler does from Django 6 on.
    """
    client, named = Client(pair.ours), {"X-User": "proxied"}

    bodies = [client.ask(path, headers=named).body for path in ("/who/", "/private/")]
    bodies.append(client.ask("/who/").body)

    assert bodies == [b"proxied\n", b"private to proxied", b"nobody\n"]


def test_csrf(pair: Pair) -> None:
    """
    A form without its token, with a wrong one, or from elsewhere is refused with Django's page.
    """

    def story(client: Client) -> Any:
        without = client.post("/form/", {"text": "x"})
        page = client.ask("/form/")
        wrong = client.ask(
            "/form/",
            "POST",
            "text=x&csrfmiddlewaretoken=" + "w" * 64,
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        right = client.post("/form/", {"text": "x"})
        elsewhere = client.post("/form/", {"text": "x"}, Origin="https://elsewhere.example")
        header = client.ask(
            "/form/",
            "POST",
            "text=y",
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-CSRFToken": client.cookies["csrftoken"],
            },
        )
        return without, page, wrong, right, elsewhere, header

    without, page, wrong, right, elsewhere, header = pair.both(story)

    assert [each.status for each in (without, wrong, elsewhere)] == [403, 403, 403]
    assert b"CSRF verification failed" in without.body
    assert (page.status, right.body, header.body) == (200, b"got x", b"got y")


def test_the_views_of_auth(pair: Pair) -> None:
    """
    Password change and reset of django.contrib.auth go their ways, and the mail is written.
    """

    def story(client: Client) -> Any:
        refused = client.ask("/accounts/password_change/")
        log_in(client, "staff")
        page = client.ask("/accounts/password_change/")
        form = {"old_password": "secret-staff", "new_password1": "new", "new_password2": "other"}
        again = client.post("/accounts/password_change/", form)
        form = dict.fromkeys(["new_password1", "new_password2"], "another-secret-1")
        done = client.post("/accounts/password_change/", {"old_password": "secret-staff", **form})
        stays = client.ask("/private/")
        form = {"old_password": "another-secret-1"}
        form |= dict.fromkeys(["new_password1", "new_password2"], "secret-staff-is-back")
        client.post("/accounts/password_change/", form)
        reset = client.post("/accounts/password_reset/", {"email": "member@parity.example"})
        return refused, page, again, done, stays, reset

    refused, page, again, done, stays, reset = pair.both(story)

    assert (refused.status, page.status, again.status) == (302, 200, 200)
    assert done.header("location") == "/accounts/password_change/done/"
    assert stays.body == b"private to staff"
    assert reset.header("location") == "/accounts/password_reset/done/"
