# Numbers as people read them. Pure.

import time


def duration(seconds: float) -> str:
    """Return *seconds* in the two largest units that say something: ``3 m 2 s``."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    left = round(seconds)
    found: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or found:
            found.append(f"{count} {unit}")
        if len(found) == 2:
            break
    return " ".join(each for each in found if not each.startswith("0 "))


def count(number: float) -> str:
    """Return *number* with its thousands apart: ``12,345``."""
    return f"{number:,.0f}"


def several(number: int, one: str, more: str = "") -> str:
    """Return *number* with the noun that fits: ``1 process``, ``2 processes``."""
    return f"{count(number)} {one if number == 1 else more or f'{one}s'}"


def size(amount: float) -> str:
    """Return *amount* of bytes: ``61 MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def moment(at: float) -> str:
    """Return the unix time *at* as a date in UTC."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
    except (OverflowError, ValueError, OSError):
        return f"{at:g}"
