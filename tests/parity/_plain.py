# Observations as JSON that can be compared: what is not JSON is marked, package names are masked.

from typing import Any


def plain(value: Any, package: str) -> Any:
    """
    Return *value* as JSON has it; whoever reads it can tell a tuple from a list.

    Raises:
        TypeError: There is something in it that can't be compared between two processes.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return masked(str(value), package)
        case bytes():
            return {"bytes": value.decode("latin-1")}
        case tuple():
            return {"tuple": [plain(item, package) for item in value]}
        case list():
            return [plain(item, package) for item in value]
        case set() | frozenset():
            return {"set": sorted(str(plain(item, package)) for item in value)}
        case dict():
            return {str(plain(key, package)): plain(item, package) for key, item in value.items()}
        case BaseException():
            return {"raised": type(value).__name__, "text": masked(str(value), package)}
        case type():
            return {"class": value.__name__}
        case _:
            raise TypeError(f"a case returned {value!r}, which can't be compared")


def masked(text: str, package: str) -> str:
    """Put PACKAGE where a text names the library."""
    return text.replace(f"{package}.", "PACKAGE.")
