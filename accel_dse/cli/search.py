"""`accel-dse optimize`."""

from typing import Annotated, Any, Literal

import typer

from accel_dse.cli import flags


def _word(flag: str, metavar: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, metavar=metavar, help=text, **more)


def _words(flag: str, metavar: str, text: str, *also: str) -> Any:
    return typer.Option(
        flag, *also, metavar=metavar, help=text, default_factory=list, show_default=False
    )


def optimize_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SPACE|STUDY",
            help="A shipped design space, the file of one, or a study file, which says it all.",
        ),
    ],
    *,
    workloads: Annotated[
        list[str], _words("--workload", "W[:WEIGHT]", "A network of the zoo, or a file.", "-w")
    ],
    minimize: Annotated[list[str], _words("--minimize", "METRIC", "To be made small.")],
    maximize: Annotated[list[str], _words("--maximize", "METRIC", "To be made large.")],
    limits: Annotated[list[str], _words("--limit", "'M<=N'", "A bound: 'area_mm2<=27'.")],
    aggregate: Annotated[
        Literal["mean", "worst", "geomean"] | None,
        typer.Option(
            "--aggregate", help="How several workloads become one value.", show_default="mean"
        ),
    ] = None,
    optimizer: Annotated[
        str | None, _word("--optimizer", "NAME", "What proposes designs.", show_default="evolution")
    ] = None,
    options: Annotated[list[str], _words("--option", "K=V", "An option of the optimizer.")],
    trials: Annotated[
        int | None, _word("--trials", "N", "How long the log should be.", min=1, show_default="200")
    ] = None,
    batch: Annotated[
        int | None,
        _word(
            "--batch",
            "N",
            "Designs simulated at a time.",
            min=1,
            show_default="suits the optimizer",
        ),
    ] = None,
    seed: Annotated[
        int | None, _word("--seed", "N", "Fixes every random choice.", min=0, show_default="0")
    ] = None,
    simulator: Annotated[
        str | None,
        _word("--simulator", "NAME", "What measures designs.", show_default="accelerator"),
    ] = None,
    simulator_options: flags.SimulatorOptions,
    shapes: flags.Shapes,
    log: Annotated[str, _word("--log", "FILE", "Where every trial goes; made if not there.")],
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Write though the log seems to be in use elsewhere."),
    ] = False,
    as_json: flags.Json = False,
) -> None:
    """Search for the best designs until the log holds TRIALS; run again to continue.

    Every trial is on disk before the next one is proposed. Ctrl-C stops after the present batch;
    the same command goes on from there as if it had never stopped.
    """
    from accel_dse.cli import searching
    from accel_dse.trial_log import TrialLog

    asked = searching.Flags(
        target=target,
        workloads=tuple(map(flags.weighted, workloads)),
        minimize=tuple(minimize),
        maximize=tuple(maximize),
        limits=tuple(limits),
        aggregate=aggregate,
        optimizer=optimizer,
        options=flags.pairs("--option", options),
        simulator=simulator,
        simulator_options=flags.pairs("--simulator-option", simulator_options),
        shapes=flags.shapes(shapes),
        trials=trials,
        batch=batch,
        seed=seed,
    )
    searching.run(asked.search(), TrialLog(log, take_over=take_over), as_json=as_json)
