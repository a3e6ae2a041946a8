"""Study files: a whole search in YAML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel_dse.errors import DseError
from accel_dse.files.document import Document, read_yaml
from accel_dse.files.mistakes import Mistakes, described
from accel_dse.files.schemas import StudyEntry
from accel_dse.files.space_file import SUFFIXES
from accel_dse.files.yaml_builder import Place
from accel_dse.problem import Aggregate, Goal, Limit, Objective

FILES = (*SUFFIXES, ".onnx", ".csv")
"""A workload whose name ends in one of these is a file."""


@dataclass(frozen=True)
class Choice:
    """A plug-in by name, with its options as written."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """A search: what for, by what, how long.

    Attributes:
        space: a space file's path, or the name of a shipped one.
        workloads: (name of the zoo or path of a file, weight), distinct.
        goal: objectives and limits.
        aggregate: how a metric of several workloads becomes one; see `Problem`.
        optimizer: what proposes designs.
        simulator: what measures them.
        trials: how many.
        batch: how many at a time; None for what suits the optimizer.
        seed: fixes every random choice.
        warm_start: places of logs of related tasks to begin from.
        workers: simulations at a time; None for what suits, 0 to leave them to workers.
        max_hours: what ends a run; None for nothing.
        target: a value of the first objective that ends it; None if none does.
        document: all that the file says, with line numbers.
    """

    space: str
    workloads: tuple[tuple[str, float], ...]
    goal: Goal
    aggregate: Aggregate
    optimizer: Choice
    simulator: Choice
    trials: int
    batch: int | None
    seed: int
    warm_start: tuple[str, ...] = ()
    workers: int | None = None
    max_hours: float | None = None
    target: float | None = None
    document: Document = field(repr=False)


def load_study(path: str | Path) -> StudyFile:
    """Reads a study file.

    Names of files in it are relative to its folder, and stay in there unless absolute.

    Raises:
        FileError: there is no such file, or something in it is wrong: one line for each mistake,
            with its place.
    """
    return read_study(read_yaml(Path(path)), Path(path))


def read_study(document: Document, path: Path) -> StudyFile:
    """The study file that `document` is; see `load_study`."""
    mistakes = Mistakes(document)
    entry = mistakes.read(StudyEntry, document.data, ())
    if entry is None:
        raise mistakes.error()
    reader = _Reader(mistakes, path.parent)
    goal = reader.goal(entry)
    space = reader.file(entry.space, ("space",), SUFFIXES)
    workloads = reader.workloads(entry.workloads)
    optimizer = reader.choice(entry.optimizer, "optimizer")
    simulator = reader.choice(entry.simulator, "simulator")
    logs = reader.words(entry.warm_start, ("warm_start",))
    warm_start = tuple(reader.log(text, place) for place, text in logs)
    if goal is None or mistakes.found:
        raise mistakes.error()
    return StudyFile(
        space=space,
        workloads=workloads,
        optimizer=optimizer,
        simulator=simulator,
        goal=goal,
        aggregate=entry.aggregate,
        trials=entry.trials,
        batch=entry.batch,
        seed=entry.seed,
        warm_start=warm_start,
        workers=entry.workers,
        max_hours=entry.max_hours,
        target=entry.target,
        document=document,
    )


class _Reader:
    """Reads what the schema leaves open, and notes what is wrong with it."""

    def __init__(self, mistakes: Mistakes, folder: Path) -> None:
        self.mistakes = mistakes
        self.folder = folder

    def words(self, value: Any, place: Place) -> list[tuple[Place, str]]:
        """A word, or a list of words."""
        if value is None:
            return []
        items = value if isinstance(value, list) else [value]
        places = [(*place, i) if isinstance(value, list) else place for i in range(len(items))]
        for item, where in zip(items, places):
            if not isinstance(item, str):
                self.mistakes.add(
                    where, f"expected a word or a list of words, got {described(item)}"
                )
        return [(where, item) for where, item in zip(places, items) if isinstance(item, str)]

    def goal(self, entry: StudyEntry) -> Goal | None:
        objectives = [
            *(Objective(word, "minimize") for _, word in self.words(entry.minimize, ("minimize",))),
            *(Objective(word, "maximize") for _, word in self.words(entry.maximize, ("maximize",))),
        ]
        limits = []
        for place, text in self.words(entry.limits, ("limits",)):
            try:
                limits.append(Limit.parse(text))
            except DseError as error:
                self.mistakes.add(place, str(error), error.hint)
        try:
            return Goal(tuple(objectives), tuple(limits))
        except DseError as error:
            self.mistakes.add(("minimize",), str(error), error.hint)
            return None

    def workloads(self, value: Any) -> tuple[tuple[str, float], ...]:
        place: Place = ("workloads",)
        if isinstance(value, dict):
            named = [((*place, name), name, weight) for name, weight in value.items()]
        else:
            named = [(where, word, 1.0) for where, word in self.words(value, place)]
        if not named:
            self.mistakes.add(place, "names no workload", "write mobilenet_v2, or a list")
        found: dict[str, float] = {}
        for where, name, weight in named:
            if type(weight) not in (int, float) or not 0 < weight < float("inf"):
                self.mistakes.add(
                    where, f"weight must be a number above 0, got {described(weight)}"
                )
            elif (file := self.file(name, where, FILES)) in found:
                self.mistakes.add(where, f"{name!r} is named twice")
            else:
                found[file] = float(weight)
        return tuple(found.items())

    def choice(self, value: Any, key: str) -> Choice:
        if isinstance(value, str):
            return Choice(value)
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            return Choice(value["name"], {k: v for k, v in value.items() if k != "name"})
        self.mistakes.add(
            (key,),
            f"expected a name, got {described(value)}",
            f"write {key}: {{name: NAME, OPTION: VALUE}}",
        )
        return Choice("")

    def file(self, text: str, place: Place, suffixes: tuple[str, ...]) -> str:
        """The path that `text` is, seen from the study file; `text` itself if it is a name."""
        return self.inside(text, place) if Path(text).suffix.lower() in suffixes else text

    def log(self, text: str, place: Place) -> str:
        """The place of a log: the URL of a database, or a path seen from the study file."""
        return text if "://" in text else self.inside(text, place)

    def inside(self, text: str, place: Place) -> str:
        """The path `text`, which is absolute or leads to the study file's folder or below."""
        path = Path(text)
        if path.is_absolute():
            return text
        try:
            inside = (self.folder / path).resolve().is_relative_to(self.folder.resolve())
        except (OSError, ValueError) as error:
            self.mistakes.add(place, f"{text!r} cannot be a path: {error}")
            return text
        if not inside:
            self.mistakes.add(
                place, f"{text!r} leads out of the folder of this file", "give an absolute path"
            )
        return str(self.folder / path)
