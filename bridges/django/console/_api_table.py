# What can be read by the JSON API, as one table: the views, the index and the reference are made
# from it. Pure.

from dataclasses import dataclass

from ._api_query import Parameter

VERSION = 1
TRACEBACK, STATE, AUDIT = "view_traceback", "view_state", "view_audit"
MOST_SECONDS = 10.0
"""How long a request may wait for the processes."""

_PROCESS = Parameter(
    "process", "text", "The id of the only process to ask, as an answer gives it; else all."
)
_SECONDS = Parameter(
    "seconds",
    "seconds",
    f"How long to wait for the processes; 1 if left out, {MOST_SECONDS:g} at most.",
)
_AFTER = Parameter(
    "after", "text", "What the `next` of the same process said: the page behind that one."
)
_LIMIT = Parameter("limit", "whole", "How many rows a process gives; it says how many it may.")
_SEARCH = Parameter("search", "text", "Only what has this text in it.")
_BELOW = Parameter("path", "text", "Only what is at this place, or below.")
_PAGED = (_AFTER, _LIMIT)
_STACK = Parameter("stack", "flag", "With the stack of what it does now.", permission=TRACEBACK)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be read."""

    name: str
    """The last part of its URL."""
    ask: str
    """The question that the processes are asked."""
    doc: str
    """What it answers, in a sentence."""
    parameters: tuple[Parameter, ...] = ()
    """What may stand in the query string beside ``process`` and ``seconds``."""

    @property
    def known(self) -> tuple[Parameter, ...]:
        """All that may stand in the query string."""
        return (*self.parameters, _PROCESS, _SECONDS)


ENDPOINTS: dict[str, Endpoint] = {
    each.name: each
    for each in (
        Endpoint(
            "processes",
            "process",
            "The worker processes, each by itself.",
            (Parameter("samples", "flag", "Without the samples of the last minute if false."),),
        ),
        Endpoint(
            "tree",
            "tree",
            "A place of the tree, and a page of what is right below it; or of all below it, what"
            " is looked for.",
            (
                Parameter("path", "text", "The place; `/` if left out."),
                *_PAGED,
                Parameter("search", "text", "Only those with this text in path, class or user."),
                Parameter("unhealthy", "flag", "Only those that somebody should look at."),
                Parameter("mailbox", "whole", "Only those with so many messages waiting, or more."),
                Parameter(
                    "restarted",
                    "flag or seconds",
                    "Only those with restarts that count now, or within so many seconds.",
                ),
            ),
        ),
        Endpoint(
            "actors",
            "actor",
            "All there is to know of one actor; its path stands in the URL, as the tree gives it.",
            (
                Parameter("path", "text", "The path, where it can't stand in the URL."),
                Parameter(
                    "traceback", "flag", "With the tracebacks of its crashes.", (), TRACEBACK
                ),
                Parameter("state", "flag", "With what its class's describe() says.", (), STATE),
                _STACK,
            ),
        ),
        Endpoint(
            "connections",
            "connections",
            "The open connections; with `by`, how many there are of each kind.",
            (
                *_PAGED,
                _SEARCH,
                Parameter("route", "text", "Only those of this route."),
                Parameter("user", "text", "Only those of this user."),
                Parameter("actor", "text", "Only those of this class."),
                Parameter("by", "choice", "Count them by this.", ("user", "route", "actor")),
            ),
        ),
        Endpoint(
            "groups",
            "groups",
            "The groups, with how many members each has; with `group`, the members of that one.",
            (Parameter("group", "text", "The name of a group."), *_PAGED, _SEARCH),
        ),
        Endpoint(
            "presence",
            "presence",
            "The topics, with how many are present in each; with `topic`, who of each process is"
            " present in that one, without what they say of themselves.",
            (Parameter("topic", "text", "The name of a topic."), *_PAGED, _SEARCH),
        ),
        Endpoint(
            "dead-letters",
            "dead-letters",
            "Messages that reached nobody, the latest first; never their bodies.",
            (*_PAGED, _SEARCH, _BELOW),
        ),
        Endpoint(
            "threads",
            "threads",
            "The pools of worker threads, and what each thread does.",
            (_STACK,),
        ),
        Endpoint(
            "events",
            "events",
            "What happened lately, the latest last; with `after`, what came behind that.",
            (
                Parameter("after", "whole", "The `next` of the same process's last answer."),
                Parameter("before", "whole", "Only what came before the event of this number."),
                _LIMIT,
                Parameter("kind", "text", "Only kinds that begin so, such as `slot.`."),
                _BELOW,
                _STACK,
            ),
        ),
        Endpoint("metrics", "metrics", "What `/metrics` gives Prometheus, as data."),
    )
}
"""What the processes are asked, by the last part of the URL."""


def needed(endpoint: Endpoint, given: dict[str, object]) -> list[tuple[str, str]]:
    """Return the parameters of *given* that need a permission, each with its codename."""
    return [
        (each.name, each.permission)
        for each in endpoint.parameters
        if each.permission and given.get(each.name)
    ]
