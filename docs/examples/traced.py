# An order comes in by WebSocket, and a resident books it. Run this file and read the spans.
import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from greenroom.actors import Actor, WebsocketConsumer, handles
from greenroom.bridges.asgi import Application, Match
from greenroom.bridges.testing import serve, virtual_clock
from greenroom.bridges.tracing import instrument


class Orders(WebsocketConsumer):

    def receive(self, text):                    # in a worker thread: its span is current there
        books = self.find("/residents/books")
        price = books.call_blocking({"type": "price", "of": text})
        self.cast(books, {"type": "sold", "of": text})
        self.send(text=f"{text}: {price}")


class Books(Actor):

    @handles("price")
    async def on_price(self, message):
        return {"tea": 3, "coffee": 4}[message["of"]]

    @handles("sold")
    async def on_sold(self, message):
        raise OSError("the disk is full")


class Routes:
    def match(self, scope):
        return Match(Orders, name="orders")


def show(spans, parent=None, depth=0):
    for span in sorted(spans, key=lambda span: span.start_time):
        if (span.parent and span.parent.span_id) == parent:
            said = [span.name, span.status.status_code.name, *(event.name for event in span.events)]
            print("  " * depth + " ".join(said))
            show(spans, span.context.span_id, depth + 1)


async def main():
    application = Application(router=Routes(), children=[Books])
    async with serve(application) as server, server.websocket("/orders") as client:
        client.send_text("tea")
        await client.receive_text()
        await server.wait_restarted("/residents/books")


if __name__ == "__main__":
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrument(tracer_provider=provider)
    trio.run(main, clock=virtual_clock())
    show(memory.get_finished_spans())
