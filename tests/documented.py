"""The documentation taken apart: what its pages tell a reader to type, write and run, in order."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "notebooks").glob("*.ipynb")),
    "logged_data/README.md",
    "simulator_stubs/README.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "simulator_stubs").glob("*/README.md")),
)
"""Pages whose commands are run, each a story of its own."""

NAMED = re.compile(r"# (?P<name>[\w./-]+\.(?:py|yaml|toml))\b")
"""The first line of a block that is a file: it says the file's name."""


@dataclass(frozen=True)
class Step:
    """One thing that a page tells a reader to do.

    Attributes:
        page: relative to the repository.
        line: of the page, counted from 1.
        kind: `command`, `file`, `python`, `toml`, `json` or `diff`.
        text: the command, or what is in the file, or the program.
        name: of the file; "" of others.
    """

    page: str
    line: int
    kind: str
    text: str
    name: str = ""

    @property
    def words(self) -> list[str]:
        """A command's words, as a shell splits them."""
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text.splitlines()[0]}"


def steps(page: str) -> list[Step]:
    """What a page tells a reader to do, in order."""
    text = prose(page)
    found: list[Step] = []
    for block in re.finditer(r"^```(\S*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        line = text[: block.start(2)].count("\n") + 1
        found += _of_block(page, line, block[1], block[2])
    return found


def prose(page: str) -> str:
    """The text of a page; of a notebook, that between its programs."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if not page.endswith(".ipynb"):
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def _of_block(page: str, line: int, language: str, inner: str) -> Iterator[Step]:
    if language in ("sh", "bash", "console"):
        yield from _commands(page, line, inner)
    elif language in ("python", "yaml"):
        named = NAMED.match(inner)
        if named:
            yield Step(page, line, "file", inner, named["name"])
        if language == "python":
            yield Step(page, line, "python", inner)
        elif not named:
            raise ValueError(
                f"{page}:{line}: a block of YAML begins with its file's name: # X.yaml"
            )
    elif language in ("toml", "json", "diff"):
        yield Step(page, line, language, inner)
    elif language != "text" and not language.startswith("{"):
        raise ValueError(f"{page}:{line}: a block says its language, got {language!r}")


def _commands(page: str, line: int, inner: str) -> Iterator[Step]:
    """The commands of a block; a backslash joins lines."""
    joined, start = "", line
    for place, row in enumerate(inner.splitlines(), line):
        start = start if joined else place
        joined += row.removesuffix("\\")
        if not row.endswith("\\"):
            if shlex.split(joined, comments=True):
                yield Step(page, start, "command", joined.strip())
            joined = ""


def mentioned(page: str) -> list[list[str]]:
    """Words of the commands that stand within a page's sentences."""
    sentences = re.sub(r"^```.*?^```$", "", prose(page), flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`((?:accel-dse|python|pytest|make) [^`]+)`", sentences)
    return [shlex.split(" ".join(span.split())) for span in spans]
