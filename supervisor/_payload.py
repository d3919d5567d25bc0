# What may be sent to a group: exactly one message, text or run of bytes. Pure.

from typing import cast


def one_of(message: object, text: object, data: object) -> object:
    """
    Return which of the three there is: a str is a text, bytes a run of bytes, all else a message.

    Raises:
        TypeError: There is none, or several, or one of the wrong type.
    """
    given = {"message": message, "text": text, "bytes": data}
    contents = [(name, content) for name, content in given.items() if content is not None]
    if len(contents) != 1:
        names = " and ".join(name for name, _ in contents) or "none"
        raise TypeError(f"a group is sent exactly one of message, text= and bytes=. Got: {names}")
    if message is not None:
        _refuse_no_message(message)
        return message
    if isinstance(text, str):
        return text
    if isinstance(data, bytes):
        return data
    if isinstance(data, bytearray | memoryview):
        return bytes(cast("bytearray", data))
    [(name, content)] = contents
    wanted = "a str" if name == "text" else "bytes"
    raise TypeError(f"{name}= must be {wanted}. Got: {type(content).__name__}")


def _refuse_no_message(message: object) -> None:
    kind = type(message).__name__
    if isinstance(message, str | bytes | bytearray | memoryview):
        raise TypeError(
            "a message must be a dict with a 'type', or typed; a frame is sent with"
            f" text= or bytes=. Got: {kind}"
        )
    if isinstance(message, dict):
        fields = cast("dict[object, object]", message)
        if not isinstance(fields.get("type"), str):
            raise TypeError(
                "a dict sent to a group must have a 'type' that is a string. Got keys:"
                f" {list(fields)!r:.100}"
            )
