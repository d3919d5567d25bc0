from on_duty import OnDuty

from greenroom.bridges.asgi import Application
from greenroom.bridges.testing import serve


async def test_on_duty_through_a_restart():
    async with serve(Application(children=[OnDuty])) as server:
        (resident,) = server.root.presences.listed("staff")["night watch"]
        server.crash(resident.path)
        await server.wait_restarted(resident.path)
        assert server.root.presences.listed("staff")["night watch"] == (resident,)
