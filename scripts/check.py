# `make check`: every static check, one line each; the output only of those that complain.

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGE = sorted(
    str(path.relative_to(ROOT))
    for folder in ("actors", "supervisor", "bridges")
    for path in (ROOT / folder).rglob("*.py")
)

# What ruff does not know of, above all 103 and 104: Cancelled must be raised again. Off:
#   109       `timeout` is part of the API: ref.call(..., timeout=5)
#   114, 128  want a list of the functions that nursery.start() runs
#   115       trio.sleep(0) keeps trio.lowlevel in one module
#   9xx       want a checkpoint in every async function; ours say whether they are one
ASYNC_RULES = ["--enable=ASYNC", "--disable=ASYNC109,ASYNC114,ASYNC115,ASYNC128,ASYNC9"]

CHECKS = {
    "lint": ["ruff", "check", "--quiet", "--output-format=concise", "."],
    "format": ["ruff", "format", "--check", "--output-format=concise", "."],
    "async rules": ["flake8-async", *ASYNC_RULES, *PACKAGE],
    "types": ["pyright", "--pythonpath", sys.executable],
    "types of user code (pyright)": [
        *("pyright", "--pythonpath", sys.executable, "--project", "tests/typing"),
    ],
    "types of user code (mypy)": ["mypy", "--config-file", "tests/typing/mypy.ini", "tests/typing"],
}


def main() -> int:
    """Run every check, beside each other; return 1 if any complained."""
    started = time.monotonic()
    running = {name: start(command) for name, command in CHECKS.items()}
    complaints = [name for name, process in running.items() if not passes(name, process)]
    if complaints:
        print(f"make check: {len(complaints)} of {len(CHECKS)} failed: {', '.join(complaints)}")
        return 1
    print(f"make check: all {len(CHECKS)} passed in {time.monotonic() - started:.0f} s")
    return 0


def start(command: list[str]) -> subprocess.Popen[str]:
    """Start one check."""
    return subprocess.Popen(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        # Tools look beside each other for the interpreter (mypy's Django plugin, pyright's node).
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def passes(name: str, process: subprocess.Popen[str]) -> bool:
    """Wait for one check and print how it went; the rest only if it complained."""
    output, _ = process.communicate()
    print(f"{name:32} {'FAILED' if process.returncode else 'ok'}", flush=True)
    if process.returncode:
        print(output, flush=True)
    return process.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
