# `python scripts/parity_table.py`: run the parity suite and write its table,
# docs/reference/channels-parity.md. Needs what `make test` installs, and redis-server.

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from parity._results import results
from parity._servers import all_server_cases, server_results
from parity._table import PAGE, first_part, second_part

if __name__ == "__main__":
    parts = (first_part(results()), second_part(all_server_cases().values(), server_results()))
    PAGE.write_text("\n".join(parts))
    print(f"wrote {PAGE}")
