# What a terminal sends when a key is pressed, as names of keys. Pure.
#
# An escape sequence may come in pieces, and the escape key sends what they begin with: whoever
# reads waits a moment while `pending`, then says `flush`.

import codecs

_NAMES = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x03": "ctrl-c",
    "\x04": "ctrl-d",
    "\x0c": "ctrl-l",
}
_SEQUENCES = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "OA": "up",
    "OB": "down",
    "OC": "right",
    "OD": "left",
    "OM": "enter",
    "[H": "home",
    "[F": "end",
    "OH": "home",
    "OF": "end",
    "[1~": "home",
    "[4~": "end",
    "[7~": "home",
    "[8~": "end",
    "[5~": "page up",
    "[6~": "page down",
}
_LONGEST = 32


class Keys:
    """Makes names of keys out of bytes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._sequence: str | None = None

    @property
    def pending(self) -> bool:
        """Whether it has the beginning of a sequence, or the escape key."""
        return self._sequence is not None

    def feed(self, data: bytes) -> list[str]:
        """Return the keys that *data* completes: names, or characters as they are."""
        found: list[str] = []
        for each in self._decoder.decode(data):
            found.extend(self._take(each))
        return found

    def flush(self) -> list[str]:
        """Return the escape key if that is what was begun: nothing has followed."""
        begun, self._sequence = self._sequence, None
        return ["escape"] if begun == "" else []

    def _take(self, each: str) -> list[str]:
        if self._sequence is None:
            if each == "\x1b":
                self._sequence = ""
                return []
            name = _NAMES.get(each, each if each.isprintable() else "")
            return [name] if name else []
        if each == "\x1b":
            self._sequence = ""
            return ["escape"]
        if self._sequence == "" and each not in "[O":
            self._sequence = None
            return ["escape", *self._take(each)]
        self._sequence += each
        final = len(self._sequence) > 1 and "@" <= each <= "~"
        if not final and len(self._sequence) < _LONGEST:
            return []
        sequence, self._sequence = self._sequence, None
        name = _SEQUENCES.get(sequence)
        return [name] if name else []
