# The groups of a process with what went through them, and the members of one, page by page.

from typing import Any

from ...supervisor import Root
from ...supervisor._groups import Member
from ...supervisor._look import Key, Look
from ...supervisor._slot import Slot
from ._connection import user_of
from ._cursor import cursor_of, key_of
from ._question import BadQuestion, Fields
from ._steps import least


async def ask_groups(root: Root, fields: Fields) -> dict[str, Any]:
    """
    Answer with a page of groups, by name; or of the members of one, in the tree's order.

    A checkpoint.

    Raises:
        BadQuestion: A field is wrong.
    """
    group = fields.text("group")
    limit = fields.number("limit", 50, least=1, most=500)
    cursor, search = fields.text("after", most=2000), fields.text("search").casefold()
    fields.done()
    behind = key_of(cursor)
    if group:
        return await _members(root, group, behind, limit, search)
    if behind and (len(behind) != 2 or behind[0] != 0):
        raise BadQuestion(f"after must be what an answer's next said. Got: {cursor[:100]!r}")
    begin = str(behind[1]) if behind else ""  # which is no group's name

    def keep(name: str) -> str | None:
        return name if name > begin and search in name.casefold() else None

    names = root.groups.listed()
    found = await least(names, limit + 1, keep, str)
    return {
        "rows": [row for name in found[:limit] if (row := _row(root, name)) is not None],
        "next": cursor_of((0, found[limit - 1])) if len(found) > limit else None,
        "total": len(names),
    }


def _row(root: Root, name: str) -> dict[str, Any] | None:
    tally = root.groups.tally(name)
    return None if tally is None else {"group": name, **tally._asdict()}  # it is gone meanwhile


async def _members(root: Root, group: str, behind: Key, limit: int, search: str) -> dict[str, Any]:
    row, look = _row(root, group), Look(root)
    if row is None:
        text = f"the group {group!r} has no members in this process"
        return {"error": {"code": "not-found", "text": text}}

    def keep(member: Member) -> tuple[Key, Member] | None:
        key = look.key(member.path)
        # What is not in the tree any more is about to leave.
        wanted = key is not None and key > behind and search in member.path.casefold()
        return (key, member) if key is not None and wanted else None

    members = root.groups.members(group)
    found = await least(members, limit + 1, keep, lambda each: each[0])
    return {
        **row,
        "rows": [_member(member) for _, member in found[:limit]],
        "next": cursor_of(found[limit - 1][0]) if len(found) > limit else None,
        "total": len(members),
    }


def _member(member: Member) -> dict[str, Any]:
    if not isinstance(member, Slot):
        return {"path": member.path, "actor": "", "state": "", "user": ""}
    return {
        "path": member.path,
        "actor": member.actor.__qualname__,
        "state": member.state,
        "user": user_of(member),
    }
