"""Long-polling: sessions that outlive their requests, each with a consumer in the tree."""

from ._serve import serve_long_poll as serve_long_poll

__all__ = ["serve_long_poll"]
