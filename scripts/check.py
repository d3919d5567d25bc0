# `make check`: every static check in turn, one line each; the output only of those that complain.

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
    """Run every check; return 1 if any complained."""
    complaints = [name for name, command in CHECKS.items() if not passes(name, command)]
    if complaints:
        print(f"make check: {len(complaints)} of {len(CHECKS)} failed: {', '.join(complaints)}")
        return 1
    print(f"make check: all {len(CHECKS)} passed")
    return 0


def passes(name: str, command: list[str]) -> bool:
    """Run one check and print how it went; the rest only if it complained."""
    start = time.monotonic()
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        # Tools look beside each other for the interpreter (mypy's Django plugin, pyright's node).
        env={**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    verdict = "FAILED" if done.returncode else "ok"
    print(f"{name:32} {verdict:6} {time.monotonic() - start:5.1f} s", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
