"""Spans of OpenTelemetry for connections, requests, messages and restarts."""

from ._kinds import instrument as instrument
from ._kinds import uninstrument as uninstrument

__all__ = ["instrument", "uninstrument"]
