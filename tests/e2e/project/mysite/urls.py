from django.contrib import admin
from django.urls import include, path
from notes import views

urlpatterns = [
    path("", views.hello),
    path("admin/", admin.site.urls),
    path("greenroom/", include("greenroom.bridges.django.urls")),
    path("async/", views.async_hello),
    path("count/", views.count),
    path("db/", include("notes.databases")),
    path("digest/", views.digest),
    path("download/", views.download),
    path("echo/", views.echo),
    path("endless/", views.endless),
    path("notes/", views.notes),
    path("raises/", views.raises),
    path("raises-in-stream/", views.raises_in_stream),
    path("seen/", views.seen),
    path("sign-in/", views.sign_in),
    path("unwritable/", views.unwritable),
    path("upload/", views.upload),
]
