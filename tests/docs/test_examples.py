# The example projects and files of the documentation, used as a reader uses them.

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio_websocket

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "docs" / "examples"
ENVIRONMENT = {**os.environ, "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "mysite.settings"}


@pytest.mark.slow
def test_example_of_tests_passes(tmp_path: Path) -> None:
    """
    The tests of the examples pass under pytest with pytest-trio alone, as their pages say.
    """
    shutil.copytree(EXAMPLES / "introduction", tmp_path, dirs_exist_ok=True)
    files = "keep_state test_keep_state test_inline reports test_reports prices test_prices"
    files += " ops test_ops who_is_online test_who_is_online on_duty test_on_duty"
    for name in files.split():
        shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\ntrio_mode = true\npythonpath = .\nfilterwarnings = error\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:django",
            "-p",
            "no:asyncio",
            ".",
        ],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout
    assert "15 passed" in done.stdout


def test_example_of_polling_passes(tmp_path: Path) -> None:
    """
    The test shown in how-to/poll.md passes under pytest with pytest-trio alone.
    """
    shutil.copytree(EXAMPLES / "polling", tmp_path / "polling")
    shutil.copy(EXAMPLES / "test_polling.py", tmp_path)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\ntrio_mode = true\npythonpath = .\nfilterwarnings = error\n"
    )
    alone = ["-p", "no:cacheprovider", "-p", "no:django", "-p", "no:asyncio"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *alone, "."],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.fixture
def introduction(tmp_path: Path) -> Iterator[str]:
    """
    The address of the introduction's project, served as its page says: hypercorn -k trio.
    """
    shutil.copytree(EXAMPLES / "introduction", tmp_path, dirs_exist_ok=True)
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v0"], cwd=tmp_path, env=ENVIRONMENT, check=True)
    hypercorn = [sys.executable, "-m", "hypercorn", "-k", "trio", "--bind", "127.0.0.1:0"]
    with subprocess.Popen(
        [*hypercorn, "--graceful-timeout", "0", "mysite.asgi:application"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if found := re.search(r"Running on http://(\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail("hypercorn ended before it served")
        finally:
            server.terminate()
            server.wait(timeout=20)


async def test_introduction_under_the_real_server(introduction: str) -> None:
    """
    The introduction's consumers answer under hypercorn, and one survives its crash.
    """
    async with trio_websocket.open_websocket_url(f"ws://{introduction}/ws/chat/") as socket:
        assert await socket.get_message() == "[Welcome Anonymous!]"
        await socket.send_message("/name Bob")
        assert await socket.get_message() == "[set your username to Bob]"
        await socket.send_message(b"\x00\x01")
        await socket.send_message("hi")
        assert await socket.get_message() == "Anonymous: hi"
    for path, said, answer in [
        ("ws/ping/", "?", "pong"),
        ("ws/guestbook/", "Lovely place.", "entry 1: Lovely place."),
        ("ws/rooms/green/", "Hello.", "Anonymous: Hello."),
    ]:
        async with trio_websocket.open_websocket_url(f"ws://{introduction}/{path}") as socket:
            await socket.send_message(said)

            assert await socket.get_message() == answer
