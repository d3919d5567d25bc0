from django.http import HttpRequest, JsonResponse

from greenroom.actors import GreenroomError
from greenroom.supervisor import current_root

from .actors import GetHistory
from .walk import COMPANIES


def history(request: HttpRequest) -> JsonResponse:
    """The latest prices. An ordinary view, in a thread, asks an actor and waits."""
    try:
        ticker = current_root().find("/residents/ticker")
        prices = ticker.call_blocking(GetHistory(), timeout=2)
    except (LookupError, GreenroomError) as error:  # backing off, parked, or too slow
        return JsonResponse({"error": str(error)}, status=503)
    names = {symbol: name for symbol, (name, _) in COMPANIES.items()}
    return JsonResponse({"names": names, "prices": prices})
