# path("greenroom/", include("greenroom.bridges.django.urls")) in a project's urls.py

from django.urls import path

from ._views import tree_view
from .console._api_urls import api_urls
from .console._health import live_view, ready_view
from .console._metrics_view import metrics_view

app_name = "greenroom"

urlpatterns = [
    path("tree.json", tree_view, name="tree"),
    path("health/live", live_view, name="live"),
    path("health/ready", ready_view, name="ready"),
    path("metrics", metrics_view.open(), name="metrics"),
    *api_urls(),
]
