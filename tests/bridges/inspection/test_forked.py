# A child that was forked, by multiprocessing say, outlives the process that answers.

import subprocess
import sys
from pathlib import Path

from greenroom.bridges.inspection import gather
from greenroom.bridges.inspection._directory import doors

SCRIPT = Path(__file__).resolve().parent / "asked.py"


def test_who_has_died_is_not_taken_for_stuck(directory: Path) -> None:
    """
    A process that was killed is gone, and its socket swept away, though a child of it lives on.
    """
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(directory), "fork"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert len(gather({"ask": "tree"}, directory, seconds=20).answered) == 1
        process.kill()
        process.wait()
        gathered = gather({"ask": "tree"}, directory, seconds=20)
        assert (gathered.asked, gathered.trouble) == (0, "")
        assert list(doors(directory)) == []
