# path("greenroom/", include("greenroom.bridges.django.urls")) in a project's urls.py

from django.urls import path

from ._views import tree_view

app_name = "greenroom"

urlpatterns = [path("tree.json", tree_view, name="tree")]
