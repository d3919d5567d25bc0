# Runs both layers of the suite and writes the table; see scripts/parity_table.py.

from parity._results import results
from parity._servers import all_server_cases, server_results
from parity._table import PAGE, first_part, second_part

if __name__ == "__main__":
    parts = (first_part(results()), second_part(all_server_cases().values(), server_results()))
    PAGE.write_text("\n".join(parts))
