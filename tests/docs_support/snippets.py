# The code blocks of a documentation page, and what the comment above each promises of it.
#
#   ```python                         ten lines at most; executed, all of a page in one namespace
#   <!-- fragment: why -->            before it: only has to be Python, it is not executed
#   <!-- raises -->                   before it: it raises; the next text block is the error
#   <!-- prints -->                   before a text block: what the Python block above it printed
#   <!-- session: Name /path -->      before a text block: a conversation, played against the
#                                     consumer, its as_asgi() or the application of that name
#   <!-- log -->, <!-- tree -->       before a text block: logged in that session; the tree after it
#   <!-- output: program.py -->       before a text block: what docs/examples/program.py prints
#   <!-- manage: check -->            before a text block: what `manage.py check` prints
#
# For what a reader does, step by step, see follow.py.
#
# In text, a line that ends in "..." stands for any that begins like it; "..." alone for any lines.

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
LONGEST = 10

MARKER = re.compile(
    r"<!-- (fragment|raises|prints|session|log|tree|output|manage"
    r"|file|edit|append|server|conversation)(?:: (.*?))? -->$"
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    marker: str
    argument: str
    included: str = ""
    """What a literalinclude names."""

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page of the documentation."""
    return sorted(
        path
        for path in DOCS.rglob("*.md")
        if not path.relative_to(DOCS).parts[0].startswith(("_", "examples", "changes"))
    )


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of one page, in order."""
    name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
    found: list[Block] = []
    marker, language, inside, start, fence = ("", ""), "", list[str](), 0, ""
    included = ""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if fence:
            if line.strip() == fence:
                found.append(Block(name, start, language, "\n".join(inside), *marker, included))
                marker, fence = ("", ""), ""
            else:
                inside.append(line)
        elif match := re.match(r"\s*(`{3,})\s*(\S*)\s*(\S*)", line):
            fence, language, inside, start = match[1], match[2], [], number
            included = match[3]
        elif match := MARKER.match(line.strip()):
            marker = (match[1], match[2] or "")
        elif line.strip():
            marker = ("", "")
    assert not fence, f"{name}:{start}: a fence that is never closed"
    return found


def differences(shown: str, real: str) -> str:
    """Say where *real* is not what a page shows; "" if it is."""
    wanted = [normal(line) for line in shown.splitlines()]
    lines = [normal(line) for line in real.splitlines()]
    at = 0
    skip = False
    for line in wanted:
        if line == "...":
            skip = True
            continue
        while skip and at < len(lines) and not agrees(line, lines[at]):
            at += 1
        skip = False
        if at == len(lines) or not agrees(line, lines[at]):
            got = lines[at] if at < len(lines) else "(nothing more)"
            return f"shown: {line}\nreal:  {got}\nall of it:\n{real}"
        at += 1
    if at < len(lines) and not skip:
        return f"there is more than is shown: {lines[at]}\nall of it:\n{real}"
    return ""


def agrees(shown: str, real: str) -> bool:
    """Whether one line is what is shown."""
    return real.startswith(shown[:-3]) if shown.endswith("...") else real == shown


def normal(line: str) -> str:
    """Return *line* without what differs from run to run."""
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?", "2026-01-01 12:00:00Z", line)
    line = re.sub(r"\b0x[0-9a-f]{6,}", "0x7f0000000000", line)
    return line.rstrip()
