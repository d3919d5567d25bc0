from django.contrib.auth.decorators import user_passes_test
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from greenroom.actors import GreenroomError
from greenroom.supervisor import current_root

staff_only = user_passes_test(lambda user: user.is_active and user.is_staff)


@require_POST
@staff_only
def restart(request, place):
    """An ordinary view, in a worker thread: begin an actor anew, in its place."""
    root = current_root()
    try:
        epoch = root.from_thread(root.restart, f"/{place}", f"by {request.user}", timeout=35)
    except (GreenroomError, TypeError) as error:
        return HttpResponse(f"{error}\n", status=409)
    return HttpResponse(f"epoch {epoch}\n")


@require_POST
@staff_only
def stop(request, name):
    """Stop a resident; it stays down until somebody starts it."""
    root = current_root()
    try:
        root.from_thread(root.residents.stop_child, name)
    except GreenroomError as error:
        return HttpResponse(f"{error}\n", status=409)
    return HttpResponse("stopped\n")
