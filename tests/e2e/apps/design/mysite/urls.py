from django.http import HttpRequest, JsonResponse
from django.urls import path

from greenroom.supervisor import current_root


def tree(request: HttpRequest) -> JsonResponse:
    """The tree, from a synchronous view."""
    return JsonResponse(current_root().snapshot_blocking().as_dict())


urlpatterns = [path("tree", tree)]
