# An answer of the JSON API, and what is answered instead of one.

import json
from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpResponse

STATUS = {
    "bad-question": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "not-allowed": 405,
    "refused": 409,
    "too-large": 413,
    "unsupported": 415,
    "failed": 500,
    "not-installed": 501,
    "no-process": 503,
    "unavailable": 503,
    "timeout": 504,
}
"""The HTTP status of each code of an error."""


class Refused(Exception):
    """
    A request that gets an error for an answer.

    Args:
        code: A key of `STATUS`.
        text: One sentence: what is wrong, and what to write instead.
        headers: Of the answer.
    """

    def __init__(self, code: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.headers = dict(headers or {})

    def response(self) -> HttpResponse:
        """Return the answer."""
        error = {"error": {"code": self.code, "text": self.text}}
        response = reply(error, STATUS[self.code])
        for name, value in self.headers.items():
            response[name] = value
        return response


def reply(document: Mapping[str, object], status: int = 200) -> HttpResponse:
    """Return *document* as JSON, which no browser takes for anything else."""
    response = HttpResponse(
        json.dumps(document, separators=(",", ":")) + "\n",
        content_type="application/json",
        status=status,
    )
    response["X-Content-Type-Options"] = "nosniff"
    if status >= 500:
        # Or Django logs it, and mails it to ADMINS, as if a view had failed: at each probe.
        cast("Any", response)._has_been_logged = True  # noqa: SLF001
    return response
