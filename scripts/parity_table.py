# `python scripts/parity_table.py`: run the parity suite and write its table,
# docs/reference/channels-parity.md. Needs what `make test` installs, and redis-server.

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"

if __name__ == "__main__":
    command = [sys.executable, "-m", "parity._write_table"]
    sys.exit(subprocess.run(command, cwd=TESTS, check=False).returncode)
