# All ways to the database: views, async views, `def` handlers, async handlers, residents.
import os
import threading
from weakref import WeakSet

from django.db import transaction
from django.db.backends.signals import connection_created
from django.http import HttpRequest, JsonResponse
from django.urls import path
from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.supervisor import current_root

from .models import Note


class Connections:
    """The process's own connections, counted when one is opened: then there are most."""

    def __init__(self) -> None:
        self._all: WeakSet = WeakSet()
        self._lock = threading.Lock()
        self.most = 0
        self.ever = 0
        connection_created.connect(self._note)

    def _note(self, connection, **_: object) -> None:
        with self._lock:
            self._all.add(connection)
            self.ever += 1
            self.most = max(self.most, self.now)

    @property
    def now(self) -> int:
        return sum(each.connection is not None for each in self._all)


connections = Connections()


def tell(text: str) -> None:
    """Tell the resident and the room, when what was written is there for all to see."""
    root = current_root()

    def told() -> None:
        root.find("/residents/ledger").cast({"type": "wrote", "text": text})
        root.groups.send("written", text=f"written {text}")

    transaction.on_commit(told)


def write(text: str, *, fail: bool = False) -> int:
    with transaction.atomic():
        note = Note.objects.create(text=text)
        tell(text)
        if fail:
            raise LookupError(text)
    return note.pk


def written(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"pk": write(request.GET["text"], fail="fail" in request.GET)})


def counted(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"count": Note.objects.filter(text=request.GET["text"]).count()})


async def asked(request: HttpRequest) -> JsonResponse:
    note = await Note.objects.acreate(text="asked")
    return JsonResponse({"count": await Note.objects.filter(pk=note.pk).acount()})


def left_open(request: HttpRequest) -> JsonResponse:
    transaction.atomic().__enter__()
    return JsonResponse({"pk": Note.objects.create(text="left-open").pk})


def hold(request: HttpRequest) -> JsonResponse:
    """Hold one connection, and ask the resident's thread for another."""
    with transaction.atomic():
        Note.objects.count()
        counted = current_root().find("/residents/ledger").call_blocking({"type": "count"})
    return JsonResponse({"count": counted})


def state(request: HttpRequest) -> JsonResponse:
    """What the process has; no view of these asks the database."""
    ledger = current_root().find("/residents/ledger")
    pools = [pool.statistics() for pool in current_root().pools]
    return JsonResponse({
        "pid": os.getpid(),
        "now": connections.now,
        "most": connections.most,
        "ever": connections.ever,
        "told": ledger.call_blocking({"type": "told"}, timeout=10),
        "threads": sorted(each.name for each in threading.enumerate()),
        "busy": sum(each.running + each.queued + each.parked for each in pools) - 1,
    })


class Ledger(Actor):
    """A resident that is told of what was written, and looks whether it is there."""

    restart = "permanent"

    def started(self) -> None:
        self.told: list[list[object]] = []

    @handles("wrote")
    def wrote(self, message: dict) -> None:
        self.told.append([message["text"], Note.objects.filter(text=message["text"]).count()])

    @handles("count")
    def count(self, message: dict) -> int:
        return Note.objects.count()

    @handles("told")
    async def tell(self, message: dict) -> list[list[object]]:
        return self.told[-100:]


class Writer(WebsocketConsumer):
    """Does what it is told with the database."""

    max_restarts = None

    def receive(self, text: str) -> None:
        what, _, rest = text.partition(" ")
        if what == "join":
            self.join("written")
            self.send(text="joined")
        elif what == "write":
            self.send(text=f"wrote {bool(write(rest))}")
        elif what == "touch":
            self.send(text=f"touched {Note.objects.filter(pk=0).count()}")
        elif what == "fail":
            write(rest, fail=True)
        elif what == "open":
            transaction.atomic().__enter__()
            Note.objects.create(text=rest)
            self.send(text="opened")
        elif what == "count":
            self.send(text=f"counted {Note.objects.filter(text=rest).count()}")


class AsyncWriter(WebsocketConsumer):
    async def receive(self, text: str) -> None:
        note = await Note.objects.acreate(text=text)
        await self.send(text=f"counted {await Note.objects.filter(pk=note.pk).acount()}")


urlpatterns = [
    path("write/", written),
    path("count/", counted),
    path("async/", asked),
    path("open/", left_open),
    path("hold/", hold),
    path("state/", state),
]
