# A resident that is present for as long as it lives, through its restarts.
from contextlib import suppress

from greenroom.actors import Actor, AlreadyPresent


class OnDuty(Actor):

    async def started(self):
        with suppress(AlreadyPresent):      # an incarnation before this one has tracked
            self.presence_track("staff", "night watch")
