# One place of the tree in words and signs. A colour is never the only thing that says something.
# Pure.

from ._data import Data, listed, mapping, number, text, whole
from ._parts import Part, Tone
from ._units import count, duration

_SIGNS: dict[str, tuple[str, Tone]] = {
    "running": ("●", "well"),
    "starting": ("◌", "plain"),
    "waiting": ("◌", "plain"),
    "making room": ("◌", "plain"),
    "stopping": ("◌", "plain"),
    "new": ("◌", "plain"),
    "declined": ("○", "quiet"),
    "ended": ("○", "quiet"),
    "stopped": ("○", "quiet"),
    "not started": ("○", "quiet"),
    "backing off": ("↻", "warn"),
    "parked": ("‖", "bad"),
    "suspended": ("‖", "warn"),
    "down": ("✗", "bad"),
    "unkillable": ("✗", "bad"),
}
_PLAIN_FACTS = ("user", "client", "transport", "url")


def is_healthy(row: Data) -> bool:
    """Say whether the process itself calls it healthy."""
    return row.get("healthy") is not False


def below(row: Data) -> int:
    """Return how many places are right below it."""
    return whole(mapping(row.get("below")).get("total"))


def unhealthy_below(row: Data) -> int:
    """Return how many places below it are in trouble, as far as that is known."""
    return whole(mapping(row.get("below")).get("unhealthy"))


def state(row: Data) -> Part:
    """Return its state, with a sign in front."""
    name = text(row.get("state")) or "unknown"
    sign, tone = _SIGNS.get(name, ("▲", "warn"))
    if not is_healthy(row) and tone in ("well", "plain", "quiet"):
        sign, tone = "▲", "warn"
    return Part(f"{sign} {name}", tone)


def unwell(row: Data) -> Part:
    """Return what is wrong with it, if its state does not say so."""
    said = text(row.get("unwell"))
    return Part("" if said == text(row.get("state")) else said, "warn")


def pause(row: Data) -> Part:
    """Return how long it still waits for its next start."""
    seconds = number(row.get("backoff"))
    return Part("" if seconds is None else f"starts in {duration(seconds)}", "warn")


def epoch(row: Data) -> Part:
    """Return which incarnation it is."""
    found = whole(row.get("epoch"))
    return Part(f"epoch {found}" if found else "", "warn" if found > 1 else "quiet")


def uptime(row: Data) -> Part:
    """Return since when it runs."""
    seconds = number(row.get("uptime"))
    return Part("" if seconds is None else f"up {duration(seconds)}", "quiet")


def restarts(row: Data) -> Part:
    """Return its restarts that count, and how many are left."""
    if row.get("kind") != "slot":
        return Part("")
    had, left = whole(row.get("restarts")), number(row.get("restarts_left"))
    many = "no limit" if left is None else f"{left:.0f} left"
    tone: Tone = "bad" if had and left == 0 else "warn" if had else "quiet"
    return Part(f"restarts {had}, {many}", tone)


def mailbox(row: Data) -> Part:
    """Return how full its mailbox is."""
    found = mapping(row.get("mailbox"))
    if not found:
        return Part("")
    queued, capacity = whole(found.get("queued")), whole(found.get("capacity"))
    full = queued >= 0.8 * capacity > 0
    tone: Tone = "bad" if full and capacity >= 10 else "plain" if queued else "quiet"
    return Part(f"mailbox {count(queued)}/{count(capacity)}", tone)


def waiting(row: Data) -> Part:
    """Return how old the oldest message in its mailbox is."""
    found = mapping(row.get("mailbox"))
    age = number(found.get("age"))
    if age is None or not whole(found.get("queued")):
        return Part("")
    return Part(f"oldest message {duration(age)}", "warn" if age >= 1 else "plain")


def doing(row: Data) -> Part:
    """Return what it does now, and for how long."""
    found = mapping(row.get("doing"))
    what = text(found.get("what"))
    if not what:
        return Part("")
    seconds, where = number(found.get("seconds")), text(found.get("where"))
    since = "" if seconds is None else f" for {duration(seconds)}"
    place = where and (f" {where}" if where.startswith("in ") else f" at {where}")
    return Part(f"doing {what}{since}{place}", "plain")


def ending(row: Data) -> Part:
    """Return why it has ended."""
    reason = text(mapping(row.get("exit")).get("reason"))
    if reason.startswith("crashed") and row.get("crash"):
        return Part("")  # its last crash says more
    return Part(f"ended: {reason}" if reason else "", "warn")


def crash(row: Data, now: float) -> Part:
    """Return its last crash; *now* is the unix time."""
    found = mapping(row.get("crash"))
    name = text(found.get("exception"))
    if not name:
        return Part("")
    said, at = text(found.get("text")), number(found.get("at"))
    ago = "" if at is None else f" {duration(max(0.0, now - at))} ago"
    how = "resumed" if found.get("resumed") is True else "crashed"
    return Part(f"{how} {name}{ago}{f': {said}' if said else ''}", "bad")


def contents(row: Data) -> Part:
    """Return how many places are below it."""
    total, trouble = below(row), unhealthy_below(row)
    if not total:
        return Part("")
    tone: Tone = "warn" if trouble else "quiet"
    return Part(f"{count(total)} below{f', {count(trouble)} unhealthy' if trouble else ''}", tone)


def peer(row: Data) -> Part:
    """Return whose connection it is."""
    facts = mapping(row.get("facts"))
    found = [text(facts.get(name)) for name in _PLAIN_FACTS if facts.get(name)]
    return Part(" ".join(found), "quiet")


def trouble(row: Data) -> Part:
    """Return what the root says of why it is not ready."""
    said = [text(each) for each in listed(mapping(row.get("facts")).get("problems"))]
    return Part(f"not ready: {'; '.join(said)}" if said else "", "bad")
