"""`accel-dse list` and `accel-dse check`."""

from enum import StrEnum
from typing import Annotated

import typer

from accel_dse.cli import flags


class Kind(StrEnum):
    """What can be listed."""

    SPACES = "spaces"
    WORKLOADS = "workloads"
    OPTIMIZERS = "optimizers"
    SIMULATORS = "simulators"
    SURROGATES = "surrogates"
    STUBS = "stubs"


def list_command(
    kind: Annotated[Kind, typer.Argument(help="What to list.", show_default=False)],
    *,
    as_json: flags.Json = False,
) -> None:
    """List what there is to choose from, with the options of each."""
    from accel_dse.cli import listing

    listing.show(kind.value, as_json=as_json)


def check_command(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A space or study file, or a shipped space.")
    ],
    *,
    as_json: flags.Json = False,
) -> None:
    """Say what is wrong with a file, on which line; else how large and how tight its space is."""
    from accel_dse.cli import checking

    checking.show(file, as_json=as_json)
