# How a tree comes to be asked: whoever runs it has `inspected(root, ...)` open while it does.
#
# It is around the tree, and no part of it: it answers before the tree is up and while it drains,
# and whatever goes wrong with it is logged and ends nothing.

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from ...supervisor import Options, Root
from ._answering import answer_through_all
from ._directory import default_directories
from ._local import LocalTree, entered


def directories_of(options: Options, project: str | None) -> list[Path] | None:
    """
    Return where the trees of *project* answer, the best place first; None if they do not.

    Args:
        options: ``inspection`` and ``inspection_dir``.
        project: Any text that is the project's own; None if nothing names it.

    Raises:
        ValueError: They are to answer, and nothing says where.
    """
    if options.inspection is False or (options.inspection is None and project is None):
        return None
    if options.inspection_dir is not None:
        return [Path(options.inspection_dir)]
    if project is None:
        raise ValueError(
            "inspection=True needs to know where: write inspection_dir='/run/mysite' as well, the"
            " same for all processes of the project. Got: inspection_dir=None"
        )
    return default_directories(project)


@asynccontextmanager
async def inspected(
    root: Root, directories: Sequence[Path] | None, *, alone: bool = False
) -> AsyncGenerator[LocalTree | None, None]:
    """
    Have *root* answer while this block runs. Entering is a checkpoint.

    Args:
        root: The tree.
        directories: Where its socket may be, the best place first; None: it does not answer.
        alone: Do without a socket: only threads of this process can ask.
    """
    if directories is None:
        yield None
        return
    async with trio.open_nursery() as nursery:
        tree = LocalTree(root, nursery)
        with entered(tree):
            if not alone:
                await nursery.start(answer_through_all, tree, directories)
            yield tree
            nursery.cancel_scope.cancel()
