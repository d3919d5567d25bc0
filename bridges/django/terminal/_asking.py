# Asking the processes of this project, over their sockets.

from collections.abc import Mapping

from ..console._ask import ask
from ._data import mapping
from ._said import Ask, Heard, Said


def asking(seconds: float) -> Ask:
    """
    Return what asks the processes of this project. From any thread.

    Args:
        seconds: How long one question may take.
    """

    def ask_them(question: Mapping[str, object], only: str | None) -> Heard:
        gathered = ask(dict(question), seconds=seconds, only=only)
        said = [
            Said(
                each.process.as_dict(),
                None if each.answer is None else mapping(dict(each.answer)),
                each.silent,
                dict(each.kernel),
                each.heartbeat,
            )
            for each in gathered.answers
        ]
        return Heard(said, gathered.trouble)

    return ask_them
