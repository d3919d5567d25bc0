from django.contrib import admin
from django.urls import include, path, re_path

from . import views

handler500 = "paritysite.views.server_error"

urlpatterns = [
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
    path("activate/<language>/<path:zone>/", views.activate),
    path("async/<kind>/", views.async_view),
    path("atomic/<kind>/", views.atomic),
    path("atomic-async/", views.atomic_async),
    path("body/<kind>/", views.body),
    path("cached/", views.cached),
    path("condition/", views.with_condition),
    path("cookies/", views.cookies),
    re_path("^echo/(?P<rest>.*)$", views.echo),
    path("file/<kind>/", views.file),
    path("form/", views.form),
    path("local/", views.local),
    path("marks/", views.marks),
    path("message/", views.message),
    path("pending/", views.pending),
    path("permitted/", views.permitted),
    path("private/", views.private),
    path("raise/<kind>/", views.raises),
    path("session/<kind>/", views.session),
    path("session/<kind>/async/", views.async_session),
    path("signals/", views.signals_so_far),
    path("slash/", views.slash, name="slash"),
    path("status/<int:status>/", views.with_status),
    path("stream/<kind>/", views.stream),
    path("who/", views.who),
]
