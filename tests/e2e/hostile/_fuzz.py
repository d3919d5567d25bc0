# Random hostility: what the corpus holds, bent, and junk that looks like HTTP and like frames.
#
# In the suite by test_fuzz.py; the long form, from the folder `tests`:
#
#     python -m e2e.hostile._fuzz --connections 100000 --seed 7
#
# Each connection is made of the seed and its number and nothing else, so that one that does
# harm is found again: `--seed 7 --only 4711`. What came before it may matter, then the
# run is repeated as a whole; the order within it depends on the threads.

import argparse
import io
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass, field

from e2e._server import Server
from e2e.hostile._corpus import PROBES
from e2e.hostile._peer import Innocent, Outcome, throw
from e2e.hostile._probe import Probe, close, frame, head, upgrade
from e2e.hostile._serving import APPLICATIONS, held, serving

AT_ONCE = 12
"""Connections, each with a thread of its own."""
SEGMENT_BYTES = 8192
BATCH = 100
"""Connections between two looks at the innocent one."""

_METHODS = (b"GET", b"POST", b"HEAD", b"OPTIONS", b"PUT", b"CONNECT", b"PRI", b"g\xe9t", b"")
_TARGETS = (b"/plain", b"/body", b"/echo", b"*", b"http://a/plain", b"/%00", b"/\xff", b"//", b"")
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1 ", b"")
_NAMES = (
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect", b"TE",
    b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol", b"Trailer", b"X",
    b"Sec-WebSocket-Extensions", b"HTTP2-Settings", b"Cookie", b"Origin", b"X_Y", b"", b"\xff",
)  # fmt: skip
_VALUES = (
    b"a", b"0", b"5", b"-1", b"99999999999999999999", b"chunked", b"close", b"keep-alive", b"13",
    b"Upgrade", b"websocket", b"h2c", b"100-continue", b"dGhlIHNhbXBsZSBub25jZQ==", b"\xff", b"",
    b"permessage-deflate; client_max_window_bits=abc", b"a, b", b"\x00", b"x" * 5000,
)  # fmt: skip
_PAYLOADS = (
    b"", b"", b"x", "é€".encode(), b"x" * 130, b"x" * 3000,
    b"\x00", b"\x03\x00", b"\xaa\x06\x00", zlib.compress(bytes(300_000), wbits=-15),
)  # fmt: skip
_LINE_ENDS = (b"\r\n",) * 30 + (b"\n", b"\r", b"\r\n ", b"\x00")


def connection(seed: int, number: int, seeds: Sequence[Probe]) -> Probe:
    """Return what the connection of that number does."""
    rng = random.Random(f"{seed} {number}")
    kind = rng.choice((_bent, _bent, _grammar, _frames, _chunks))
    sent, shaken = kind(rng, seeds)
    return Probe(
        name=f"{kind.__name__.strip('_')} {number}",
        sent=tuple(_cut(rng, sent)),
        then="reset" if rng.random() < 0.1 else "half-close",
        shaken=shaken,
        deflates=rng.random() < 0.5,
    )


def _bent(rng: random.Random, seeds: Sequence[Probe]) -> tuple[bytes, bool]:
    probe = rng.choice(seeds)
    data = bytearray(b"".join(probe.sent)[: SEGMENT_BYTES * 4])
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        rng.choice(_BENDS)(rng, data, seeds)
    return bytes(data), probe.shaken


def _flip(rng: random.Random, data: bytearray, seeds: Sequence[Probe]) -> None:
    if data:
        data[rng.randrange(min(len(data), 300))] ^= 1 << rng.randrange(8)


def _put(rng: random.Random, data: bytearray, seeds: Sequence[Probe]) -> None:
    at = rng.randrange(min(len(data), 300) + 1)
    data[at:at] = rng.choice((b"\r\n", b"\n", b"\x00", b" ", b"\t", b":", b"\xff", b"\r\n\r\n"))


def _drop(rng: random.Random, data: bytearray, seeds: Sequence[Probe]) -> None:
    at = rng.randrange(len(data) + 1)
    del data[at : at + rng.choice((1, 1, 4, 100, 10_000))]


def _twice(rng: random.Random, data: bytearray, seeds: Sequence[Probe]) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.choice((1, 10, 200))] * rng.choice((1, 1, 50))


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[Probe]) -> None:
    other = b"".join(rng.choice(seeds).sent)[:SEGMENT_BYTES]
    at = rng.randrange(len(data) + 1)
    data[at:] = other[rng.randrange(len(other) + 1) :]


_BENDS: tuple[Callable[..., None], ...] = (_flip, _flip, _put, _drop, _twice, _splice)


def _grammar(rng: random.Random, seeds: Sequence[Probe]) -> tuple[bytes, bool]:
    requests: list[bytes] = []
    for _ in range(rng.choice((1, 1, 2, 5))):
        if rng.random() < 0.4:
            extra = [_header(rng) for _ in range(rng.randrange(3))]
            requests.append(upgrade(*extra) + rng.randbytes(rng.choice((0, 0, 1, 50))))
            continue
        first = rng.choice(_METHODS[:2] * 5 + _METHODS), rng.choice(_TARGETS), _version(rng)
        lines = [b" ".join(first), *[b"Host: a"] * (rng.random() < 0.9)]
        lines += [_header(rng) for _ in range(rng.choice((0, 1, 2, 5, 120)))]
        request = b"".join(line + rng.choice(_LINE_ENDS) for line in lines) + b"\r\n"
        requests.append(request + rng.randbytes(rng.choice((0, 5, 100))))
    return b"".join(requests), False


def _header(rng: random.Random) -> bytes:
    return (
        rng.choice(_NAMES) + rng.choice((b": ",) * 8 + (b" :", b"", b":\t")) + rng.choice(_VALUES)
    )


def _version(rng: random.Random) -> bytes:
    return rng.choice(_VERSIONS[:1] * 8 + _VERSIONS)


def _chunks(rng: random.Random, seeds: Sequence[Probe]) -> tuple[bytes, bool]:
    data = head(b"POST /body HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked")
    for _ in range(rng.choice((0, 1, 3, 30))):
        size = rng.choice((0, 1, 5, 300)) if rng.random() < 0.1 else rng.choice((1, 5, 300))
        said = size if rng.random() < 0.95 else size + rng.choice((-1, 1, 1 << 64))
        form = rng.choice((b"%x",) * 9 + (b"%X;a=b", b"+%x", b"0x%x", b" %x", b"%x ", b"000%x"))
        data += form % max(0, said) + rng.choice(_LINE_ENDS) + rng.randbytes(size)
        data += rng.choice(_LINE_ENDS)
    return data + rng.choice((b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\r\n", b"", b"0\n\n")), False


def _frames(rng: random.Random, seeds: Sequence[Probe]) -> tuple[bytes, bool]:
    data = b""
    for _ in range(rng.choice((1, 3, 20, 100))):
        opcode = rng.choice((0, 1, 1, 2, 2, 8, 9, 10, rng.randrange(16)))
        payload = rng.choice(_PAYLOADS) or rng.randbytes(20)
        if opcode == 8 and rng.random() < 0.5:
            data += close(rng.randrange(65536), payload[:20])
            continue
        odd = rng.random() < 0.1
        data += frame(
            opcode,
            payload[:125] if opcode > 7 and not odd else payload,
            final=rng.random() < 0.7,
            reserved=rng.randrange(8) if odd else 4 * (rng.random() < 0.2),
            mask=None if odd and rng.random() < 0.3 else rng.randbytes(4),
            length=rng.choice((None, None, rng.randrange(1 << 63))) if odd else None,
            size=8 if odd else 0,
        )
    return data, True


def _cut(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """Yield *data* in a few segments, now and then in many."""
    many = rng.random() < 0.05
    at = 0
    while at < len(data):
        size = rng.randrange(1, 20) if many and at < 500 else rng.randrange(1, 2 * SEGMENT_BYTES)
        yield data[at : at + size]
        at += size


# -- a run ----------------------------------------------------------------------------------------


@dataclass
class Run:
    """What came of so many connections."""

    ended: Counter[str] = field(default_factory=Counter[str])
    answers: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        """For people: the counts, and the first faults."""
        lines = [*map(str, (dict(self.ended), self.answers.most_common())), *self.faults[:20]]
        return "\n".join(f"  {line}" for line in (*lines, f"{len(self.faults)} faults"))


def run(
    server: Server, connections: Sequence[int], seed: int | None, *, http2: bool = False
) -> Run:
    """
    Throw *connections*, by their numbers, at *server*; stop where somebody else is harmed.

    Without a *seed* they are the corpus as it is, over and over, but for what drips.
    """
    seeds = [probe for probe in PROBES.values() if probe.theirs == http2]
    unbent = [probe for probe in seeds if not probe.drip]
    found = Run()
    alone = held(server)
    innocent = Innocent(server.port)
    assert innocent.ask()
    fresh = held(server)
    mark = server.mark()

    def one(number: int) -> None:
        same = unbent[number % len(unbent)]
        probe = same if seed is None else connection(seed, number, seeds)
        try:
            outcome = throw(server.port, probe, 2.0 if http2 else 20.0)
        except (OSError, AssertionError) as error:
            found.faults.append(f"{probe.name}: {error!r}")
            return
        found.ended[outcome.ended] += 1
        found.answers[_answer(outcome)] += 1
        if outcome.ended == "late" and not http2:
            found.faults.append(f"{probe.name}: not ended. {b''.join(probe.sent)[:500]!r}")

    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for at in range(0, len(connections), BATCH):
                list(pool.map(one, connections[at : at + BATCH]))
                if not innocent.ask() or server.process.poll() is not None:
                    found.faults.append(f"the server died among {connections[at : at + BATCH]}")
                    return found
        if not http2:
            server.until("what they held is given back", lambda: held(server) == fresh)
            if "Traceback" in server.said(mark):
                found.faults.append(f"it said:\n{server.said(mark)[-6000:]}")
    finally:
        innocent.close()
    if not http2:  # else he would be counted when the next run begins
        server.until("the innocent one has gone", lambda: held(server) == alone)
    return found


def _answer(outcome: Outcome) -> str:
    if outcome.shaken:
        return f"close {outcome.close_code}"
    return f"status {outcome.statuses[0]}" if outcome.statuses else "no answer"


def main() -> int:
    """Fuzz both applications; return 0 if nobody was harmed."""
    parser = argparse.ArgumentParser(description="Random hostility against real servers.")
    parser.add_argument("--connections", type=int, default=100_000, help="for each application")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the connection of this number, and no other")
    parser.add_argument("--app", choices=APPLICATIONS, action="append")
    parser.add_argument("--http2", action="store_true", help="bend hypercorn's HTTP/2 instead")
    arguments = parser.parse_args()
    numbers = range(arguments.connections)
    if arguments.only is not None:
        numbers = range(arguments.only, arguments.only + 1)
    harmed = False
    for application in arguments.app or APPLICATIONS:
        began = time.monotonic()
        with redirect_stdout(io.StringIO()), serving(application) as server:  # it says much
            found = run(server, numbers, arguments.seed, http2=arguments.http2)
        seconds = time.monotonic() - began
        sys.stdout.write(f"{application}: {len(numbers)} connections in {seconds:.0f} s\n{found}\n")
        harmed = harmed or bool(found.faults)
    return 1 if harmed else 0


if __name__ == "__main__":
    sys.exit(main())
