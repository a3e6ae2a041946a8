"""`accel-dse report`."""

from pathlib import Path
from typing import Annotated

import typer

from accel_dse.cli import flags


def report_command(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG...", help="Logs that `optimize` wrote; several must be of one problem."
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="A page that opens offline (.html), or figures for a paper (.pdf, .png, .svg).",
        ),
    ] = None,
    simulate: Annotated[
        bool | None,
        typer.Option(
            "--simulate/--no-simulate",
            help="Simulate reference designs and look into the best ones.",
            show_default="if the simulator is built in",
        ),
    ] = None,
    as_json: flags.Json = False,
) -> None:
    """Say what a search found: best designs, what limits them, why others do not work.

    It may still be running.
    """
    from accel_dse.cli import reporting

    reporting.report(logs, out, simulate=simulate, as_json=as_json)
