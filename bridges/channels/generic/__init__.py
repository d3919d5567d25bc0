"""Consumers of one protocol: of WebSockets, and of HTTP requests."""
