# A process without any loop of ours, as a task of Celery's is: send.py group|channel NAME JSON ...

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

import django

django.setup()

from asgiref.sync import async_to_sync  # noqa: E402

from greenroom.bridges.channels.layers import get_channel_layer  # noqa: E402

kind, name, *messages = sys.argv[1:]
layer = get_channel_layer()
send = async_to_sync(layer.group_send if kind == "group" else layer.send)
for each in messages:
    send(name, json.loads(each))
