from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path
from django.views.generic import RedirectView

import chat.views
import market.views

urlpatterns = [
    path("", chat.views.lobby, name="lobby"),
    path("rooms/<slug:slug>/", chat.views.room, name="room"),
    path("founding/", chat.views.founding, name="founding"),
    path("market/history.json", market.views.history, name="market-history"),
    path("greenroom/", include("greenroom.bridges.django.urls")),  # tree.json
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url="/static/chat/icon.svg")),
    *staticfiles_urlpatterns(),  # only while DEBUG is on
]
