# Run as a program by test_public_names.py: prints, as JSON, what each package offers.

import enum
import importlib
import inspect
import json
import sys
import traceback
from collections.abc import Iterator

# Bound by Python or by a library in every class of its kind: not ours to document.
INHERITED = {"name", "value"}


def main() -> None:
    """Print the public names, `__all__` and what lacks a docstring, by package."""
    json.dump({name: look_at(name) for name in sys.argv[1:]}, sys.stdout)


def look_at(name: str) -> dict[str, object]:
    """Describe one package; where it cannot be imported, say why instead of its names."""
    try:
        package = importlib.import_module(name)
    except ImportError:
        return {"all": traceback.format_exc(), "public": {}, "undocumented": []}
    for lazy in getattr(package, "__all__", ()):
        getattr(package, lazy, None)  # imported when it is asked for
    public = {
        name: value
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    return {
        "all": list(getattr(package, "__all__", [])),
        "public": {name: identity(value) for name, value in public.items()},
        "undocumented": sorted(
            where for name, value in public.items() for where in undocumented(name, value)
        ),
    }


def identity(value: object) -> str:
    """Return where *value* is defined, or what it is."""
    module, name = getattr(value, "__module__", ""), getattr(value, "__qualname__", "")
    return f"{module}.{name}" if name else repr(value)


def undocumented(name: str, value: object) -> Iterator[str]:
    """Yield *name* and its parts wherever a docstring is missing."""
    if inspect.isclass(value):
        if not has_own_docstring(value):
            yield name
        for attribute, member in vars(value).items():
            if is_documentable(attribute, member) and not inspect.getdoc(getattr(value, attribute)):
                yield f"{name}.{attribute}"
    elif inspect.isroutine(value) and not inspect.getdoc(value):
        yield name


def has_own_docstring(value: type) -> bool:
    """Say whether somebody wrote a docstring for this very class."""
    text = value.__dict__.get("__doc__") or ""
    # A dataclass or named tuple without one is given its signature.
    return bool(text) and not text.startswith(f"{value.__name__}(")


def is_documentable(attribute: str, member: object) -> bool:
    """Say whether *member* is a public method or property."""
    if attribute.startswith("_") or attribute in INHERITED or isinstance(member, enum.Enum):
        return False
    return inspect.isroutine(member) or isinstance(member, (property, classmethod, staticmethod))


if __name__ == "__main__":
    main()
