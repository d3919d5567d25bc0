# No connection is kept behind an answer about the tree: the next question then goes to a process
# that answers.

from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase

Answer = TypeVar("Answer", bound=HttpResponseBase)


def let_go(request: HttpRequest, answer: Answer) -> Answer:
    """
    Have the connection of *request* ended behind *answer*, and return *answer*.

    A client that keeps one to a process that is stopped, or whose loop stands still, would send
    its next request there and wait, of all times when somebody looks for that process.
    """
    scope: Any = getattr(request, "scope", {})  # WSGI forbids an application this header
    if str(scope.get("http_version", "")).startswith("1"):  # HTTP/2 and 3 know it no more
        answer.headers["Connection"] = "close"
    return answer
