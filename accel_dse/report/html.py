"""One page that holds everything it shows: styles, scripts, chart library and data.

It opens offline and asks for nothing: its content security policy allows the scripts that it
contains, by their hashes, and no other; a page that follows a study may also ask its own server.
"""

import json
import math
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from accel_dse.errors import OptionError

SCRIPTS = ("base.js", "search.js", "designs.js", "inside.js", "main.js")
"""In the order in which they run."""


def page(
    parts: Mapping[str, Any],
    *,
    live: bool = False,
    frame: str = "page.html",
    scripts: Sequence[str] = SCRIPTS,
) -> str:
    """The whole page.

    Args:
        parts: name -> plain data, as the last of `scripts` expects them.
        live: whether it asks its server for more.
        frame: what is filled in, of the folder `page`.
        scripts: that it runs, of the same folder.

    Raises:
        OptionError: the chart library is not installed.
    """
    folder = files("accel_dse.report") / "page"
    plotly = _plotly()
    script = "\n".join((folder / name).read_text("utf-8") for name in scripts)
    values = {
        "policy": escape(policy((plotly, script), live=live)),
        "title": escape(str(parts["about"]["title"])),
        "style": (folder / "page.css").read_text("utf-8"),
        "data": "\n".join(
            f'<script type="application/json" data-part="{escape(name)}">{dumped(part)}</script>'
            for name, part in parts.items()
        ),
        "plotly": plotly,
        "script": script,
    }
    # in one pass: what is filled in is not looked at again
    text = (folder / frame).read_text("utf-8")
    return re.sub(r"{{(\w+)}}", lambda match: values[match[1]], text)


def policy(scripts: tuple[str, ...], *, live: bool) -> str:
    """A content security policy that lets `scripts` run, and nothing from elsewhere."""
    hashes = " ".join(
        f"'sha256-{b64encode(sha256(s.encode()).digest()).decode()}'" for s in scripts
    )
    rules = {
        "default-src": "'none'",
        # the parallel coordinates compile their shaders' callers at run time
        "script-src": f"{hashes} 'unsafe-eval'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "connect-src": "'self'" if live else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def dumped(value: Any) -> str:
    """JSON that no HTML parser takes for markup; what is not finite becomes null."""
    text = json.dumps(_finite(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _plotly() -> str:
    """The chart library, as a script that can stand inside a page."""
    try:
        found = files("plotly") / "package_data" / "plotly.min.js"
    except ModuleNotFoundError as error:
        raise OptionError(
            "an HTML report needs plotly, which is not installed",
            hint="pip install 'accel-dse[viz]', or draw a .png, .pdf or .svg",
        ) from error
    return re.sub(r"</(script)", r"<\\/\1", found.read_text("utf-8"), flags=re.IGNORECASE)
