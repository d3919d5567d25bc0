from greenroom.actors import Denied, WebsocketConsumer


class Strict(WebsocketConsumer):
    subprotocols = ["chat.v2", "chat.v1"]   # the best first; accept() chooses
    groups = ["lobby"]                      # joined before connect, left at the end

    message_bytes = 100                     # longer: 1009
    messages_per_second = 20                # more: read more slowly, then 1008
    idle_limit_seconds = 60.0               # silent for so long: 1001
    lifetime_seconds = 6 * 3600.0           # then come back and prove who you are: 1001
    handshake_seconds = 3.0                 # for connect
    connections_per_address = 10            # one more: 429
    max_connections = 5000                  # of this class; one more: 503

    async def connect(self):
        await self.authenticate()
        await self.accept(headers=[("X-Members", str(len(self.group_members("lobby"))))])

    async def authenticate(self):
        if b"token=" not in self.scope["query_string"]:
            raise Denied(401, "Who are you?\n", [("WWW-Authenticate", "Bearer")])

    async def receive(self, text):
        await self.send(text=f"{len(text)} characters")
