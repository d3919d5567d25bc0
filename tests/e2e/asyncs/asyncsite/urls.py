from django.urls import path

from . import views

urlpatterns = [
    path("plain/", views.plain),
    path("facts/", views.facts),
    path("go-on/", views.go_on),
    path("clear/", views.clear),
    path("endless/", views.endless),
    path("file/", views.large),
    *(
        path(f"{flavour}/{view.__name__}/", mark(view))
        for flavour, mark in views.FLAVOURS.items()
        for view in views.ASYNC
    ),
]
