# What the plugin costs where nobody uses it: nothing.

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from projects import Project

pytestmark = pytest.mark.slow

TESTS = """
    import sys
    def test_what_was_imported(request):
        assert request.config.pluginmanager.hasplugin("greenroom")
        ours = {name for name in sys.modules if name.partition(".")[0] == "greenroom"}
        assert ours == {
            "greenroom", "greenroom.bridges", "greenroom.bridges.testing",
            "greenroom.bridges.testing._lazy", "greenroom.bridges.testing.pytest_plugin",
        }
        assert not {"trio", "django", "asyncio", "hypercorn", "msgspec"} & set(sys.modules)
        assert not [name for name in request.fixturenames if "greenroom" in name]
    """
OTHERS = ("trio", "django", "asyncio", "anyio", "xdist", "hypothesispytest", "pytest_cov")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that has nothing to do with Django."""
    return Project(tmp_path)


def test_nothing_is_imported_before_it_is_asked_for(project: Project) -> None:
    """
    Neither trio nor Django, nor more of Greenroom than the plugin's own module.
    """
    off = [option for name in OTHERS for option in ("-p", f"no:{name}")]
    project.passed(project.pytest(TESTS, *off, django=False), 1)


def test_a_test_class_is_imported_without_settings() -> None:
    """
    All that the package offers can be had, one by one, in a fresh interpreter without a project.
    """
    code = (
        "import greenroom.bridges.testing as testing\n"
        "for name in testing.__all__: getattr(testing, name)\n"
        "try: testing.nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "module 'greenroom.bridges.testing' has no attribute 'nothing'\n"


def test_the_wheel_registers_the_plugin(project: Project, wheel: Path) -> None:
    """
    Installed from the wheel the plugin is there, without a warning beside an app named `actors`.
    """
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(project.folder)
    project.write("actors/__init__.py", "")
    tests = """
    import actors
    def test_it(request, greenroom_server):
        import greenroom.actors, greenroom.bridges.testing as testing
        assert "site-packages" not in testing.__file__ and "__editable__" not in testing.__file__
        assert greenroom.actors is not actors
        assert greenroom_server.root.state == "running"
    """
    project.passed(project.pytest(tests), 1)


@pytest.mark.parametrize(
    ("mark", "message"),
    [("crash='allow'", "crashes, static, threads, timeout, by name. Got: crash"),
     ("'allow'", "by name. Got: 'allow'")],
)  # fmt: skip
def test_what_the_mark_may_say(project: Project, mark: str, message: str) -> None:
    """
    An option that there is not is refused with those that there are.
    """
    tests = f"""
    import pytest
    @pytest.mark.greenroom({mark})
    def test_it(greenroom_server):
        pass
    """
    assert project.pytest(tests) == 1
    assert message in project.output


def test_the_mark_and_an_application_of_its_own(project: Project) -> None:
    """
    The nearest mark holds, with what those around it say, and the application can be another.
    """
    tests = """
    import pytest, threading
    from greenroom.actors import WebsocketConsumer
    pytestmark = pytest.mark.greenroom(crashes="raise", threads="inline")
    class Echo(WebsocketConsumer):
        def receive(self, text):
            if text == "boom":
                raise ValueError("boom")
            self.send(text=threading.current_thread().name)
    @pytest.fixture
    def greenroom_application():
        return Echo.as_asgi()
    @pytest.mark.greenroom(crashes="allow")
    def test_it(greenroom_server):
        with greenroom_server.websocket("/") as client:
            client.send_text("boom")
            client.send_text("who")
            assert client.receive_text() == "greenroom test server"
    """
    project.passed(project.pytest(tests, django=False), 1)


def test_without_a_database(project: Project) -> None:
    """
    A handler that asks for no data runs without `db`, and nothing is logged.
    """
    tests = """
    import pytest
    from greenroom.actors import WebsocketConsumer
    class Echo(WebsocketConsumer):
        def receive(self, text):
            self.send(text=text)
    @pytest.fixture
    def greenroom_application():
        from django.urls import path
        from greenroom.bridges.django import Greenroom
        return Greenroom(websocket=[path("", Echo)])
    def test_first(db):
        pass
    def test_it(greenroom_server, caplog):
        with greenroom_server.websocket("/") as client:
            client.send_text("x")
            assert client.receive_text() == "x"
        assert caplog.records == []
    """
    project.passed(project.pytest(tests), 2)


def test_a_view_that_hangs(project: Project) -> None:
    """
    The text of the test's error names the request and the line that waits, in its thread.
    """
    project.write(
        "mysite/urls.py",
        """
        import threading
        from django.urls import path
        GO = threading.Event()
        def stuck(request):
            GO.wait(60)
        urlpatterns = [path("stuck/", stuck)]
        """,
    )
    tests = """
    import pytest
    from greenroom.bridges.testing import NothingCame
    from mysite.urls import GO
    def test_it(greenroom_server):
        with pytest.raises(NothingCame) as failed:
            greenroom_server.http("GET", "/stuck/", timeout=3)  # in which it has to get there
        GO.set()
        assert "answers GET /stuck/; it waits at " in str(failed.value)
        assert "in stuck, in thread views-1" in str(failed.value)
        greenroom_server.wait_crash(ValueError, match="returned None")
    """
    project.passed(project.pytest(tests), 1)


def test_what_a_view_raises(project: Project) -> None:
    """
    It is the test's error, as a crash is, unless the test asks for it; the client gets its 500.
    """
    tests = """
    import pytest
    @pytest.mark.parametrize("path", ["/broken/", "/broken/later/"])
    def test_it(greenroom_server, path):
        answer = greenroom_server.http("GET", path)
        assert answer.status == 500
        greenroom_server.wait_crash(ZeroDivisionError, path=path)
    def test_live(live_greenroom):
        from urllib.error import HTTPError
        from urllib.request import urlopen
        with pytest.raises(HTTPError), urlopen(live_greenroom.url + "/broken/", timeout=20):
            pass
        live_greenroom.wait_crash(ZeroDivisionError, match="no view")
    """
    project.passed(project.pytest(tests), 3)
    wrong = tests.replace("        greenroom_server.wait_crash(ZeroDivisionError, path=path)\n", "")
    assert project.pytest(wrong) == 1
    assert "ZeroDivisionError: no view" in project.output
    assert "raised in /broken/, a view" in project.output


def test_how_a_crash_looks_in_a_run(project: Project) -> None:
    """
    pytest shows the test's line and the consumer's line, and nothing of what is between them.
    """
    tests = """
    def test_it(db, greenroom_server):
        with greenroom_server.websocket("/ws/") as client:
            client.send_text("boom")
            assert client.receive_text() == "never"
    """
    assert project.pytest(tests) == 1
    lines = [" ".join(line.split()) for line in project.output.splitlines()]
    assert [line for line in lines if line.startswith((">", "E "))] == [
        '> assert client.receive_text() == "never"',
        '> raise ValueError("boom")',
        "E ValueError: boom",
        "E raised in /connections/notes/1, which handled text frame of 4",
    ], project.output
    assert "notes/consumers.py:7: ValueError" in project.output
