"""`accel-dse report`."""

from pathlib import Path
from typing import Annotated

import typer

from accel_dse.cli import flags


def report_command(
    log: Annotated[str, typer.Argument(metavar="LOG", help="A log that `optimize` wrote.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Draw it, too: a .png, .pdf or .svg."),
    ] = None,
    as_json: flags.Json = False,
) -> None:
    """Say what a search found: best designs, what limits them, why others do not work.

    It may still be running.
    """
    from accel_dse.cli import reporting

    reporting.report(log, out, as_json=as_json)
