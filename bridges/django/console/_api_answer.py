# What several processes have said, as one document with one status. Pure.
#
# Invariants, each with a test of that name in tests/bridges/django/test_api_answer.py:
#   PARTIAL   who was silent is named, and the others' answers are there all the same.
#   STATUS    200 as long as one has answered; else that of what they say instead.
#   HIDDEN    a traceback, a stack or an exception's text is left out unless who asks may see it,
#             wherever it stands.

from collections.abc import Mapping
from typing import Any

from ...inspection import Gathered
from ._api_reply import STATUS, Refused
from ._hidden import without_secrets

Document = dict[str, Any]


def answer_of(gathered: Gathered, only: str, *, secrets: bool) -> tuple[Document, int]:
    """
    Return the document for *gathered*, and its HTTP status.

    Args:
        gathered: What was said.
        only: The id of the only process that was asked; "" if all were.
        secrets: Whether who asks may see tracebacks, stacks and the texts of exceptions.

    Raises:
        Refused: Nobody was there to be asked.
    """
    if not gathered.answers:
        if only and not gathered.trouble:
            raise Refused("not-found", f"There is no process {only[:100]!r} any more.")
        raise Refused("no-process", gathered.trouble or "No worker process of this project runs.")
    document: Document = gathered.as_dict()
    if not secrets:
        document["answers"] = without_secrets(document["answers"])
    document["complete"] = not gathered.partial and not gathered.trouble
    if any(each.error is None for each in gathered.answered):
        return document, 200
    error = _worst(gathered)
    return {"error": error, **document}, STATUS.get(str(error["code"]), 500)


def _worst(gathered: Gathered) -> Mapping[str, object]:
    """Return what to say of processes of which none has an answer: what is wrong here first."""
    errors = [each.error for each in gathered.answered if each.error is not None]
    for code in ("bad-question", "failed", "refused"):
        for error in errors:
            if error.get("code") == code:
                return error
    if gathered.silent:  # one of them may have it
        why = gathered.silent[0].silent
        return {"code": "timeout", "text": f"No process has answered: {why}."}
    return errors[0]
