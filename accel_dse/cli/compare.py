"""`accel-dse compare`."""

from pathlib import Path
from typing import Annotated

import typer

from accel_dse.cli import flags


def compare_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SPACE|STUDY",
            help="A shipped design space, the file of one, or a study file (its optimizer and "
            "seed are not used).",
        ),
    ],
    *,
    workloads: flags.Workloads,
    minimize: flags.Minimize,
    maximize: flags.Maximize,
    limits: flags.Limits,
    aggregate: flags.Aggregate = None,
    optimizers: Annotated[
        list[str],
        flags.words(
            "--optimizer",
            "NAME[:K=V,...]",
            "A contestant; K=V1|V2|V3 makes one for each value, warm_start=LOG begins from a log.",
        ),
    ],
    sensitivity: Annotated[
        list[str],
        flags.words(
            "--sensitivity",
            "NAME[:K=V,...]",
            "Compare an optimizer with itself: each of its options alone at half and twice its "
            "value, or at each other choice.",
        ),
    ],
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help="Runs of each, seeds 0 to N-1.")
    ] = 5,
    trials: Annotated[
        int | None,
        flags.word("--trials", "N", "Simulations of one run.", min=1, show_default="200"),
    ] = None,
    batch: Annotated[
        int | None,
        flags.word(
            "--batch",
            "N",
            "Designs simulated at a time.",
            min=1,
            show_default="suits each optimizer",
        ),
    ] = None,
    simulator: flags.OptionalSimulator = None,
    simulator_options: flags.SimulatorOptions,
    shapes: flags.Shapes,
    workers: Annotated[
        int, typer.Option("--workers", metavar="K", min=1, help="Runs at a time.")
    ] = 1,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="M", min=0.0, help="The most that one run may take."),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try runs again that ended early before.")
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FOLDER", help="Where logs, curves.parquet and curves.png go."
        ),
    ],
    page: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", help="Write a page, too, that opens offline."),
    ] = None,
    as_json: flags.Json = False,
) -> None:
    """Compare optimizers on one problem: same budget, paired seeds, every simulation counted.

    Each run is an ordinary search with a log of its own in FOLDER. Run the command again to go on
    after a stop, or to add optimizers, seeds or trials.
    """
    from accel_dse.cli import comparing, searching

    asked = searching.Flags(
        target=target,
        workloads=tuple(map(flags.weighted, workloads)),
        minimize=tuple(minimize),
        maximize=tuple(maximize),
        limits=tuple(limits),
        aggregate=aggregate,
        options={},
        simulator=simulator,
        simulator_options=flags.pairs("--simulator-option", simulator_options),
        shapes=flags.shapes(shapes),
        trials=trials,
        batch=batch,
    )
    comparing.compare(
        asked.search(),
        optimizers,
        sensitivity,
        seeds=seeds,
        workers=workers,
        minutes=minutes,
        retry=retry,
        folder=out,
        page=page,
        as_json=as_json,
    )
