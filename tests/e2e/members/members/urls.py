# Log in, log out, and what the staff can do.

from typing import Any

from django.contrib.auth import authenticate, get_user_model, login, logout
from django.http import HttpRequest, HttpResponse
from django.urls import path

from greenroom.bridges.django import adisconnect_user, connections_of, disconnect_user


def enter(request: HttpRequest) -> HttpResponse:
    user: Any = authenticate(request, username=request.GET["name"], password="secret")
    login(request, user)
    return HttpResponse("in")


def leave(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse("out")


def who(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user} {request.session.get('seen')}")


def ban(request: HttpRequest) -> HttpResponse:
    user = get_user_model().objects.get(username=request.GET["name"])
    there = len(connections_of(user))
    return HttpResponse(f"{there} {disconnect_user(user, code=4403, reason='banned')}")


async def aban(request: HttpRequest) -> HttpResponse:
    user = await get_user_model().objects.aget(username=request.GET["name"])
    return HttpResponse(str(await adisconnect_user(user)))


def deactivate(request: HttpRequest) -> HttpResponse:
    get_user_model().objects.filter(username=request.GET["name"]).update(is_active=False)
    return HttpResponse("done")


urlpatterns = [
    path("enter/", enter),
    path("leave/", leave),
    path("who/", who),
    path("ban/", ban),
    path("aban/", aban),
    path("deactivate/", deactivate),
]
