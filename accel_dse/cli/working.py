"""What `accel-dse worker` does."""

import json
from contextlib import closing

import typer

from accel_dse.cli.running import STOPPED, Running, read_recipe
from accel_dse.errors import LogError
from accel_dse.execution.measuring import Measure
from accel_dse.execution.worker import Worker
from accel_dse.log_database import sqlite_path
from accel_dse.progress import fitting
from accel_dse.ticket_queue import TicketQueue
from accel_dse.trial_log import TrialLog


def work(place: str, how: Running, *, trials: int | None, lease_s: float, as_json: bool) -> None:
    """Works on the study of the log at `place`.

    Raises:
        LogError: there is no such study, or the files it names are others now.
        typer.Exit: it was stopped.
    """
    path = sqlite_path(place)
    place = place if path is None else str(path.absolute())  # the recipe's folder is another
    log = TrialLog(place)
    search = read_recipe(log.recipe(), log.place)
    study = search.study(log)
    with (
        closing(how.cached(study.simulator)) as simulator,
        closing(TicketQueue(place, lease_s=lease_s)) as queue,
    ):
        if differences := log.study().differences(study.description()):
            raise LogError(
                f"{log.place}: is the log of another study: {'; '.join(differences[:3])}",
                hint="are the files that its study was made of the same here?",
            )
        worker = Worker(
            optimizer=study.optimizer,
            measure=Measure(study.problem, simulator),
            queue=queue,
            progress=fitting(),
        )
        stopped = False
        try:
            worker.run(trials or search.trials, how.until)
        except KeyboardInterrupt:
            stopped = True
    length = len(study.optimizer.trials)
    if as_json:
        about = {"log": log.place, "stopped": stopped, "brought": worker.brought, "trials": length}
        print(json.dumps(about, indent=2))
    else:
        print(f"brought {worker.brought:,} of the {length:,} trials in {log.place}")
    if stopped:
        raise typer.Exit(STOPPED)
