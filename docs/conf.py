"""How the documentation is built: `make docs`, then open `docs/_build/html/index.html`."""

import accel_dse

project = "accel_dse"
author = "The accel_dse authors"
copyright = f"2026, {author}"
release = accel_dse.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["notebooks.css"]
html_title = f"accel_dse {release}"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Pages link to files of the repository, too; tests/test_docs.py checks that those exist.
suppress_warnings = ["myst.xref_missing", "ref.python"]

# The notebooks are kept without outputs; the pages show what they print today. A cache would go
# stale: it looks at a notebook, and not at the package that the notebook runs.
nb_execution_mode = "force"  # "off" with `make docs-fast`
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"  # progress bars; tests/test_notebooks.py sees to it that nothing warns

autodoc_member_order = "bysource"
napoleon_custom_sections = [("Source", "notes_style")]
napoleon_use_ivar = True
