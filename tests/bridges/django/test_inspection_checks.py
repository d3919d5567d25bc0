# What `manage.py check` says of the settings around the inspection: values, its directory, tracing.

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from greenroom.bridges.django import checks
from greenroom.bridges.django._inspection_checks import check_inspection_dir, check_tracing
from greenroom.bridges.django._settings import load_options

LONG = "x" * 30


@pytest.fixture
def base() -> Iterator[Path]:
    """
    A directory with a short path.
    """
    with TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have OpenTelemetry not be there."""
    for name in [each for each in sys.modules if each.startswith("greenroom.bridges.tracing")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"INSPECTION": "yes"}, "INSPECTION must be True, False or None. Got: 'yes'"),
        ({"INSPECTION": 1}, "INSPECTION must be True, False or None. Got: 1"),
        ({"INSPECTION_DIR": "run/x"}, "INSPECTION_DIR must be absolute, like '/run/mysite'."),
        ({"INSPECTION_DIR": 5}, "INSPECTION_DIR must be a path like '/run/mysite', or None."),
        ({"INSPECTION_TOKENS": ["x"]}, "INSPECTION_TOKENS must be a mapping of names, such as"),
        ({"INSPECTION_TOKENS": {"a": {"token": "short"}}}, "must have at least 20 characters"),
        ({"INSPECTION_TOKENS": {"a": {"token": LONG, "permissions": ["fly"]}}}, "is unknown"),
        ({"AUDIT_DAYS": 0}, "AUDIT_DAYS must be at least 1. Got: 0"),
        ({"AUDIT_DAYS": "90"}, "AUDIT_DAYS must be a whole number. Got: '90'"),
        ({"AUDIT_DAYS": 10**9}, "AUDIT_DAYS must be at most 36500, or None for ever. Got: 1000000"),
        ({"READY_LAG_SECONDS": 0}, "READY_LAG_SECONDS must be finite and more than 0 seconds."),
        ({"READY_LAG_SECONDS": math.nan}, "READY_LAG_SECONDS must be finite"),
        ({"TRACING": "on"}, "TRACING must be True or False. Got: 'on'"),
    ],
)
def test_values(setting: dict[str, Any], says: str) -> None:
    """
    E003: each wrong value is refused by name, with what was given, what to write and a hint.
    """
    with override_settings(GREENROOM=setting):
        (message,) = checks.check_setting()
    assert message.id == "greenroom.E003"
    assert says in message.msg
    assert message.hint
    assert "()" not in message.hint


def test_a_token_is_in_no_message() -> None:
    """
    E003: what is wrong with a token is said without the token.
    """
    with override_settings(GREENROOM={"INSPECTION_TOKENS": {"a": {"token": "hushhush"}}}):
        (message,) = checks.check_setting()
    assert "hushhush" not in f"{message.msg} {message.hint}"


def test_audit_days_for_ever() -> None:
    """
    None keeps the entries of the audit log for ever, and the longest time is a date that there is.
    """
    for days in (None, 36_500):
        with override_settings(GREENROOM={"AUDIT_DAYS": days}):
            assert load_options().audit_days == days


def test_directory(base: Path) -> None:
    """
    W007: a directory that could be made is fine and is not made; a file, an open directory, a long
    path are told, each with what to do.
    """
    file, open_to_all = base / "file", base / "open"
    file.touch()
    open_to_all.mkdir(mode=0o755)
    for path, says, hint in (
        (base / "new", "", ""),
        (file, "is a file, and no directory.", "Name a directory"),
        (open_to_all, "may be entered by others", "chmod 700"),
        (base / ("x" * 100), "is too long for the path of a socket", "at most"),
    ):
        with override_settings(GREENROOM={"INSPECTION_DIR": str(path)}):
            found = check_inspection_dir()
        assert [message.id for message in found] == (["greenroom.W007"] if says else [])
        for message in found:
            assert str(path) in message.msg
            assert message.msg.startswith('The directory of the inspection, GREENROOM["INSP')
            assert says in message.msg
            assert hint in str(message.hint)
    assert not (base / "new").exists()


def test_somebody_elses_directory(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    W007: another user's directory is a warning, for that user may be the server's.
    """
    own = base / "own"
    own.mkdir(mode=0o700)
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    monkeypatch.setattr("greenroom.bridges.inspection._directory._is_closed", lambda seen: True)
    with override_settings(GREENROOM={"INSPECTION_DIR": own}):
        (message,) = check_inspection_dir()
    assert not message.is_serious()
    assert f"its owner is {owner}" in message.msg
    assert "Run this as the user who runs the server" in str(message.hint)


def test_no_directory_is_needed(base: Path) -> None:
    """
    Where nobody answers, and where the default can be used, there is nothing to say.
    """
    assert check_inspection_dir() == []
    off = {"INSPECTION": False, "INSPECTION_DIR": str(base / ("x" * 100))}
    with override_settings(GREENROOM=off):
        assert check_inspection_dir() == []


def test_tracing_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    E008: TRACING without OpenTelemetry is told once, with what to install.
    """
    without_the_extra(monkeypatch)
    with override_settings(GREENROOM={"TRACING": True}, ASGI_APPLICATION="no_such.application"):
        (message,) = check_tracing()
        assert checks.check_asgi_application() == []
    assert message.id == "greenroom.E008"
    assert message.msg.startswith("GREENROOM: TRACING is on, but tracing needs opentelemetry-api")
    assert "pip install 'greenroom[tracing]'" in str(message.hint)
    assert check_tracing() == []


@pytest.mark.usefixtures("database")  # Django looks whether it can hold JSON
@override_settings(ROOT_URLCONF=None)
def test_they_are_registered(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `manage.py check` runs them, and a wrong setting is told by itself.
    """
    without_the_extra(monkeypatch)
    wrong: dict[str, object] = {"TRACING": True, "INSPECTION_DIR": str(base / ("x" * 100))}
    with override_settings(GREENROOM=wrong):
        found = {message.id for message in run_checks()}
    assert {"greenroom.E008", "greenroom.W007"} <= found
    with override_settings(GREENROOM={**wrong, "AUDIT_DAYS": 0}):
        found = {message.id for message in run_checks()}
        assert "greenroom.E003" in found
        assert found.isdisjoint({"greenroom.E008", "greenroom.W007"})
        with pytest.raises(ImproperlyConfigured, match="AUDIT_DAYS"):
            load_options()
