from django.http import HttpRequest, HttpResponse


def page(request: HttpRequest) -> HttpResponse:
    """Say which version of this file it is."""
    return HttpResponse("the first page")
