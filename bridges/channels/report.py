"""
What a project written for Channels has to change, by file and line; nothing is imported or run.

``python -m greenroom.bridges.channels.report FOLDER`` needs no settings, and so works before
anything is changed; ``manage.py channels_report`` is the same.
"""

import argparse
import ast
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._report_files import files_below, findings_below, packages_on_channels
from ._report_rules import Finding

__all__ = ["Finding", "main", "render_json", "render_text", "report_on"]


def report_on(folder: Path) -> list[Finding]:
    """
    Return what is to be changed in the project in *folder*, by file and line.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder. Give the one that manage.py is in.")
    return findings_below(folder) + packages_on_channels(_modules_named(folder))


def _modules_named(folder: Path) -> Iterator[str]:
    """Yield the modules that the project imports, and all strings in its INSTALLED_APPS."""
    for path in files_below(folder):
        if path.suffix != ".py":
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # a finding already
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield node.module or ""
            elif isinstance(node, ast.Assign | ast.AugAssign) and "INSTALLED_APPS" in ast.unparse(
                node
            ):
                strings = (each for each in ast.walk(node) if isinstance(each, ast.Constant))
                yield from (str(each.value) for each in strings)


def render_text(findings: Sequence[Finding]) -> str:
    """Return *findings* for people: a line each, and how many there are."""
    changes = sum(each.level == "change" for each in findings)
    notes = len(findings) - changes
    lines = [str(each) for each in findings]
    lines.append(f"{changes} to change, {notes} to know.")
    return "\n".join(lines)


def render_json(findings: Sequence[Finding]) -> str:
    """Return *findings* for programs: an object with "changes", "notes" and "findings"."""
    changes = sum(each.level == "change" for each in findings)
    return json.dumps(
        {
            "changes": changes,
            "notes": len(findings) - changes,
            "findings": [dataclasses.asdict(each) for each in findings],
        },
        indent=2,
    )


RENDER = {"text": render_text, "json": render_json}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; return 1 if something has to be changed, 2 if it can't be made, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m greenroom.bridges.channels.report", description=__doc__
    )
    parser.add_argument("folder", nargs="?", default=".", help="The one that manage.py is in.")
    parser.add_argument("--format", choices=list(RENDER), default="text")
    options = parser.parse_args(arguments)
    try:
        findings = report_on(Path(options.folder))
    except NotADirectoryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(RENDER[options.format](findings) + "\n")
    return int(any(each.level == "change" for each in findings))


if __name__ == "__main__":
    sys.exit(main())
