from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.urls import staticfiles_urlpatterns
from django.urls import include, path

from works import views

urlpatterns = [
    path("", views.index),
    path("admin/", admin.site.urls),
    path("async-pieces/", views.async_pieces),
    path("closed/", views.closed),
    path("download/<int:pk>/", views.download),
    path("live/", views.live),
    path("pid/", views.pid),
    path("ticks/", views.ticks),
    path("upload/", views.upload),
]
if settings.DEBUG:
    urlpatterns += [path("__debug__/", include("debug_toolbar.urls"))]
    urlpatterns += staticfiles_urlpatterns()
