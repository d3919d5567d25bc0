"""WebSocket (RFC 6455) without input or output: frames, handshake, compression."""
