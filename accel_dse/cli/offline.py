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
