# The corpus: every probe there is, by its name. test_hostile.py runs it, _fuzz.py mutates it.

from e2e.hostile._http import BODIES, HEADS, SMUGGLING
from e2e.hostile._http2 import HTTP2
from e2e.hostile._probe import Probe
from e2e.hostile._websocket import WEBSOCKET


def _by_name(*probes: Probe) -> dict[str, Probe]:
    found = {probe.name: probe for probe in probes}
    assert len(found) == len(probes), "two probes of one name"
    return found


PROBES = _by_name(*SMUGGLING, *BODIES, *HEADS, *HTTP2, *WEBSOCKET)
