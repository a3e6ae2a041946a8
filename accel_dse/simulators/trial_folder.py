"""Simulations on disk: one folder each, so that a finished one is found rather than run again."""

import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from accel_dse.errors import OptionError
from accel_dse.simulators.guarded import LONGEST_LINE, Guarded

DESIGN, WORKLOAD, RESULT = "design.json", "workload.json", "result.json"


def label(*identity: Any) -> str:
    """What tells one simulation from others: 32 hexadecimal digits of anything JSON can hold."""
    text = json.dumps(identity, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fresh(directory: str, name: str) -> Path:
    """A path that nobody else uses, in `directory`, or where temporary files go if that is "".

    Two processes that run the same simulation at the same time get two.
    """
    parent = directory or tempfile.gettempdir()
    return Path(parent, f"{name}-{uuid.uuid4().hex[:12]}").absolute()


def input_files(workload: Mapping[str, Any], design: Mapping[str, Any]) -> dict[str, str]:
    """What a simulation is given, name -> content."""
    return {DESIGN: json.dumps(design), WORKLOAD: json.dumps(workload)}


def output_files(child: Guarded) -> dict[str, str]:
    """What is left of a program's output for a post-mortem, name -> content."""
    return {"stdout.txt": child.output.text(), "stderr.txt": child.errors.text()}


def result(folder: Path) -> str:
    """The result in `folder`, "" if there is none; not much more than an answer may have."""
    path = folder / RESULT
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(LONGEST_LINE + 1)


def results(directory: str, name: str) -> Iterator[str]:
    """What all simulations labelled `name` left in `directory`."""
    for folder in sorted(Path(directory).glob(f"{name}-*")):
        if text := result(folder):
            yield text


def save(folder: Path, files: Mapping[str, str]) -> None:
    """Writes files, each of which is there whole, also after a power cut, or not at all.

    Raises:
        OptionError: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            unfinished = folder / f"{name}.part"
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(folder / name)
    except OSError as error:
        raise OptionError(f"{folder}: cannot write: {error}") from error
