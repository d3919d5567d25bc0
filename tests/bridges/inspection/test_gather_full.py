# Who asks has no descriptors left: he is told so, and nothing is raised.

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.bridges.inspection import gather
from greenroom.bridges.inspection._gather_async import gather_async

from .asking import open_files

TOP = {"ask": "tree"}

Start = Callable[..., int]


@contextmanager
def spare(count: int) -> Iterator[None]:
    """Have this process able to open *count* more files."""
    most = max(int(each) for each in os.listdir("/proc/self/fd"))  # noqa: PTH208
    filled = [os.open(os.devnull, os.O_RDONLY)]
    while filled[-1] <= most:
        filled.append(os.open(os.devnull, os.O_RDONLY))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (filled[-1] + 1 + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for each in filled:
            os.close(each)


@pytest.mark.parametrize("count", range(3))
def test_no_descriptors_in_a_thread(directory: Path, start: Start, count: int) -> None:
    """
    Short of descriptors, whoever is asked is silent, or nobody is asked; and the reason is told.
    """
    start()
    before = open_files()
    with spare(count):
        gathered = gather(TOP, directory, seconds=1)
    assert open_files() - before == set()
    told = [gathered.trouble, *(each.silent for each in gathered.silent)]
    assert gathered.answered or any("open" in each for each in told), told
    assert len(gather(TOP, directory, seconds=20).answered) == 1


@pytest.mark.parametrize("count", range(3))
async def test_no_descriptors_on_trio(directory: Path, start: Start, count: int) -> None:
    """
    Nor does it raise on trio.
    """
    start()
    before = open_files()
    with spare(count):
        gathered = await gather_async(TOP, directory, seconds=1)
    assert open_files() - before == set()
    told = [gathered.trouble, *(each.silent for each in gathered.silent)]
    assert gathered.answered or any("open" in each for each in told), told
    assert len((await gather_async(TOP, directory, seconds=20)).answered) == 1
