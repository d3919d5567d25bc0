# Consumers of HTTP with annotations, among the routes of an application.
from __future__ import annotations

from greenroom.actors import EventHistory, EventStreamConsumer, HttpConsumer, handles
from greenroom.bridges.django import Greenroom, django_application, path, re_path
from greenroom.bridges.testing import StreamEvent, serve

LOG = EventHistory(events=10)


class Report(HttpConsumer):
    body_bytes = 1000
    answer_seconds = None

    def handle(self, body: bytes) -> None:
        year: str = self.query.get("year", self.headers["x-year"])
        self.respond(201, json={"year": year, "method": self.method}, headers=[("x-a", b"b")])

    def disconnect(self, reason: str) -> None:
        print(reason)


class Upload(HttpConsumer):
    cancel_on_disconnect = True

    async def connect(self, message: dict[str, object]) -> None:
        await self.start(200, trailers=True)

    async def chunk(self, data: bytes, last: bool) -> None:
        await self.send(bytes=data)
        if last:
            await self.finish("end", trailers=[("x-sum", "1")])


class Feed(EventStreamConsumer):
    history = LOG
    heartbeat_seconds = 5

    def connect(self, last_event_id: str, missed: bool, body: bytes) -> None:
        self.accept(retry=100)
        self.send("text", event="kind", id="1")

    @handles("tick")
    async def tick(self, message: dict[str, object]) -> None:
        await self.send(json=message)
        await self.comment("still here")
        self.close(retry=5)


application = Greenroom(
    http=[
        path("report/", Report),
        path("upload/", Upload.as_asgi()),
        path("feed/", "http_consumers.Feed", name="feed"),
        re_path(r"", django_application()),
    ]
)


async def test_feed() -> None:
    async with serve(application) as server:
        async with server.event_stream("/feed/", last_event_id="1") as stream:
            event: StreamEvent = await stream.next_event()
            assert event.data == "text"
        async with server.request("POST", "/upload/", body=None) as request:
            request.send_part(b"x", last=True)
            status: int = await request.begun()
            assert status == 200
