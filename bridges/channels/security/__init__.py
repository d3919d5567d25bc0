"""Who may open a WebSocket, as Channels has it."""

__all__: list[str] = []
