# What goes wrong with Redis, and what its user can do about it.


class RedisUnavailable(ConnectionError):
    """
    Redis can't be reached at this moment. The caller is told at once, and nothing is repeated.

    Attributes:
        host: Which one.
        reason: What the last attempt failed of.
    """

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(host, reason)
        self.host, self.reason = host, reason

    def __str__(self) -> str:
        return (
            f"Redis at {self.host} can't be reached: {self.reason}. It is tried again by itself;"
            " until then sending fails, and consumers live on."
        )
