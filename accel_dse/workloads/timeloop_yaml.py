"""Reads the YAML that Timeloop's front end accepts, as data: no template is run."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accel_dse.errors import WorkloadError
from accel_dse.files.document import parse_yaml

LARGEST_FILE_BYTES = 1_000_000

TAGS = ("!Component", "!Container", "!Hierarchical", "!Nothing", "!Parallel", "!Pipelined")
"""Tags of an architecture that may stand in the same file. Source: timeloopfe, `v4/arch.py`."""

INCLUDE = re.compile(r"^\{\{\s*include_text\('([^'{}]+\.ya?ml)'\)\s*\}\}\s*$", re.MULTILINE)
"""The one template that is followed: a line that stands for another file's text."""

MERGE = "<<<"
"""Merges a mapping into the one it stands in, and their common keys likewise.

Source: timeloopfe, `common/nodes.py`."""


def read(path: Path) -> Any:
    """The content of a file.

    Raises:
        WorkloadError: it cannot be read, is too large, or holds templates.
        FileError: it is not YAML that is safe to read.
    """
    text = _text(path)
    text = INCLUDE.sub(lambda match: _text(path.parent / match[1]), text)
    if "{{" in text:
        raise WorkloadError(
            f"{path}: holds Jinja templates, which are not run here",
            hint="give the parsed-processed-input.yaml that timeloopfe writes",
        )
    return parse_yaml(text, str(path), tags=TAGS).data


def merged(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """`value` with what its key `<<<` holds filled in beneath."""
    base = value.get(MERGE)
    if not isinstance(base, Mapping):
        return value
    return _over(base, {key: item for key, item in value.items() if key != MERGE})


def _over(base: Mapping[str, Any], top: Mapping[str, Any]) -> Mapping[str, Any]:
    result = dict(base)
    for key, item in top.items():
        below = base.get(key)
        if isinstance(below, Mapping) and isinstance(item, Mapping):
            item = _over(below, item)
        result[key] = item
    return result


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise WorkloadError(f"{path}: larger than {LARGEST_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise WorkloadError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{path}: not text") from error
