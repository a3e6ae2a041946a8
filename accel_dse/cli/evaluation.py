"""`accel-dse simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from accel_dse.cli import flags


def simulate_command(
    space: flags.Space,
    *,
    workload: flags.Workload,
    values: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="K=V",
            help="A parameter's value.",
            default_factory=list,
            show_default=False,
        ),
    ],
    design: Annotated[
        Path | None, typer.Option("--design", metavar="FILE", help="Values, from a JSON file.")
    ] = None,
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="NAME",
            help="The reference design that gives all other values; by default the first.",
        ),
    ] = None,
    simulator: flags.SimulatorName = flags.DEFAULT_SIMULATOR,
    simulator_options: flags.SimulatorOptions,
    shapes: flags.Shapes,
    layers: Annotated[bool, typer.Option("--layers", help="Show each layer.")] = False,
    trace: Annotated[
        Path | None,
        typer.Option("--trace", metavar="FILE", help="Write the timeline, for Perfetto."),
    ] = None,
    remedies_s: Annotated[
        float,
        typer.Option(
            "--remedies",
            metavar="SECONDS",
            min=0.0,
            help="How long single changes of a design that does not work are tried; 0: none.",
        ),
    ] = 10.0,
    as_json: flags.Json = False,
) -> None:
    """Measure one design on one network."""
    from accel_dse.cli import measuring

    measuring.measure(
        measuring.Request(
            space=space,
            workload=workload,
            values=flags.pairs("--set", values),
            design=design,
            reference=reference,
            simulator=simulator,
            simulator_options=flags.pairs("--simulator-option", simulator_options),
            shapes=flags.shapes(shapes),
            layers=layers,
            trace=trace,
            remedies_s=remedies_s,
        ),
        as_json=as_json,
    )
