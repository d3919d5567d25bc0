# The directory in which processes find each other: whose it must be, and where it is.

import os
import re
import socket
from pathlib import Path

import pytest

from greenroom.bridges.inspection import _directory as module
from greenroom.bridges.inspection import _hook as hook
from greenroom.bridges.inspection._directory import (
    NoDirectory,
    check,
    default_directories,
    door_name,
    doors,
    first_usable,
    look,
    prepare,
)
from greenroom.bridges.inspection._identity import ProcessId, this_process
from greenroom.supervisor import Options


def test_it_is_made_for_this_user_alone(short_path: Path) -> None:
    """
    The directory, and what is missing above it, is made for this user alone, whatever the umask.
    """
    before = os.umask(0)
    try:
        prepare(short_path / "a" / "b")
    finally:
        os.umask(before)
    assert (short_path / "a").stat().st_mode & 0o777 == 0o700
    assert (short_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_what_is_refused(short_path: Path) -> None:
    """
    A directory that others may enter, a link, a file and a long path are refused by the
    setting's name.
    """
    open_to_all = short_path / "open"
    open_to_all.mkdir(mode=0o755)
    with pytest.raises(NoDirectory, match=r'GREENROOM\["INSPECTION_DIR"\].*chmod 700'):
        prepare(open_to_all)
    own = short_path / "own"
    own.mkdir(mode=0o700)
    link = short_path / "link"
    link.symlink_to(own)
    with pytest.raises(NoDirectory, match="is a link, and no directory"):
        prepare(link)
    file = short_path / "file"
    file.touch(mode=0o600)
    with pytest.raises(NoDirectory, match="can't be made"):
        prepare(file)
    with pytest.raises(NoDirectory, match="too long"):
        prepare(short_path / ("x" * 100))


def test_looking_makes_nothing(short_path: Path) -> None:
    """
    Whether a directory could be used is seen without making it, and is what making it says.
    """
    look(short_path / "a" / "b")
    assert list(short_path.iterdir()) == []
    file = short_path / "file"
    file.touch(mode=0o600)
    open_to_all = short_path / "open"
    open_to_all.mkdir(mode=0o755)
    for path, text, remedy in (
        (file, "is a file, and no directory", "Name a directory"),
        (file / "below", "can't be made", "Make it"),
        (open_to_all, "may be entered by others", f"`chmod 700 {open_to_all}`"),
        (open_to_all / "own" / ("x" * 100), "too long", "at most"),
    ):
        with pytest.raises(NoDirectory, match=text) as caught:
            look(path)
        assert remedy in caught.value.remedy
        with pytest.raises(NoDirectory):
            prepare(path)
    assert not (open_to_all / "own").exists()


def test_how_long_it_may_be(short_path: Path) -> None:
    """
    The number of bytes that the remedy names is what just can be used.
    """
    with pytest.raises(NoDirectory) as caught:
        look(short_path / ("x" * 100))
    (most,) = map(int, re.findall(r"at most (\d+) bytes", caught.value.remedy))
    longest = short_path / ("x" * (most - len(os.fsencode(short_path)) - 1))
    prepare(longest)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(longest / f"{door_name(this_process(100))}.new"))
    with pytest.raises(NoDirectory, match="too long"):
        look(longest.with_name(f"{longest.name}x"))


def test_no_way_in(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What this user may not write to can't be used, and the remedy is named.
    """
    own = short_path / "own"
    own.mkdir(mode=0o500)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(NoDirectory, match="can't be written to") as caught:
        look(own)
    assert caught.value.remedy == f"Write `chmod 700 {own}`."
    with pytest.raises(NoDirectory, match=f"may not write to {short_path}"):
        look(short_path / "new")


def test_somebody_elses(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A directory of another user is refused, and it is said whose it is.
    """
    path = short_path / "d"
    prepare(path)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(NoDirectory, match=rf"own \(uid {owner + 1}\): its owner is {owner}"):
        check(path)


def test_somebody_elses_link(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A directory behind a link of another user, who can bend it, is refused, and nothing is made.
    """
    (short_path / "own").mkdir(mode=0o700)
    link = short_path / "link"
    link.symlink_to(short_path / "own")
    prepare(link / "mine")
    seen = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        fields = list(seen(path))
        fields[4] += 1 if path == link else 0  # its owner
        return os.stat_result(fields)

    monkeypatch.setattr(Path, "lstat", lstat)
    with pytest.raises(NoDirectory, match="a link on the way to it is somebody else's"):
        prepare(link / "theirs")
    with pytest.raises(NoDirectory, match="a link on the way to it is somebody else's"):
        check(link / "mine")
    assert not (short_path / "own" / "theirs").exists()


def test_where_a_link_leads(short_path: Path) -> None:
    """
    A directory that others could exchange where a link leads is refused, and nothing is made.
    """
    far = short_path / "far"
    (far / "own").mkdir(parents=True)
    far.chmod(0o777)
    link = short_path / "link"
    link.symlink_to(far / "own")
    with pytest.raises(NoDirectory, match="can be exchanged by others"):
        prepare(link / "d")
    assert not (far / "own" / "d").exists()


def test_others_above_it(short_path: Path) -> None:
    """
    A directory that others could exchange is refused: they may write to one above it.
    """
    above = short_path / "above"
    above.mkdir()
    above.chmod(0o777)
    with pytest.raises(NoDirectory, match="can be exchanged by others"):
        prepare(above / "d")
    above.chmod(0o1777)  # as /tmp is
    prepare(above / "d")


def test_the_first_that_can_be_used(short_path: Path) -> None:
    """
    Of several directories the first that can be used is taken; if none can, each says why.
    """
    file = short_path / "file"
    file.touch()
    assert first_usable([file, short_path / "d", short_path / "e"]) == short_path / "d"
    assert not (short_path / "e").exists()
    with pytest.raises(NoDirectory, match="file.*; .*link"):
        (short_path / "link").symlink_to(short_path)
        first_usable([file, short_path / "link"])


def test_where_it_is_by_default(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    By default there is one for each project and user, where this user's files of a session are,
    else where temporary files are; who asks looks into all of them.
    """
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: "/tmp")
    first, *others = default_directories("a secret")
    assert first.parent == short_path / f"greenroom-{os.getuid()}"
    assert Path("/tmp") / first.relative_to(short_path) in others
    assert "secret" not in str(first)
    assert default_directories("another")[0] != first
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path / "of another user"))
    assert default_directories("a secret")[0] == others[0]


def test_sockets_have_the_names_of_processes(short_path: Path) -> None:
    """
    What has another name than a socket of ours is none.
    """
    for tree in (2, 1):
        (short_path / door_name(this_process(tree))).touch()
    for name in ("x.sock", "1-2.sock", f"{door_name(ProcessId('here', 7, 8))}.new", "a"):
        (short_path / name).touch()
    found = list(doors(short_path))
    assert [(door.pid, door.tree) for door in found] == [(os.getpid(), 1), (os.getpid(), 2)]
    assert list(doors(short_path / "nowhere")) == []


def test_who_is_inspected(short_path: Path) -> None:
    """
    With a project's name trees answer unless told not to; without one only if told where.
    """
    assert hook.directories_of(Options(), "mine") == default_directories("mine")
    assert hook.directories_of(Options(inspection=False), "mine") is None
    assert hook.directories_of(Options(), None) is None
    assert hook.directories_of(Options(inspection_dir=short_path), "mine") == [short_path]
    there = Options(inspection=True, inspection_dir=str(short_path))
    assert hook.directories_of(there, None) == [short_path]
    with pytest.raises(ValueError, match="inspection_dir='/run/mysite'"):
        hook.directories_of(Options(inspection=True), None)


def test_a_process_has_a_name_of_its_own() -> None:
    """
    The name holds the moment of the start, since numbers of processes are used again.
    """
    one = this_process()
    assert one.id == f"{one.host}:{os.getpid()}:{one.start}"
    assert this_process(2).id == f"{one.id}:2"
    assert one.as_dict()["id"] == one.id
    assert 0 < one.started < Path(__file__).stat().st_mtime + 10**10
