from django.urls import include, path

import chat.views

urlpatterns = [
    path("announce/<slug:room>/", chat.views.announce),
    path("greenroom/", include("greenroom.bridges.django.urls")),
]
