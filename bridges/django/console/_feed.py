# What changes, in all processes, as one event stream for the pages of the console.
#
# Each process is asked for its events with a question that waits until there are some; what they
# say is put together and sent, twice a second at most. Nothing runs while nobody looks.
#
# Invariants, each with a test of that name in tests/bridges/django/test_console_feed.py:
#   PERMITTED  who may not see the tree gets 403; who may no longer is cut off within a minute.
#   COALESCED  however much happens, so much is sent; that something happened is never left out.
#   ALIVE      a page hears every two seconds that its process is there, or asks another one.
#   NOTHING    when the stream ends, nobody is asked any more.

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, ClassVar, cast

import trio
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from ....actors import EventStreamConsumer
from ....actors._unsaved import in_worker
from ._ask import aask, present
from ._news import News

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

PAUSE_SECONDS = 0.5
"""Between two updates at least."""
QUIET_SECONDS = 5.0
"""Without news an update is sent all the same, for what has no event: ages, counters."""
ALIVE_SECONDS = 2.0
"""How often it says that it is there: a page that hears nothing asks another process."""
WAIT_SECONDS = 2.0
"""How long a process is to wait for something to happen; later it counts as silent."""
MOST_EVENTS = 200
"""Of one process that are asked for at once; if there are more, all may look else."""
LOOK_SECONDS = 2.0
"""How often it is looked which processes there are."""
PERMISSION_SECONDS = 60.0
"""How often it is looked whether who listens may."""
PERMISSION = "greenroom.view_tree"


class ConsoleFeed(EventStreamConsumer):
    """
    The event stream of the console: ``changed`` events, whose data says what may look else now.

    Their data is ``{"processes": {id: {"paths": [...], "more": bool, "silent": str}}, "quiet":
    bool}``: *more* if not all paths are listed, *silent* why a process does not answer, *quiet* if
    nothing has happened. Between them ``alive`` events, which say no more than that.
    """

    check_origin: ClassVar[bool] = False  # a browser sends no Origin here; see _is_from_here
    max_restarts: ClassVar[int | None] = 0  # the browser comes back, and all begins anew

    async def connect(self) -> None:
        """Begin, if whoever asks may see the tree. A checkpoint."""
        if not _is_from_here(self.headers):
            await self.respond(403, text="This page may not listen here.\n")
        elif not await self._may_look():
            await self.respond(403, text=f"This needs the permission {PERMISSION}.\n")
        elif self.scope["method"] not in ("GET", "HEAD"):
            headers = [("allow", "GET, HEAD")]
            await self.respond(405, text="This answers GET.\n", headers=headers)
        else:
            self._news = News()
            await self.accept()
            self.start_soon(self._follow_all)
            self.start_soon(self._tell)
            self.start_soon(self._live)
            self.start_soon(self._look_again)

    # -- who may -------------------------------------------------------------------------------

    async def _look_again(self) -> None:
        while True:
            await trio.sleep(PERMISSION_SECONDS)
            if not await self._may_look(fresh=True):
                await self.close()

    async def _may_look(self, *, fresh: bool = False) -> bool:
        user = await self.load_user(fresh=fresh)
        host = self._acting().host
        return bool(await in_worker(host, lambda: self._permits(user), "permission"))

    def _permits(self, user: Any) -> bool:
        request: Any = ASGIRequest({**self.scope, "method": "GET"}, BytesIO())
        request.user, request.session = user, self.session
        site: Any = self.scope["url_route"]["kwargs"].get("site")
        allowed = user.is_active and user.is_staff if site is None else site.has_permission(request)
        return bool(allowed and user.is_active and user.has_perm(PERMISSION))

    # -- what happens --------------------------------------------------------------------------

    async def _follow_all(self) -> None:
        """Follow each process that there is, those that come later as well."""
        followed: set[str] = set()

        async def follow(process: str) -> None:
            await self._follow(process)
            followed.discard(process)
            self._news.gone(process)

        async with trio.open_nursery() as nursery:
            while True:
                for process in present():
                    if process.id not in followed:
                        followed.add(process.id)
                        nursery.start_soon(follow, process.id)
                await trio.sleep(LOOK_SECONDS)

    async def _follow(self, process: str) -> None:
        """Hear what happens in *process*, until it is gone."""
        after: int | None = None
        while True:
            question: dict[str, object] = {"ask": "events", "limit": 1}
            if after is not None:
                question |= {"limit": MOST_EVENTS, "after": after, "wait": WAIT_SECONDS}
            gathered = await aask(question, seconds=WAIT_SECONDS + 1, only=process)
            said = next(iter(gathered.answers), None)
            if said is None:
                return
            if said.answer is None:
                self._news.silent(process, said.silent)
                await trio.sleep(LOOK_SECONDS)
            elif said.error is not None:  # it can't say what happens: look yourself
                self._news.unsaid(process)
                await trio.sleep(LOOK_SECONDS)
            else:
                after = self._heard(process, said.answer, is_first=after is None)
                await trio.sleep(PAUSE_SECONDS)  # however much happens

    def _heard(self, process: str, answer: Mapping[str, Any], *, is_first: bool) -> int | None:
        """Take note of what has happened; return the number behind which to ask next."""
        if is_first:
            self._news.answered(process)
            return int(answer["next"])
        events = cast("list[Mapping[str, Any]]", answer["events"])
        paths = (str(event["path"]) for event in events)
        too_many = bool(answer["more"])
        missed = too_many or bool(answer["missed"])
        # What this stream does itself is no news: it would never end.
        others = [path for path in paths if path != self.path]
        self._news.heard(process, others, missed=missed)
        return None if too_many else int(answer["next"])

    async def _tell(self) -> None:
        """Send what is new, so often and no more often."""
        while True:
            with trio.move_on_after(QUIET_SECONDS):
                await self._news.wait()
            await self.send(event="changed", json=self._news.take())
            await trio.sleep(PAUSE_SECONDS)

    async def _live(self) -> None:
        """Say again and again that this process is there; comments are not seen by a page."""
        while True:
            await self.send("yes", event="alive")  # without data a browser drops it
            await trio.sleep(ALIVE_SECONDS)


def _is_from_here(headers: Mapping[str, str]) -> bool:
    """Say whether it is no other site's page that listens, as far as the browser says."""
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def feed_view(site: "AdminSite") -> Callable[..., HttpResponseBase]:
    """
    Return the view at the feed's URL on *site*: it answers 204, which keeps an EventSource away.

    Greenroom serves :class:`ConsoleFeed` in its place, for which it has ``greenroom_consumer``.
    """

    @require_safe
    def empty(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=204)

    def feed(request: HttpRequest) -> HttpResponse:
        if not cast("Any", request).user.has_perm(PERMISSION):  # inactive ones have none
            raise PermissionDenied(f"This needs the permission {PERMISSION}.")
        return empty(request)

    guarded: Any = site.admin_view(feed)
    guarded.greenroom_consumer = ConsoleFeed
    guarded.greenroom_site = site
    return cast("Callable[..., HttpResponseBase]", guarded)
