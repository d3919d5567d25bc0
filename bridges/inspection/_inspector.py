# Who answers what is asked of one tree.
#
# Each kind of question is a module of its own, `_ask_<name>.py`, whose `ask_<name>(root, fields)`
# reads the fields, says that it has read them (`fields.done()`), and returns plain data; it looks
# at a bounded number of places between two checkpoints. What it returns keeps nothing alive.

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...actors import ActorNotFound
from ...supervisor import InvalidState, Root
from ._ask_act import ask_act
from ._ask_actor import ask_actor
from ._ask_connections import ask_connections
from ._ask_dead_letters import ask_dead_letters
from ._ask_events import ask_events
from ._ask_groups import ask_groups
from ._ask_metrics import ask_metrics
from ._ask_presence import ask_presence
from ._ask_process import ask_process
from ._ask_threads import ask_threads
from ._ask_tree import ask_tree
from ._question import BadQuestion, Fields, nothing_at

logger = logging.getLogger("greenroom.inspection")

Answer = dict[str, Any]
Ask = Callable[[Root, Fields], Awaitable[Answer]]

QUESTIONS: dict[str, Ask] = {
    "act": ask_act,
    "actor": ask_actor,
    "connections": ask_connections,
    "dead-letters": ask_dead_letters,
    "events": ask_events,
    "groups": ask_groups,
    "metrics": ask_metrics,
    "presence": ask_presence,
    "process": ask_process,
    "threads": ask_threads,
    "tree": ask_tree,
}
"""What can be asked, by name."""


class Inspector:
    """
    Answers questions about one tree. Loop thread only.

    Args:
        root: The tree.
    """

    def __init__(self, root: Root) -> None:
        self._root = root

    async def answer(self, question: Mapping[str, object]) -> Answer:
        """
        Return what *question* asks for, as data that JSON can carry. A checkpoint.

        It raises nothing but a cancellation: what can't be answered is an ``error`` with a
        ``code`` (``bad-question``, ``not-found``, ``refused``, ``timeout``, ``failed``) and a
        ``text``. A fault of Greenroom's own is logged as well.
        """
        name = question.get("ask")
        ask = QUESTIONS.get(name) if isinstance(name, str) else None
        if ask is None:
            known = ", ".join(sorted(QUESTIONS))
            return error("bad-question", f"ask must be one of {known}. Got: {str(name)[:100]!r}")
        try:
            return await ask(self._root, Fields(question))
        except BadQuestion as refusal:
            return error("bad-question", str(refusal))
        except ActorNotFound as missing:
            return error("not-found", nothing_at(missing.path))
        except InvalidState as refusal:
            return error("refused", str(refusal))
        except Exception:
            logger.exception("the question %r has failed", name)
            return error("failed", "a fault in Greenroom itself; the log of that process has it.")


def error(code: str, text: str) -> Answer:
    """Return the answer to what can't be answered."""
    return {"error": {"code": code, "text": text}}
