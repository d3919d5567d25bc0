from django.http import HttpResponse
from django.views.decorators.http import require_POST

from greenroom.supervisor import current_root


@require_POST
def announce(request, room):
    """An ordinary view, in a worker thread: say something to everybody in a room."""
    reached = current_root().groups.send(f"room.{room}", text=request.body.decode())
    return HttpResponse(f"sent to {reached}\n")
