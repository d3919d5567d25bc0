# A resident that is present for as long as it lives, through its restarts.
from greenroom.actors import Actor


class OnDuty(Actor):

    async def started(self):
        self.presence_track("staff", "night watch")
