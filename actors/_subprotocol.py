"""Which subprotocol of those that a client offers is spoken. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def chosen(spoken: Sequence[str], scope: Mapping[str, Any]) -> str | None:
    """Return the first of *spoken* that the client of *scope* offers; None if there is none."""
    offered = scope.get("subprotocols", ())
    return next((each for each in spoken if each in offered), None)
