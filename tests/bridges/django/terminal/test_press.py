# What keys do.

from dataclasses import dataclass, field, replace

from terminal_trees import Trees, crowd, seen, small_tree, who

from greenroom.bridges.django.terminal._press import MOST_SEARCH, press, settled
from greenroom.bridges.django.terminal._tree import Line, lines_of
from greenroom.bridges.django.terminal._view import MOST_PAGE, Kind, Screen, Spot, View

HEIGHT = 10


@dataclass
class User:
    """Somebody who presses keys, and sees what that gives."""

    trees: Trees
    view: View = field(default_factory=View)
    lines: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.look()

    def look(self) -> None:
        self.world = seen(self.trees, self.view)
        self.lines = lines_of(self.world, self.view)
        self.view = settled(self.view, self.lines, HEIGHT)

    def press(self, *keys: str) -> "User":
        for key in keys:
            self.view = press(self.view, key, self.lines, self.world, HEIGHT)
            self.look()
        return self

    def type(self, text: str) -> "User":
        return self.press(*text)

    @property
    def at(self) -> str:
        line = self.lines[self.view.index]
        return line.note or line.spot.path or "process"


def small() -> User:
    return User(Trees({7: small_tree()}))


def test_up_and_down() -> None:
    """
    Arrows, j and k move by one line, and not beyond the ends.
    """
    user = small()

    assert user.at == "process"
    assert user.press("up", "k").at == "process"
    assert user.press("down").at == "/connections"
    assert user.press("j", "j").at == "/connections/room/1"
    assert user.press("k").at == "/connections/room"
    assert user.press("G").at == "/residents/feed"
    assert user.press("down", "page down").at == "/residents/feed"
    assert user.press("g").at == "process"


def test_the_chosen_line_is_on_the_screen() -> None:
    """
    However far one goes, the chosen line is among those that are seen.
    """
    user = User(Trees({7: crowd(200)}))
    user.press("down", "down", "enter")

    for key in ["page down"] * 9 + ["page up"] * 3 + ["G", "g", "end", "up"]:
        user.press(key)
        assert user.view.top <= user.view.index < user.view.top + HEIGHT
        assert user.view.top >= 0


def test_open_and_close() -> None:
    """
    Right opens, then goes in; left closes, or goes to what is above; enter does both.
    """
    user = small().press("down", "left")
    assert user.lines[1].open is False
    assert user.press("right").lines[1].open is True
    assert user.press("right").at == "/connections/room"
    assert user.press("right", "left").at == "/connections/room"
    assert user.press("enter").lines[2].open is False
    assert user.press("enter").lines[2].open is True
    assert user.press("left").lines[2].open is False
    assert user.press("left").at == "/connections"


def test_the_chosen_place_stays_chosen() -> None:
    """
    When places come and go above it, the line that was chosen is still the same place.
    """
    user = small().press("G")
    user.trees.trees[7] = [each for each in small_tree() if each["path"] != "/residents/greeter"]
    user.look()
    assert user.at == "/residents/feed"

    user.trees.trees[7] = [each for each in small_tree() if each["path"] != "/residents/feed"]
    user.look()
    assert user.at == "/residents/greeter"


def test_more_and_earlier() -> None:
    """
    "... more" shows more rows, up to what one question may ask for; then the next of them, and
    back.
    """
    user = User(Trees({7: crowd(1200)}))
    user.press("down", "down", "enter")
    presses = 0
    while user.view.page(user.view.first(who()["id"], "/connections/room")).limit < MOST_PAGE:
        user.press("G", "up", "enter")
        presses += 1
    assert presses == 9
    assert [line.note for line in user.lines if line.spot.kind is Kind.MORE] == ["... 700 more"]

    user.press("G", "up")
    assert user.at == "... 700 more"
    user.press("enter")
    notes = [line.note for line in user.lines if line.note]
    assert notes == ["... 500 before", "... 200 more"]
    assert user.lines[4].spot.path == "/connections/room/500"
    user.press("g", "down", "down", "down", "enter")
    assert user.lines[3].spot.path == "/connections/room/0"


def test_more_of_what_is_looked_for() -> None:
    """
    A page that ends because so much was looked at is followed by the next, not by a longer one.
    """
    user = User(Trees({7: crowd(10)}))
    user.trees.partial = True
    user.press("/").type("room/").press("enter", "G")
    user.view = replace(user.view, limit=3)
    user.look()
    assert user.press("G").at == "... more"

    user.press("enter")
    assert [line.note for line in user.lines if line.note] == ["... 3 before", "... more"]
    assert user.lines[2].spot.path == "/connections/room/3"


def test_search() -> None:
    """
    What is typed is looked for at once, in any key; enter keeps it and escape ends it.
    """
    user = small().press("/").type("fexq").press("backspace", "backspace", "e")
    assert [line.spot.path for line in user.lines[1:]] == ["/residents/feed"]

    user.press("enter")
    assert user.view.typing is None
    assert user.view.search == "fee"
    assert len(user.lines) == 2
    assert len(user.press("escape").lines) == 7
    assert user.press("/").type("zzz").press("escape").view.sought == ""


def test_a_search_is_bounded() -> None:
    """
    Whoever pastes a book looks for its beginning.
    """
    user = small().press("/").type("a" * (MOST_SEARCH + 50))

    assert user.view.typing == "a" * MOST_SEARCH


def test_unhealthy_only() -> None:
    """
    u shows only what is unhealthy, and u or escape all again.
    """
    user = small().press("u")
    assert [line.spot.path for line in user.lines[1:]] == ["/residents/feed"]
    assert len(user.press("u").lines) == 7
    assert len(user.press("u", "escape").lines) == 7


def test_details() -> None:
    """
    d, and enter on an actor, show its details; s asks for its state; escape goes back.
    """
    user = small().press("G", "enter")
    assert user.view.screen is Screen.DETAIL
    assert user.view.detail().path == "/residents/feed"
    assert user.press("s").view.detail().state
    assert user.press("escape").view.screen is Screen.TREE
    assert user.press("d").view.detail().state is False
    assert user.press("w").view.detail().watch
    assert user.press("left", "g", "d").view.actor == Spot(who()["id"], "", Kind.PROCESS)


def test_details_scroll() -> None:
    """
    Where details are shown the arrows scroll, and never above the first line.
    """
    user = small().press("G", "d", "down", "down", "page down")
    assert user.view.scroll == 2 + HEIGHT
    assert user.press("g", "up").view.scroll == 0
    assert user.press("escape").at == "/residents/feed"


def test_help_pause_and_quit() -> None:
    """
    ? shows the keys and any key goes back; p pauses; q and Ctrl-C quit from everywhere.
    """
    user = small()
    assert user.press("?").view.screen is Screen.HELP
    assert user.press("j").view.screen is Screen.TREE
    assert user.press("p").view.paused
    assert not user.press("p").view.paused
    for screen in Screen:
        assert press(replace(user.view, screen=screen), "q", user.lines, user.world, 9).over
    typing = replace(user.view, typing="")
    assert not press(typing, "q", user.lines, user.world, 9).over
    assert press(typing, "ctrl-c", user.lines, user.world, 9).over


def test_keys_with_nothing_there() -> None:
    """
    With no process at all every key is taken, and does no harm.
    """
    user = User(Trees({}))

    for key in ["up", "down", "G", "enter", "left", "d", "u", "escape", "page down", "x", "tab"]:
        user.press(key)
    assert user.lines == []
