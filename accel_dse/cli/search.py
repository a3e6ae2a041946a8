"""`accel-dse optimize`."""

from typing import Annotated

import typer

from accel_dse.cli import flags


def optimize_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SPACE|STUDY",
            help="A shipped design space, the file of one, or a study file, which says it all.",
        ),
    ],
    *,
    workloads: flags.Workloads,
    minimize: flags.Minimize,
    maximize: flags.Maximize,
    limits: flags.Limits,
    aggregate: flags.Aggregate = None,
    optimizer: Annotated[
        str | None,
        flags.word("--optimizer", "NAME", "What proposes designs.", show_default="auto"),
    ] = None,
    options: Annotated[list[str], flags.words("--option", "K=V", "An option of the optimizer.")],
    trials: Annotated[
        int | None,
        flags.word("--trials", "N", "How long the log should be.", min=1, show_default="200"),
    ] = None,
    batch: Annotated[
        int | None,
        flags.word(
            "--batch",
            "N",
            "Designs simulated at a time.",
            min=1,
            show_default="suits the optimizer",
        ),
    ] = None,
    seed: Annotated[
        int | None, flags.word("--seed", "N", "Fixes every random choice.", min=0, show_default="0")
    ] = None,
    warm_start: Annotated[
        list[str],
        flags.words(
            "--warm-start",
            "LOG",
            "A log (or .parquet) of a related task to learn from: other limits, another network, "
            "fidelity or space.",
        ),
    ],
    simulator: flags.OptionalSimulator = None,
    simulator_options: flags.SimulatorOptions,
    shapes: flags.Shapes,
    log: Annotated[str, flags.word("--log", "FILE", "Where every trial goes; made if not there.")],
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Write though the log seems to be in use elsewhere."),
    ] = False,
    workers: flags.Workers = None,
    dask: flags.Dask = "",
    cache: flags.Cache = "",
    deadline: flags.Deadline = "",
    max_hours: flags.MaxHours = None,
    target_value: flags.Target = None,
    as_json: flags.Json = False,
) -> None:
    """Search for the best designs until the log holds TRIALS; run again to continue.

    Every trial is on disk before the optimizer learns from it. Ctrl-C stops once what runs is
    done; the same command goes on from there as if it had never stopped.
    """
    from accel_dse.cli import running, searching
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
        warm_start=tuple(warm_start),
    )
    search = asked.search()
    how = running.Running(
        workers=search.workers if workers is None else workers,
        dask=dask,
        cache=cache,
        until=running.until(
            deadline,
            search.max_hours if max_hours is None else max_hours,
            search.target if target_value is None else target_value,
        ),
    )
    running.run(search, TrialLog(log, take_over=take_over), how, as_json=as_json)
