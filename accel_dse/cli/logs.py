"""`accel-dse log show|export|merge|repair`."""

from pathlib import Path
from typing import Annotated

import typer

from accel_dse.cli import flags

log_app = typer.Typer(help="Look at, export, merge and repair logs.", no_args_is_help=True)

Log = Annotated[str, typer.Argument(metavar="LOG", help="A file, or the URL of a database.")]
New = Annotated[str, flags.word("--out", "FILE", "A new log.")]


@log_app.command("show")
def show_command(
    log: Log,
    *,
    last: Annotated[
        int, typer.Option("--last", metavar="N", help="Show the last N trials.", min=0)
    ] = 10,
    trial: Annotated[
        int | None, flags.word("--trial", "I", "Show all of one trial.", min=0, show_default=False)
    ] = None,
    as_json: flags.Json = False,
) -> None:
    """Show what a log is of, how far it is, and its last trials. It may be in use."""
    from accel_dse.cli import log_keeping

    log_keeping.show(log, last=last, trial=trial, as_json=as_json)


@log_app.command("export")
def export_command(
    log: Log,
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.parquet", help="A new file with a row a trial.")
    ],
    as_json: flags.Json = False,
) -> None:
    """Write all that a log holds to a Parquet file, for other tools."""
    from accel_dse.cli import log_keeping

    log_keeping.export(log, out, as_json=as_json)


@log_app.command("merge")
def merge_command(
    logs: Annotated[list[str], typer.Argument(metavar="LOG...", help="Two or more.")],
    *,
    out: New,
    as_json: flags.Json = False,
) -> None:
    """Bring logs of one problem together, to report on or to learn from.

    No search goes on with a merged log: it would have proposed other designs.
    """
    from accel_dse.cli import log_keeping

    log_keeping.merge(logs, out, as_json=as_json)


@log_app.command("repair")
def repair_command(
    log: Log,
    *,
    out: New,
    like: Annotated[
        str,
        flags.word(
            "--like",
            "LOG",
            "Another log of the same study, where the damage is in what says so.",
            show_default=False,
        ),
    ] = "",
    as_json: flags.Json = False,
) -> None:
    """Save from a damaged file every trial that is as it was written; says what is lost.

    The damaged file is not touched.
    """
    from accel_dse.cli import log_keeping

    log_keeping.repair(log, out, like, as_json=as_json)
