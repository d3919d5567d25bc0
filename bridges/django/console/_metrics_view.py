# /metrics: what Prometheus scrapes, of all worker processes, whichever one the scrape lands in.

from django.http import HttpRequest, HttpResponse

from ...inspection import ProcessId
from . import _ask
from ._api_gate import Asker, api_view
from ._api_query import read
from ._api_reply import Refused

SECONDS = 1.0
"""How long the processes are waited for; a scraper waits ten as a rule."""


@api_view()
def metrics_view(request: HttpRequest, asker: Asker) -> HttpResponse:
    """Answer with the metrics of all processes, as text for Prometheus."""
    read(request.GET.lists(), ())
    try:
        from ...metrics import ProcessMetrics, exposition
    except ImportError:
        raise Refused(
            "not-installed",
            "This needs prometheus-client: pip install 'greenroom[metrics]'. The same figures as"
            " JSON are at api/v1/metrics.",
        ) from None
    gathered = _ask.ask({"ask": "metrics"}, seconds=SECONDS)
    processes = [
        ProcessMetrics(_name(said.process), (said.answer or {}).get("metrics"))
        for said in gathered.answers
    ]
    content_type, body = exposition(processes, gathered.seconds, request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _name(process: ProcessId) -> str:
    return str(process.pid) if process.tree == 1 else f"{process.pid}:{process.tree}"
