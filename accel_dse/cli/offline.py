"""`accel-dse collect`, `convert`, `fit`, `propose` and `export`: learning from logs."""

from pathlib import Path
from typing import Annotated

import typer

from accel_dse.cli import flags

Out = Annotated[
    Path, typer.Option("--out", metavar="FILE.parquet", help="Where the rows go; a new file.")
]


def collect_command(
    space: flags.Space,
    *,
    workloads: Annotated[
        list[str],
        typer.Option(
            "--workload",
            "-w",
            metavar="W",
            help="A network of the zoo, or a file; all get the same designs.",
            show_default=False,
        ),
    ],
    n: Annotated[int, typer.Option("-n", metavar="N", help="Designs for each network.", min=1)],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Fixes the draws.", min=0)] = 0,
    simulator: flags.SimulatorName = flags.DEFAULT_SIMULATOR,
    simulator_options: flags.SimulatorOptions,
    shapes: flags.Shapes,
    out: Out,
    as_json: flags.Json = False,
) -> None:
    """Simulate random designs and log them all: those that cannot work with the reason.

    Ctrl-C loses a chunk at most; the same command goes on where it stopped.
    """
    from accel_dse.cli import collecting

    collecting.collect(
        collecting.Request(
            space=space,
            workloads=tuple(workloads),
            n=n,
            seed=seed,
            simulator=simulator,
            simulator_options=flags.pairs("--simulator-option", simulator_options),
            shapes=flags.shapes(shapes),
            out=out,
        ),
        as_json=as_json,
    )


def fit_command(
    logs: Annotated[
        list[str], typer.Argument(metavar="LOG...", help="Trial logs and Parquet files.")
    ],
    *,
    surrogate: Annotated[
        str, typer.Option("--surrogate", metavar="NAME", help="What learns.")
    ] = "conservative",
    options: Annotated[list[str], flags.words("--option", "K=V", "An option of the surrogate.")],
    minimize: flags.Minimize,
    maximize: flags.Maximize,
    limits: flags.Limits,
    workloads: flags.Workloads,
    shapes: flags.Shapes,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Fixes every random choice.", min=0)
    ] = 0,
    device: Annotated[
        str | None, typer.Option("--device", metavar="D", help="Where it computes: cpu, cuda.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The model; a new folder.")],
    as_json: flags.Json = False,
) -> None:
    """Learn from logs alone what designs will measure; prints how well, on designs held out.

    Of each trial log or file all rows are learned from, or with --workload those of some networks.
    """
    from accel_dse.cli import fitting

    fitting.fit(
        fitting.Request(
            logs=tuple(logs),
            surrogate=surrogate,
            options={
                **flags.pairs("--option", options),
                **({} if device is None else {"device": device}),
            },
            minimize=tuple(minimize),
            maximize=tuple(maximize),
            limits=tuple(limits),
            workloads=tuple(workloads),
            shapes=flags.shapes(shapes),
            seed=seed,
            out=out,
        ),
        as_json=as_json,
    )


def propose_command(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A model of `accel-dse fit`.")],
    *,
    workloads: flags.Workloads,
    limits: flags.Limits,
    aggregate: flags.Aggregate = None,
    n: Annotated[int, typer.Option("-n", metavar="K", help="Designs.", min=1, max=1000)] = 10,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Fixes the random starts.", min=0)
    ] = 0,
    caution: Annotated[
        list[str],
        flags.words(
            "--caution",
            "K=V",
            "Distrust of the model: disagreement=1, limits=2, distance=1, works=0.5.",
        ),
    ],
    verify: Annotated[
        str | None,
        typer.Option("--verify", metavar="SIMULATOR", help="Simulate the designs, too."),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            metavar="SPACE",
            help="The space file to verify with.",
            show_default="named like the model's",
        ),
    ] = None,
    simulator_options: flags.SimulatorOptions,
    shapes: flags.Shapes,
    as_json: flags.Json = False,
) -> None:
    """Find the best designs that a model knows, without a simulation, and how far to trust them.

    By default for the networks of its log and the limits that it was made with. A network that
    was not in the log can be named if the model tells networks apart by their layers.
    """
    from accel_dse import plugins
    from accel_dse.cli import proposing
    from accel_dse.surrogates.proposing import Caution

    proposing.propose(
        proposing.Request(
            model=model,
            workloads=tuple(workloads),
            limits=tuple(limits),
            aggregate=aggregate or "mean",
            n=n,
            seed=seed,
            caution=Caution(
                **plugins.read_options("--caution", Caution, flags.pairs("--caution", caution))
            ),
            verify=verify,
            space=space,
            simulator_options=flags.pairs("--simulator-option", simulator_options),
            shapes=flags.shapes(shapes),
        ),
        as_json=as_json,
    )


def export_command(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="A model of `accel-dse fit`.")],
    *,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="onnx.")] = "onnx",
    out: Annotated[Path, typer.Option("--out", metavar="FILE.onnx", help="A new file.")],
    as_json: flags.Json = False,
) -> None:
    """Write a model as one ONNX file; refuses if its answers differ from the original's.

    The file is a simulator, too: `--simulator surrogate:FILE.onnx`.
    """
    from accel_dse.cli import exporting

    exporting.export(model, form, out, as_json=as_json)


def convert_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Another tool's log.")],
    *,
    form: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="FORM",
            help="prime: a TFRecord file of the public PRIME data; dosa: a CSV file of the DOSA "
            "artifact; csv: any table.",
        ),
    ],
    space: Annotated[
        str | None,
        typer.Option("--space", metavar="SPACE", help="Of the designs.", show_default=False),
    ] = None,
    application: Annotated[
        str | None,
        typer.Option("--application", metavar="NAME", help="What ran.", show_default=False),
    ] = None,
    application_column: Annotated[
        str | None,
        typer.Option(
            "--application-column", metavar="COLUMN", help="Says what ran.", show_default=False
        ),
    ] = None,
    infeasible_column: Annotated[
        str | None,
        typer.Option(
            "--infeasible-column",
            metavar="COLUMN",
            help="Says why a design cannot work, or just 0 or 1.",
            show_default=False,
        ),
    ] = None,
    columns: Annotated[
        list[str], flags.words("--column", "PARAMETER=COLUMN", "Where a parameter stands.")
    ],
    metrics: Annotated[
        list[str], flags.words("--metric", "METRIC=COLUMN", "Where a metric stands.")
    ],
    out: Out,
    as_json: flags.Json = False,
) -> None:
    """Make a log of another tool one of ours; names every record that cannot be used."""
    from accel_dse.cli import converting

    converting.convert(
        converting.Request(
            file=file,
            form=form,
            space=space,
            application=application,
            application_column=application_column,
            infeasible_column=infeasible_column,
            columns=flags.pairs("--column", columns),
            metrics=flags.pairs("--metric", metrics),
            out=out,
        ),
        as_json=as_json,
    )
