"""Flags that several commands share, and what the words after them mean."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import typer

from accel_dse.errors import OptionError

DEFAULT_SIMULATOR = "accelerator"


def word(flag: str, metavar: str, text: str, **more: Any) -> Any:
    """A flag with one word after it."""
    return typer.Option(flag, metavar=metavar, help=text, **more)


def words(flag: str, metavar: str, text: str, *also: str) -> Any:
    """A flag that may be given several times."""
    return typer.Option(
        flag, *also, metavar=metavar, help=text, default_factory=list, show_default=False
    )


Space = Annotated[
    str,
    typer.Argument(metavar="SPACE", help="A shipped design space, such as `edge`, or a file."),
]
Workload = Annotated[
    str,
    typer.Option(
        "--workload",
        "-w",
        metavar="W",
        help="A network of the zoo (see `list workloads`), or a file.",
    ),
]
SimulatorName = Annotated[
    str, typer.Option("--simulator", metavar="NAME", help="What measures designs.")
]
SimulatorOptions = Annotated[
    list[str],
    typer.Option(
        "--simulator-option",
        metavar="K=V",
        help="An option of the simulator.",
        default_factory=list,
        show_default=False,
    ),
]
Shapes = Annotated[
    list[str],
    typer.Option(
        "--shape",
        metavar="DIM=N",
        help="A dimension that an ONNX file leaves open.",
        default_factory=list,
        show_default=False,
    ),
]
Workloads = Annotated[
    list[str], words("--workload", "W[:WEIGHT]", "A network of the zoo, or a file.", "-w")
]
Minimize = Annotated[
    list[str], words("--minimize", "METRIC", "To be made small; `simulate` shows all there are.")
]
Maximize = Annotated[list[str], words("--maximize", "METRIC", "To be made large.")]
Limits = Annotated[list[str], words("--limit", "'M<=N'", "A bound: 'area_mm2<=27'.")]
Aggregate = Annotated[
    Literal["mean", "worst", "geomean"] | None,
    typer.Option(
        "--aggregate", help="How several workloads become one value.", show_default="mean"
    ),
]
OptionalSimulator = Annotated[
    str | None,
    word("--simulator", "NAME", "What measures designs.", show_default=DEFAULT_SIMULATOR),
]
Workers = Annotated[
    int | None,
    word(
        "--workers",
        "N",
        "Designs simulated at a time; 0 leaves them to `accel-dse worker`.",
        min=0,
        show_default="1",
    ),
]
Dask = Annotated[
    str,
    word(
        "--dask",
        "ADDRESS|FILE",
        "A Dask cluster: its scheduler's address, or a YAML file that says which jobs to submit.",
        show_default=False,
    ),
]
Cache = Annotated[
    str,
    word("--cache", "FILE", "Results that studies share; made if not there.", show_default=False),
]
Deadline = Annotated[
    str,
    word("--deadline", "TIME", "End then: 17:30, or 2026-12-24T17:30.", show_default=False),
]
MaxHours = Annotated[
    float | None,
    word("--max-hours", "H", "End after so many hours.", min=0.0, show_default=False),
]
Target = Annotated[
    float | None,
    word("--target", "VALUE", "End once the first objective is as good.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def pairs(flag: str, texts: Iterable[str]) -> dict[str, str]:
    """`NAME=VALUE` words, by name.

    Raises:
        OptionError: a word is none, or a name comes twice.
    """
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals):
            raise OptionError(f"{flag}: got {text!r}", hint="write it as NAME=VALUE")
        if name in values:
            raise OptionError(f"{flag}: {name} is given twice")
        values[name] = value
    return values


def shapes(texts: Iterable[str]) -> Mapping[str, int]:
    """`DIM=N` words, by dimension.

    Raises:
        OptionError: a word is none, or its value is no whole number.
    """
    values = pairs("--shape", texts)
    for name, text in values.items():
        if not (text.isascii() and text.isdigit()):
            raise OptionError(f"--shape: {name}: expected a whole number, got {text!r}")
    return {name: int(text) for name, text in values.items()}


def weighted(text: str) -> tuple[str, float]:
    """Name and weight of `NAME` or `NAME:WEIGHT`; a path may hold colons, too.

    Raises:
        OptionError: the weight is not above 0.
    """
    name, colon, tail = text.rpartition(":")
    try:
        weight = float(tail) if colon else None
    except ValueError:
        weight = None
    if weight is None:
        return text, 1.0
    if not 0 < weight < float("inf"):
        raise OptionError(f"--workload {text}: a weight must be above 0, got {tail}")
    return name, weight
