"""Communicators: an application called in a test, and what it sends looked at."""

from .application import ApplicationCommunicator as ApplicationCommunicator
from .http import HttpCommunicator as HttpCommunicator
from .live import ChannelsLiveServerTestCase as ChannelsLiveServerTestCase
from .websocket import WebsocketCommunicator as WebsocketCommunicator

__all__ = [
    "ApplicationCommunicator",
    "ChannelsLiveServerTestCase",
    "HttpCommunicator",
    "WebsocketCommunicator",
]
