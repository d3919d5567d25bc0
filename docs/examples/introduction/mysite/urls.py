from django.urls import include, path

import chat.operate
import chat.views

urlpatterns = [
    path("announce/<slug:room>/", chat.views.announce),
    path("operate/restart/<path:place>/", chat.operate.restart),
    path("operate/stop/<slug:name>/", chat.operate.stop),
    path("greenroom/", include("greenroom.bridges.django.urls")),
]
