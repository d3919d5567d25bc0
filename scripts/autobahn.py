# Autobahn's test suite against Greenroom's WebSocket connections: `python scripts/autobahn.py`.
#
# Starts an echo under `hypercorn -k trio`, has every case run against it, with compression, which
# sections 12 and 13 ask for, from the first byte on; prints the counts and every case that is not
# OK by name. Two echoes: `bare` is a plain ASGI application, `consumer` one of Greenroom's, whose
# messages take the other way through the connection. Exit status 0: none failed, and each ended
# with a close code.
#
# Autobahn's own runner needs Python 2.7. kosoku drives the same case files and comes into an
# environment of its own, made here and thrown away, as nothing else needs it. This file is run by
# both interpreters, so what is not in the standard library is imported where it is used.

import argparse
import asyncio
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

KOSOKU = "kosoku==0.1.0"
CASES = [f"{section}.*" for section in (*range(1, 8), 9, 10, 12, 13)]
APPS = ("bare", "consumer")
MESSAGE_BYTES = 16 << 20  # the largest of 9.*
FRAGMENTS = 1 << 17  # 9.3.1 cuts 4 MiB into 64 bytes each
LIMITS = {"message_bytes": MESSAGE_BYTES, "fragments": FRAGMENTS, "compress_from_bytes": 0}
# Of these the standard says nothing; Autobahn only writes down what happened.
UNSPECIFIED = frozenset(("7.1.6", "7.13.1", "7.13.2"))

ANSWERS = {
    "lifespan.startup": "lifespan.startup.complete",
    "lifespan.shutdown": "lifespan.shutdown.complete",
    "websocket.connect": "websocket.accept",
    "websocket.receive": "websocket.send",
}
LAST_EVENTS = ("http.request", "lifespan.shutdown", "websocket.disconnect")

Case = dict[str, Any]


def main() -> int:
    """Run the suite against each echo; return 0 if all is well."""
    parser = argparse.ArgumentParser(description="Autobahn against Greenroom's connections.")
    parser.add_argument("--app", choices=APPS, action="append", help="only this echo")
    parser.add_argument("--case", action="append", help="only these, such as 7.* (repeatable)")
    parser.add_argument("--drive", metavar="URL", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    cases = arguments.case or CASES
    if arguments.drive:
        print(json.dumps(asyncio.run(drive(arguments.drive, cases))))
        return 0
    good = True
    with tempfile.TemporaryDirectory(prefix="greenroom-autobahn-") as folder:
        python = install_kosoku(Path(folder))
        for app in arguments.app or APPS:
            began = time.monotonic()
            with serving(app, Path(folder) / f"{app}.log") as url:
                results = run_cases(python, url, cases)
            good = report(app, results, time.monotonic() - began) and good
    return 0 if good else 1


# -- the server -----------------------------------------------------------------------------------


def bare() -> Any:
    """Return an echo in plain ASGI: text as text, bytes as bytes. For hypercorn to call."""
    from greenroom.bridges.hypercorn import Limits, install

    install(Limits(**LIMITS))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        kind = ""
        while kind not in LAST_EVENTS:
            event = await receive()
            kind = event["type"]
            if kind in ANSWERS:
                with suppress(OSError):  # the client is gone
                    await send({**event, "type": ANSWERS[kind]})

    return application


def consumer() -> Any:
    """Return an echo that is one of Greenroom's consumers. For hypercorn to call."""
    from greenroom.actors import WebsocketConsumer
    from greenroom.bridges.asgi import Application, Match
    from greenroom.bridges.hypercorn import Limits

    class Echo(WebsocketConsumer):
        async def receive(self, text: str | None, bytes: bytes | None = None) -> None:
            await self.send(text=text, bytes=bytes)

    class Everywhere:
        def match(self, scope: Any) -> Match:
            return Match(Echo, name="echo")

    application = Application(router=Everywhere())
    application.connection_limits = Limits(**LIMITS)
    return application


@contextmanager
def serving(app: str, log: Path) -> Generator[str]:
    """Serve *app* in a process of its own; yield its address."""
    command = [sys.executable, "-m", "hypercorn", "-k", "trio", "--bind", "127.0.0.1:0"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, f"autobahn:{app}()"],
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield address(process, log)
        finally:
            ended = process.poll()
            process.terminate()
            process.wait()
            said = log.read_text()
            if ended is not None or "Traceback" in said:
                print(f"the server of {app!r} said:\n{said[-4000:]}")
    if ended is not None:
        sys.exit(f"autobahn: the server of {app!r} ended by itself, with {ended}")


def address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until *process* has written where it serves; return that."""
    give_up = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < give_up:
        if found := re.search(r"Running on http://(\S+:\d+)", log.read_text()):
            return f"ws://{found[1]}"
        time.sleep(0.05)
    sys.exit("autobahn: the server did not start")


# -- the client -----------------------------------------------------------------------------------


def install_kosoku(folder: Path) -> Path:
    """Make an environment with kosoku below *folder*; return its interpreter."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", KOSOKU], check=True)
    return python


def run_cases(python: Path, url: str, cases: Sequence[str]) -> list[Case]:
    """Have *cases* run against *url* by the interpreter that has kosoku."""
    command = [str(python), __file__, "--drive", url]
    for case in cases:
        command += ["--case", case]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode < 0:
        print(f"kosoku was ended by signal {-done.returncode}, which happens to it; once more")
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    done.check_returncode()
    return json.loads(done.stdout.splitlines()[-1])


async def drive(url: str, cases: Sequence[str]) -> list[Case]:
    """Run *cases* against *url*, in kosoku's environment; return what came of each."""
    import kosoku  # pyright: ignore[reportMissingImports]

    kosoku_: Any = kosoku
    give_bytes_to_compression_cases()
    try:
        results = await kosoku_.run_fuzzingclient(url, cases)
    except kosoku_.FailureError as failure:
        results = failure.results
    return [
        {
            "case": each.case_id,
            "behavior": each.behavior.value,
            "close": each.behavior_close.value,
            "code": each.remote_close_code,
            "what": f"{each.result} {each.result_close}",
        }
        for each in results
    ]


def give_bytes_to_compression_cases() -> None:
    """
    Have kosoku's sections 12 and 13 take messages that came without compression.

    An echo that compression would make longer comes back as it is, which RFC 7692, 6 leaves to
    the sender. kosoku 0.1 then hands its case a str of the payload's bytes, Python 2's type for
    them, where the case needs bytes.
    """
    index: Any = importlib.import_module("kosoku._caseindex")
    index.initialize_shims()
    cases: Any = importlib.import_module("case12_x_x")
    for case in (*cases.Case12_X_X, *cases.Case13_X_X):
        case.onMessage = _with_bytes(case.onMessage)


def _with_bytes(on_message: Any) -> Any:
    def on_message_of_bytes(self: Any, message: Any, binary: bool) -> None:
        on_message(self, message.encode("latin-1") if isinstance(message, str) else message, binary)

    return on_message_of_bytes


def report(app: str, results: Sequence[Case], seconds: float) -> bool:
    """Print the counts and every case that is not OK; say whether all is well."""
    counts = Counter(each["behavior"] for each in results)
    closes = Counter(each["close"] for each in results)
    named = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    print(f"{app}: {len(results)} cases in {seconds:.0f} s: {named}")
    print(
        f"  closes: {', '.join(f'{count} {verdict}' for verdict, count in sorted(closes.items()))}"
    )
    for each in results:
        if each["behavior"] != "OK" or each["close"] not in ("OK", "INFORMATIONAL"):
            print(f"  {each['case']}: {each['behavior']}, close {each['close']}: {each['what']}")
    lacking = [each["case"] for each in results if each["code"] is None]
    print(f"  without a close code: {len(lacking)} {' '.join(lacking)}")
    failed = [each for each in results if not passes(each)]
    return bool(results) and not failed and not lacking


def passes(result: Case) -> bool:
    """Say whether a case went as it may."""
    unspecified = result["behavior"] == "INFORMATIONAL" and result["case"] in UNSPECIFIED
    behaved = result["behavior"] in ("OK", "NON-STRICT") or unspecified
    return behaved and result["close"] in ("OK", "INFORMATIONAL")


if __name__ == "__main__":
    sys.exit(main())
