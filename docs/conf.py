# How Sphinx builds these pages: `make docs`. Warnings are errors and every reference must
# resolve (-n -W), without a network: no inventory of another project is fetched.

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

# The reference describes a set-up Django project, as a reader has one.
sys.path[:0] = [str(HERE / "_ext"), str(HERE / "examples" / "introduction")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

project = "Greenroom"
author = "Greenroom developers"
project_copyright = author
html_title = "Greenroom"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "greenroom_reference",
]
exclude_patterns = ["_build", "examples/**", "changes/**"]

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["greenroom.css"]
html_show_sphinx = False
html_show_sourcelink = False

# `name` in a docstring is code.
default_role = "literal"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 88

nitpick_ignore_regex = [
    # Names of other projects: their inventories would have to be fetched.
    (
        r"py:.*",
        r"(trio|ssl|os|django|opentelemetry|collections|contextlib|hypercorn|pathlib|types|abc|enum"
        r"|unittest)\..*",
    ),
    (r"py:.*", r"contextvars\..*"),
    (r"py:exc", r"ImproperlyConfigured"),
    # Private types in a signature: shown, not linked. Public ones are found, see resolve_private().
    (r"py:.*", r"greenroom\..*\._.*"),
    (r"py:class", r"Target|LoopThread|AsyncCall|Workers"),
    (r"py:class", r"_LiteralGenericAlias|_CallableGenericAlias"),
    (r"py:class", r"T|Ts"),  # type variables, whatever they stand for
    (r"py:class", r"GeneratorType"),  # of the module types, where it is named without it
]
