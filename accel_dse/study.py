"""The loop: ask, simulate, append, tell."""

import math
from concurrent.futures import Executor
from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from accel_dse import plugins
from accel_dse.chosen_options import chosen_options
from accel_dse.errors import LogError, OptionError
from accel_dse.execution.crew import Crew
from accel_dse.execution.desk import Desk
from accel_dse.execution.measuring import Measure
from accel_dse.log_rows import StudyDescription
from accel_dse.notebook_view import curve, facts
from accel_dse.optimizers.base import Optimizer
from accel_dse.problem import Problem
from accel_dse.progress import Progress, Tally, fitting
from accel_dse.simulators.base import Simulator
from accel_dse.simulators.cached import uncached
from accel_dse.stopping import Until, stop_requests
from accel_dse.trial_log import TrialLog
from accel_dse.trials import Trials


@dataclass(kw_only=True)
class Study:
    """A search for good designs, on record.

    Attributes:
        problem: what is searched for.
        optimizer: proposes designs; untold, or told just what the log holds.
        simulator: measures them.
        log: where every trial goes, before anyone learns from it.
        progress: shows how it goes; by default what suits where we run.
        recipe: how another process can make this study; kept in the log for it.
    """

    problem: Problem
    optimizer: Optimizer
    simulator: Simulator
    log: TrialLog
    progress: Progress = field(default_factory=fitting, repr=False)
    recipe: str = field(default="", repr=False)

    def run(
        self,
        n_trials: int,
        *,
        batch: int | None = None,
        workers: int = 1,
        executor: Executor | None = None,
        until: Until = Until(),  # noqa: B008  it is frozen
    ) -> Trials:
        """Runs until the log holds `n_trials`, counting those already there.

        A run that was stopped or killed, and is started again, goes on as if it never stopped.
        With several workers each gets a new design as soon as it is free, the optimizer sees what
        is pending, and the order of the log is the order in which simulations finished; proposals
        are the same again given that order.

        Args:
            n_trials: how long the log should be.
            batch: designs proposed and simulated together; by default what suits the optimizer,
                or 1 with several workers.
            workers: jobs at a time.
            executor: where they run; by default in this process, several in threads.
            until: what ends it sooner.

        Returns:
            All trials, oldest first; fewer than `n_trials` if `until` ended it.

        Raises:
            LogError: the log cannot be written, is in use, or is of another study.
            OptionError: an objective or a limit names a metric that the simulator does not give;
                a log that was new may then be used for another study.
            DesignError: the optimizer proposed what is no design of the space.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; what ran when the first one came is in the
                log, unless a second one came.
        """
        batch = batch or (self.optimizer.natural_batch if workers == 1 else 1)
        measure = Measure(self.problem, self.simulator)
        self._open_log()
        try:
            trials = self.log.read()
            self._catch_up(trials)
            tally = Tally(self.problem.goal, trials, n_trials)
            with (
                self.progress,
                stop_requests(self.progress.say) as stop_requested,
                Crew(measure, workers, executor) as crew,
            ):
                desk = Desk(self.optimizer, self.log, keeps_tickets=workers > 1)
                self.progress.show(tally.status())
                while not (reason := until.reason(self.problem.goal, tally.status().best)):
                    while crew.free and not stop_requested():
                        room = min(batch, n_trials - len(trials) - len(crew.tickets))
                        if room <= 0:
                            break
                        crew.submit(desk.next(room, under_way=crew.tickets))
                    if not crew.tickets:
                        break
                    done = crew.finished(until.deadline)
                    new = [
                        measured.trial(i, ticket.design, ticket.source)
                        for i, (ticket, measured) in enumerate(done, len(trials))
                    ]
                    desk.close([ticket for ticket, _ in done], new, under_way=crew.tickets)
                    trials += new
                    tally.add(new)
                    self.progress.show(tally.status())
                if reason:
                    self.progress.say(f"stopping: {reason}")
                if stop_requested() and len(trials) < n_trials:
                    raise KeyboardInterrupt
        except OptionError:
            self.log.withdraw()
            raise
        finally:
            self.log.close()
        return trials

    def write_down(self) -> None:
        """Makes the log, or checks that it is this study's, and leaves it to workers.

        Raises:
            LogError: the log cannot be written, is in use, or is of another study.
        """
        self._open_log()
        self.log.close()

    def _open_log(self) -> None:
        self.log.create_or_check(self.description())
        if self.recipe and self.recipe != self.log.recipe():
            self.log.keep_recipe(self.recipe)

    def description(self) -> StudyDescription:
        """What the log says it is a log of."""
        simulator = uncached(self.simulator)
        return StudyDescription(
            problem=self.problem.content(),
            optimizer=plugins.name_of("optimizers", type(self.optimizer)),
            optimizer_options=chosen_options(self.optimizer, besides=("problem", "seed")),
            seed=self.optimizer.seed,
            simulator=plugins.name_of("simulators", type(simulator)),
            simulator_version=simulator.version,
            simulator_options=chosen_options(simulator),
            package_version=version("accel-dse"),
        )

    def _catch_up(self, trials: Trials) -> None:
        told = self.optimizer.trials
        if told != trials[: len(told)]:
            raise LogError(
                f"{self.log.place}: the optimizer was told {len(told)} trials that are not the "
                "log's",
                hint="give the study a new optimizer",
            )
        self.optimizer.tell(trials[len(told) :])

    def _repr_html_(self) -> str:
        goal = self.problem.goal
        rows = {
            "space": f"{self.problem.space.name}: {self.problem.space.size:,} designs",
            "workloads": ", ".join(workload.name for workload, _ in self.problem.workloads),
            "objectives": ", ".join(map(str, goal.objectives)),
            "limits": ", ".join(map(str, goal.limits)) or "none",
            "optimizer": _with_options(self.optimizer),
            "simulator": plugins.name_of("simulators", type(uncached(self.simulator))),
            "log": self.log.place,
        }
        return facts(rows) + curve(self._best_so_far(), f"best {goal.objectives[0].metric}")

    def _best_so_far(self) -> list[float]:
        """The first objective of the best accepted trial after each one told; NaN before."""
        goal, trials = self.problem.goal, self.optimizer.trials
        costs = [goal.costs(t.metrics)[0] if goal.accepts(t) else math.inf for t in trials]
        least = np.minimum.accumulate(np.array(costs, np.float64))
        best = np.where(np.isinf(least), np.nan, goal.objectives[0].cost(least))
        return [float(value) for value in best]


def _with_options(optimizer: Optimizer) -> str:
    name = plugins.name_of("optimizers", type(optimizer))
    options = {**chosen_options(optimizer, besides=("problem", "seed")), "seed": optimizer.seed}
    return f"{name} ({', '.join(f'{key}={value}' for key, value in options.items())})"
