# For pytest with pytest-django, which needs DJANGO_SETTINGS_MODULE = mysite.settings.
from chat.models import Entry
from greenroom.bridges.testing import SlowReader


def test_an_entry_is_stored(db, greenroom_server):
    Entry.objects.create(text="the test's own")
    with greenroom_server.websocket("/ws/guestbook/") as client:
        client.send_text("hello")
        assert client.receive_text().endswith(": hello")
    assert Entry.objects.count() == 2            # the other was written in a worker thread


def test_somebody_is_logged_in(db, greenroom_server, client, django_user_model):
    client.force_login(django_user_model.objects.create_user("ann"))     # the client of Django's
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    with greenroom_server.websocket("/ws/whoami/", headers=[("cookie", cookie)]) as socket:
        assert socket.receive_text() == "You are ann."


def test_a_guest_who_falls_asleep(greenroom_server, greenroom_clock):
    with greenroom_server.websocket("/ws/guestbook/") as client:
        assert client.receive_text(timeout=61) == "Still there?"     # and takes no time
        assert client.receive_text(timeout=11) == "Good night."


def test_goes_on_after_a_crash(db, greenroom_server):
    with greenroom_server.websocket("/ws/guestbook/") as client:
        client.crash(OSError("the disk is full"))
        client.wait_restarted()
        client.send_text("hello")
        assert client.receive_text().endswith(": hello")


def test_a_binary_message_is_a_mistake(greenroom_server):
    with greenroom_server.websocket("/ws/rooms/tea/") as client:
        client.send_bytes(b"\x00")
        client.wait_crash(AttributeError, match="startswith")        # else it fails the test


def test_a_resident(greenroom_server):
    greenroom_server.crash("/residents/greeter")
    greenroom_server.wait_restarted("/residents/greeter")
    greenroom_server.assert_no_dead_letters()


def test_over_a_real_socket(db, live_greenroom):
    with SlowReader(live_greenroom.ws_url + "/ws/guestbook/") as client:
        client.send_text("hello")
        assert client.receive().endswith(": hello")
    live_greenroom.wait_closed()
    assert Entry.objects.count() == 1
