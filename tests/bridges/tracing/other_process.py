# The other process of test_processes.py: sends to a group through Redis, within a span, and prints
# which it was.

import json
import sys

import trio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from greenroom.bridges.asgi import Application
from greenroom.bridges.engines.redis import RedisEngine
from greenroom.bridges.testing import serve
from greenroom.bridges.tracing import instrument


async def main(url: str) -> None:
    """Send, and print trace and span."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    instrument(tracer_provider=provider)
    engine = RedisEngine([url])
    async with serve(Application(engine=lambda: engine)) as server:
        with trio.fail_after(20):
            while not engine.peers():  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
        server.root.groups.send("news", {"type": "news"})
        with trio.fail_after(20):
            while engine.statistics().lag_messages:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
            await engine._lanes[0].pubsub.link.requests([("PING",)])  # behind it, so it is out
    [sent] = [span for span in memory.get_finished_spans() if span.name == "send to group"]
    context = sent.get_span_context()
    print(json.dumps({"trace": f"{context.trace_id:032x}", "span": f"{context.span_id:016x}"}))  # noqa: T201


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
