"""`accel-dse worker`."""

from typing import Annotated

import typer

from accel_dse.cli import flags


def worker_command(
    *,
    log: Annotated[str, flags.word("--log", "FILE|URL", "A log that `optimize` made.")],
    trials: Annotated[
        int | None,
        flags.word(
            "--trials", "N", "How long the log should be.", min=1, show_default="its study's"
        ),
    ] = None,
    lease_s: Annotated[
        float,
        typer.Option(
            "--lease",
            metavar="S",
            help="Seconds without a sign of life after which a design is given to another worker.",
            min=1.0,
        ),
    ] = 60.0,
    cache: flags.Cache = "",
    deadline: flags.Deadline = "",
    max_hours: flags.MaxHours = None,
    target_value: flags.Target = None,
    as_json: flags.Json = False,
) -> None:
    """Simulate designs of a study beside other workers, with nobody in charge.

    Start any number, anywhere, by hand or by a batch system's array of jobs; any may die. A log
    that several machines share is a database, named by its URL; a file serves one machine.
    `accel-dse optimize ... --log URL --workers 0` makes the study. A worker runs what the log says.
    """
    from accel_dse.cli import running, working

    how = running.Running(cache=cache, until=running.until(deadline, max_hours, target_value))
    working.work(log, how, trials=trials, lease_s=lease_s, as_json=as_json)
