import os

from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.urls import path

from greenroom.bridges.channels.layers import get_channel_layer
from greenroom.bridges.django import on_asyncio, on_trio


def message(text):
    return {"type": "say", "text": text}


def sync_view(request):
    async_to_sync(get_channel_layer().group_send)("room", message("sync view"))
    return HttpResponse("ok")


def blocking_view(request):
    get_channel_layer().group_send_blocking("room", message("blocking view"))
    return HttpResponse("ok")


@on_trio
async def trio_view(request):
    await get_channel_layer().group_send("room", message("trio view"))
    return HttpResponse("ok")


@on_asyncio
async def asyncio_view(request):
    await get_channel_layer().group_send("room", message("asyncio view"))
    return HttpResponse("ok")


def facts(request):
    return HttpResponse(str(os.getpid()))


urlpatterns = [
    path("sync", sync_view),
    path("blocking", blocking_view),
    path("trio", trio_view),
    path("asyncio", asyncio_view),
    path("facts", facts),
]
