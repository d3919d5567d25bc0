# A process that runs stock channels_redis on asyncio, driven line by line through its pipes.
#
#   python stock_layer.py core|pubsub CONFIG-AS-JSON
#
# Each line in is a JSON list: a command and its arguments; each line out is its JSON result.
# Messages that its one channel receives are collected, and asked for by "got".

import asyncio
import importlib
import json
import subprocess
import sys
from typing import Any


class Peer:
    """The process, from the test's side. Blocking: call it in a thread."""

    def __init__(self, kind: str, **config: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, kind, json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the peer has ended"
        return json.loads(line)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


async def serve(layer: Any) -> None:
    loop = asyncio.get_running_loop()
    channel = await layer.new_channel()
    got: list[Any] = []

    async def collect() -> None:
        while True:
            got.append(await layer.receive(channel))

    collecting = asyncio.ensure_future(collect())
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, *arguments = json.loads(line)
        result: Any = None
        if command == "channel":
            result = channel
        elif command == "got":
            while len(got) < arguments[0]:  # noqa: ASYNC110 - a few lines for a test
                await asyncio.sleep(0.01)
            result = got
        elif command == "join":
            await layer.group_add(arguments[0], channel)
        elif command == "leave":
            await layer.group_discard(arguments[0], channel)
        else:
            result = await getattr(layer, command)(*arguments)
        print(json.dumps(result), flush=True)  # noqa: T201 - its answer
    collecting.cancel()


if __name__ == "__main__":
    import_module = importlib.import_module
    made: dict[str, Any] = {
        "core": import_module("channels_redis.core").RedisChannelLayer,
        "pubsub": import_module("channels_redis.pubsub").RedisPubSubChannelLayer,
    }
    asyncio.run(serve(made[sys.argv[1]](**json.loads(sys.argv[2]))))
