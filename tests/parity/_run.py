# Runs cases with one library in this process: `python -m parity._run stock FILE [CASE ...]`.
#
# Each case has a loop of its own. FILE gets a line of JSON a case, as soon as it is known:
# {"case": ..., "observed": ...} or {"case": ..., "error": traceback}.

import json
import logging
import os
import sys
import tempfile
import traceback
import types
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from parity._cases import CASES, Case, Colour, all_cases
from parity._plain import plain

STOCK, OURS = "channels", "greenroom.bridges.channels"


def prepare(library: str) -> Callable[[Callable[[Any], Awaitable[Any]]], Any]:
    """Set Django up for *library*; return what runs a function with an Api."""
    from parity._settings import configure

    folder = Path(tempfile.mkdtemp(prefix="parity-"))
    if library == "greenroom":  # else "stock", or "wrong": stock with mistakes
        configure("greenroom.bridges.django", OURS, folder)
        from parity._on_trio import run

        from greenroom.bridges.asgiref import patch_asgiref

        assert patch_asgiref()
        return lambda function: run(OURS, function)
    # channels.testing imports daphne, for its live server only.
    daphne = types.ModuleType("daphne")
    testing = types.ModuleType("daphne.testing")
    testing.DaphneProcess = object
    sys.modules.update({"daphne": daphne, "daphne.testing": testing})
    configure("channels", STOCK, folder)
    from parity._on_asyncio import run

    return lambda function: run(STOCK, function)


def observe(one: Case, run: Callable[[Callable[[Any], Awaitable[Any]]], Any]) -> dict[str, Any]:
    """Run one case; return its line."""
    from parity._settings import clean, fresh_layers

    async def with_api(api: Any) -> Any:
        colour = [Colour(one.colour, api)] if one.colour else []
        return plain(await one.function(api, *colour), api.package)

    try:
        if one.database:
            clean()
        with fresh_layers():
            observed = run(with_api)
        if observed is None:
            raise ValueError("the case returned nothing")
    except BaseException:
        return {"case": one.name, "error": traceback.format_exc()}
    return {"case": one.name, "observed": observed}


def write(file: Any, lines: Iterable[dict[str, Any]]) -> None:
    """Write each line when it is there."""
    for line in lines:
        file.write(json.dumps(line) + "\n")
        file.flush()


def main() -> None:
    """See the head of the file."""
    library, path, *names = sys.argv[1:]
    logging.getLogger().addHandler(logging.NullHandler())
    run = prepare(library)
    all_cases()
    chosen = [CASES[name] for name in names] if names else list(all_cases().values())
    chosen = [one for one in chosen if not one.redis or "PARITY_REDIS" in os.environ]
    with Path(path).open("w") as file:
        if library == "wrong":
            from parity._wrong import observe_all

            write(file, observe_all(run))
        else:
            write(file, (observe(one, run) for one in chosen))


if __name__ == "__main__":
    main()
