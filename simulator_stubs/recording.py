"""Runs a tool on text files, or plays back what it wrote when it was run on the same files.

A stub made with this works where the tool is not installed, for the inputs that were recorded:

    python stub.py --record DIRECTORY      run the tool, and keep what goes in and comes out
    python stub.py --recorded DIRECTORY    play back; an input that was never recorded fails
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def options(description: str | None) -> argparse.ArgumentParser:
    """A command line with the two options; a stub may add its own."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--record", metavar="DIRECTORY", type=Path)
    parser.add_argument("--recorded", metavar="DIRECTORY", type=Path)
    return parser


def program(name: str) -> tuple[str, Callable[[], str]]:
    """The path of a program, and what stands for its version: a hash of it, as many tell none."""
    path = shutil.which(name) or name

    def version() -> str:
        return "sha256-" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]

    return path, version


class Tool:
    """A program that makes text files of text files.

    Args:
        run: given a folder with the input files, leaves the output files in it.
        version: of the tool; asked only if it is there to be run.
        chosen: the parsed `options`.
    """

    def __init__(
        self, run: Callable[[Path], None], version: Callable[[], str], chosen: argparse.Namespace
    ) -> None:
        self._run = run
        self._record, self._recorded = chosen.record, chosen.recorded
        if self._recorded:
            told = json.loads((self._recorded / "tool.json").read_text())
            self.version = told["version"]
        else:
            self.version = version()
        if self._record:
            self._record.mkdir(parents=True, exist_ok=True)
            (self._record / "tool.json").write_text(json.dumps({"version": self.version}) + "\n")

    def __call__(self, inputs: Mapping[str, str], outputs: Iterable[str]) -> dict[str, str]:
        """What the tool makes of `inputs` (name -> content), for each name in `outputs`.

        An output that it did not write is left out.
        """
        name = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
        if self._recorded:
            folder = self._recorded / name
            if not folder.is_dir():
                raise LookupError(f"{self._recorded}: nothing is recorded for these inputs: {name}")
            return _read(folder, outputs)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for file, content in inputs.items():
                (folder / file).write_text(content)
            self._run(folder)
            found = _read(folder, outputs)
        if self._record:
            shutil.rmtree(self._record / name, ignore_errors=True)
            (self._record / name).mkdir()
            for file, content in {**inputs, **found}.items():
                (self._record / name / file).write_text(content)
        return found


def _read(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: (folder / name).read_text() for name in names if (folder / name).exists()}
