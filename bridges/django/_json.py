# What Django's own objects are in JSON: told to actors/consumers/_json_codec.py.

from django.utils.functional import Promise

from ...actors.consumers._json_codec import add_translation


def lazy_text(value: object) -> object:
    """Return a lazy string in the language that is active now; NotImplemented for all else."""
    return str(value) if isinstance(value, Promise) else NotImplemented


def teach_json() -> None:
    """Have JSON consumers know what :func:`lazy_text` does."""
    add_translation(lazy_text)
