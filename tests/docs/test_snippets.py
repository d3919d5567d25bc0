# What tests the documentation is tested here: it has to notice a page that lies.

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from docs_support.snippets import ROOT, blocks, differences

LIES = """
```python
answer = 42
```

```python
print(answer / 0)
```

<!-- raises -->
```python
answer = 43
```

<!-- session: echo.application -->
```text
> hi
< ho
```

<!-- session: echo.application -->
```text
> hi
< hi
x 1000
```

<!-- log -->
```text
ERROR slot.crashed: ...
```

<!-- tree -->
```text
root  asleep
```

<!-- manage: check -->
```text
All is well.
```
"""


def test_lies_are_found(tmp_path: Path) -> None:
    """
    Each block of a page that is not true is reported with its line, and no true one is.
    """
    page = tmp_path / "lies.md"
    page.write_text(LIES)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "docs_support" / "play.py"), str(page)],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout).values()

    lines = [n for n, line in enumerate(LIES.splitlines(), 1) if line.startswith("```")][::2]
    assert [where for where, _ in found] == [f"lies.md:{line}" for line in lines[1:]]
    problems = [problem for _, problem in found]
    assert "ZeroDivisionError" in problems[0]
    assert problems[1] == "it raises nothing"
    assert problems[2] == "line '< ho': got '< hi'"


@pytest.mark.parametrize(
    ("shown", "real"),
    [
        ("a\nb", "a\nb"),
        ("a...\nb", "a and more\nb"),
        ("a\n...\nd", "a\nb\nc\nd"),
        ("a\n...", "a\nb\nc"),
        ("...\nc", "a\nb\nc"),
        ("at 2026-01-01 12:00:00Z", "at 2031-12-24 18:00:01Z"),
    ],
)
def test_what_agrees(shown: str, real: str) -> None:
    """
    Three dots stand for the end of a line or for any lines; times are all alike.
    """
    assert differences(shown, real) == ""


@pytest.mark.parametrize(
    ("shown", "real"),
    [("a\nb", "a"), ("a", "a\nb"), ("a\n...\nd", "a\nb"), ("a...", "b"), ("a\nc", "a\nb\nc")],
)
def test_what_differs(shown: str, real: str) -> None:
    """
    A line too many, too few or another is told.
    """
    assert differences(shown, real) != ""


def test_a_marker_is_for_the_next_block_only(tmp_path: Path) -> None:
    """
    A comment above a block marks that block; with text between them it marks nothing.
    """
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- raises -->\n```python\n1\n```\n```python\n2\n```\n"
        "<!-- raises -->\ntext\n```python\n3\n```\n"
    )

    assert [block.marker for block in blocks(page)] == ["raises", "", ""]
