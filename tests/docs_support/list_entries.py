# Run as a program by tests/test_docs.py: prints as JSON what needs an entry in the reference, and
# what has one.

import json
import os
import sys

from snippets import DOCS

sys.path[:0] = [str(DOCS / "_ext"), str(DOCS / "examples" / "introduction")]
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"


def main() -> None:
    """Print everything."""
    import django

    django.setup()
    import entries
    import provoked
    from django.core.management import load_command_class

    from greenroom.supervisor import Options

    documented: dict[str, list[str]] = {}
    for page in sorted((DOCS / "reference").glob("*.md")):
        for package, names in entries.named_on_page(page).items():
            documented.setdefault(package, []).extend(names)
    json.dump(
        {
            "names": {name: entries.public_names(name) for name in entries.packages()},
            "documented": documented,
            "settings": {option.name: option.doc for option in Options.described()},
            "commands": {
                name: load_command_class("greenroom.bridges.django", name).help
                for name in entries.commands()
            },
            "checks": entries.checks(),
            "events": entries.events(),
            "provoked": {id: message.hint for id, message in provoked.provoke().items()},
            "close_codes": sorted(entries.close_codes()),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
