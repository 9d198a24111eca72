"""How Sphinx builds the pages: ``sphinx-build -W docs docs/_build/html``."""

from __future__ import annotations

from finetune_client import __version__

project = "finetune_client"
author = "The finetune_client authors"
project_copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "notebooks"]
html_theme = "furo"
html_title = f"finetune_client {__version__}"

# The pages' own anchors, such as reliability.md#retries, are their headings, as on GitHub.
myst_heading_anchors = 4

# A picture with a width is HTML, which GitHub shows too; so its file is copied as those of others are.
myst_enable_extensions = ["html_image"]

# A docstring's `name` is code: its names are short ones, which Sphinx could not look up.
default_role = "code"
autodoc_member_order = "bysource"
add_module_names = False
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True
