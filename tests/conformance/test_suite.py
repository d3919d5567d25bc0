# The suite itself: on a naive supervisor it fails where it should, and only there.

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).resolve().parent

# What the supervisor of on_naive.py does as it should, and what it does not.
PASSED = {
    "test_21_permanent_abnormal",
    "test_22_transient_normal",
    "test_24_transient_abnormal",
    "test_28_one_for_one",
    "test_37_spaced_crashes",
    "test_94_a_restart_begins_anew_behind_the_same_reference",
}
FAILED = {
    "test_7_order": "no handshake: all start at once",
    "test_8_a_start_that_fails_stops_the_started_siblings": "a start that fails is tried again",
    "test_19_permanent_normal": "who ends by itself is gone",
    "test_31_order": "there is no strategy",
    "test_36_intensity": "there is no budget",
    "test_41_no_restarts": "there is no budget",
    "test_99_backoff_doubles": "there is no backoff",
    "test_n6_an_outer_cancellation": "the cleanup is cut off",
}


def test_it_tells_a_naive_supervisor_from_a_good_one(tmp_path: Path) -> None:
    """
    Without order, handshake, budget and shields a supervisor fails the scenarios about them.
    """
    report, named = tmp_path / "report.xml", " or ".join(sorted(PASSED | FAILED.keys()))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", named, f"--junit-xml={report}", "--no-cov",
         "-p", "no:cacheprovider", "-p", "no:xdist", str(HERE)],
        cwd=HERE.parent.parent,
        env=os.environ | {"CONFORMANCE_ADAPTER": "conformance.on_naive"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    ends: dict[str, set[bool]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        failed = case.find("failure") is not None
        ends.setdefault(case.attrib["name"].partition("[")[0], set()).add(failed)

    assert {name for name, failed in ends.items() if failed == {False}} == PASSED
    assert {name for name, failed in ends.items() if failed == {True}} == FAILED.keys()
