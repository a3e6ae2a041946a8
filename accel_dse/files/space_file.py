"""Space files: a design space in YAML, with reference designs and a description of the hardware."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel_dse.constraints import Constraint
from accel_dse.designs import Design
from accel_dse.errors import DesignError, FileError
from accel_dse.expressions import Expression
from accel_dse.files.document import Document, read_yaml
from accel_dse.files.mistakes import Mistakes
from accel_dse.files.schemas import PARAMETERS, ReferenceEntry, RuleEntry, SpaceEntry
from accel_dse.files.yaml_builder import Place
from accel_dse.formula import shown, suggestion
from accel_dse.parameters import Parameter
from accel_dse.space import DesignSpace

SUFFIXES = (".yaml", ".yml")
"""What the name of a file that we read ends in."""


@dataclass(frozen=True)
class Reference:
    """A named design that others are compared with.

    Attributes:
        design: a valid design of the space.
        description: what it is.
        source: where it comes from.
    """

    design: Design
    description: str = ""
    source: str = ""


@dataclass(frozen=True)
class SpaceFile:
    """A design space, and what its file says besides.

    Attributes:
        space: the space.
        accelerator: the section that describes the hardware, as written; None if there is none.
        references: named designs.
        source: where the space comes from.
        path: the file.
        document: all that the file says, with line numbers.
    """

    space: DesignSpace
    accelerator: Mapping[str, Any] | None
    references: Mapping[str, Reference]
    source: str
    path: Path
    document: Document = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the space."""
        return self.space.name


def shipped() -> Path:
    """The folder of the spaces that come with the package."""
    package = Path(__file__).parents[1]
    inside = package / "design_spaces"  # where a wheel has them
    return inside if inside.is_dir() else package.parent / "design_spaces"


def names() -> tuple[str, ...]:
    """The spaces that come with the package."""
    return tuple(sorted(path.stem for path in shipped().glob("*.yaml")))


def find_space(path_or_name: str | Path) -> tuple[Path, str]:
    """Where a space file is, and what messages call it.

    Raises:
        FileError: it is neither the path of a YAML file nor the name of a shipped space.
    """
    text = str(path_or_name)
    if text in names():
        return shipped() / f"{text}.yaml", f"{text}.yaml"
    path = Path(path_or_name)
    if path.suffix.lower() in SUFFIXES or path.exists():
        return path, text
    raise FileError(
        f"no design space is named {shown(text)}",
        hint=f"{suggestion(text, names())}, or give the path of a .yaml file",
    )


def load_space(path_or_name: str | Path) -> SpaceFile:
    """Reads a space file.

    Args:
        path_or_name: the path of a YAML file, or the name of a space that comes with the package.

    Raises:
        FileError: there is no such file, or something in it is wrong: one line for each mistake,
            with its place.
    """
    path, name = find_space(path_or_name)
    return read_space(read_yaml(path, name=name), path)


def read_space(document: Document, path: Path) -> SpaceFile:
    """The space file that `document` is; see `load_space`."""
    mistakes = Mistakes(document)
    entry = mistakes.read(SpaceEntry, document.data, ())
    if entry is None:
        raise mistakes.error()
    parameters = _parameters(entry.parameters, mistakes)
    bare = DesignSpace(entry.name, parameters) if not mistakes.found else None
    known = list(entry.parameters)
    constraints = [
        constraint
        for i, item in enumerate(entry.constraints)
        if (constraint := _constraint(item, ("constraints", i), known, bare, mistakes))
    ]
    features = {
        name: expression
        for name, text in entry.features.items()
        if (expression := _feature(name, text, known, bare, mistakes))
    }
    if bare is None or mistakes.found:
        raise mistakes.error()
    space = DesignSpace(entry.name, parameters, tuple(constraints), features)
    references = {
        name: reference
        for name, value in entry.references.items()
        if (reference := _reference(value, ("references", name), space, mistakes))
    }
    if mistakes.found:
        raise mistakes.error()
    return SpaceFile(space, entry.accelerator, references, entry.source, path, document)


def _parameters(entries: Mapping[str, Any], mistakes: Mistakes) -> tuple[Parameter, ...]:
    """The parameters that can be read."""
    parameters = []
    for name, value in entries.items():
        place = ("parameters", name)
        try:
            parameter = _parameter(name, value, place, mistakes)
        except DesignError as error:
            mistakes.add(place, str(error).removeprefix(f"{name}: "), error.hint)
        else:
            parameters += [parameter] if parameter else []
    return tuple(parameters)


def _parameter(name: str, value: Any, place: Place, mistakes: Mistakes) -> Parameter | None:
    """One parameter; None if it is not described as one, which is noted.

    Raises:
        DesignError: its description makes no sense.
    """
    if isinstance(value, list):
        is_text = bool(value) and all(isinstance(item, str) for item in value)
        value = {"categorical" if is_text else "ordinal": value}
    kinds = [key for key in PARAMETERS if isinstance(value, dict) and key in value]
    if len(kinds) != 1:
        found = f"is {' and '.join(kinds)} at once" if kinds else "does not say what kind it is"
        mistakes.add(place, found, f"write a list, or {{KIND: ...}} of {', '.join(PARAMETERS)}")
        return None
    entry = mistakes.read(PARAMETERS[kinds[0]], value, place)
    return None if entry is None else entry.parameter(name)


def _constraint(
    item: Any, place: Place, known: list[str], bare: DesignSpace | None, mistakes: Mistakes
) -> Constraint | None:
    entry = mistakes.read(RuleEntry, {"rule": item} if isinstance(item, str) else item, place)
    if entry is None:
        return None
    try:
        constraint = Constraint(Expression(entry.rule), entry.why)
        constraint.rule.check_names(known)
        if bare is not None:
            bare.check_constraint(constraint)
    except DesignError as error:
        mistakes.add(place, str(error), error.hint)
        return None
    return constraint


def _feature(
    name: str, text: Any, known: list[str], bare: DesignSpace | None, mistakes: Mistakes
) -> Expression | None:
    try:
        expression = Expression(text)
        expression.check_names(known)
        if bare is not None:
            bare.check_feature(name, expression)
    except DesignError as error:
        mistakes.add(("features", name), str(error), error.hint)
        return None
    return expression


def _reference(
    value: Any, place: Place, space: DesignSpace, mistakes: Mistakes
) -> Reference | None:
    entry = mistakes.read(ReferenceEntry, value, place)
    if entry is None:
        return None
    try:
        design = space.canonical(entry.design)
        space.check(design)
    except DesignError as error:
        name, _, message = str(error).partition(": ")
        if name in entry.design:
            mistakes.add((*place, "design", name), message, error.hint)
        else:
            mistakes.add((*place, "design"), str(error), error.hint)
        return None
    return Reference(design, entry.description, entry.source)
