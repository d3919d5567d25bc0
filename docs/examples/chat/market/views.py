from django.http import HttpRequest, JsonResponse

from greenroom.actors import GreenroomError
from greenroom.supervisor import current_root

from .actors import GetHistory
from .walk import COMPANIES


def history(request: HttpRequest) -> JsonResponse:
    """The latest prices. An ordinary view, in a thread, asks an actor and waits."""
    root = current_root()
    if root is None:  # no server around this view, as in a test
        return JsonResponse({"error": "no server is running"}, status=503)
    try:
        prices = root.find("/residents/ticker").call_blocking(GetHistory(), timeout=2)
    except GreenroomError as error:  # backing off, parked, or too slow
        return JsonResponse({"error": str(error)}, status=503)
    names = {symbol: name for symbol, (name, _) in COMPANIES.items()}
    return JsonResponse({"names": names, "prices": prices})
