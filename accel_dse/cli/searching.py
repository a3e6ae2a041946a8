"""What `accel-dse optimize` is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from accel_dse.cli.building import (
    build_optimizer,
    build_problem,
    build_simulator,
    with_mappings,
)
from accel_dse.datasets.sources import read_sources
from accel_dse.errors import OptionError
from accel_dse.files import load_space, load_study, read_yaml
from accel_dse.files.space_file import find_space
from accel_dse.files.study_file import Choice
from accel_dse.problem import Aggregate, Goal, Limit, Objective
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog


@dataclass(frozen=True, kw_only=True)
class Search:
    """What `optimize` is asked to do, by names.

    Attributes:
        space: a shipped space, or a path.
        workloads: (name of the zoo or path, weight).
        goal: objectives and limits.
        aggregate: how a metric of several workloads becomes one.
        optimizer, simulator: plug-ins and their options.
        trials, batch, seed: see the help.
        shapes: dimensions that ONNX files leave open.
        warm_start: logs of related tasks to begin from.
        workers, max_hours, target: how a study file has it run, unless flags say otherwise.
    """

    space: str
    workloads: tuple[tuple[str, float], ...]
    goal: Goal
    aggregate: Aggregate
    optimizer: Choice
    simulator: Choice
    trials: int = 200
    batch: int | None = None
    seed: int = 0
    shapes: Mapping[str, int] | None = None
    warm_start: tuple[str, ...] = ()
    workers: int | None = None
    max_hours: float | None = None
    target: float | None = None

    def study(self, log: TrialLog, say: Callable[[str], object] = lambda line: None) -> Study:
        """The study that `log` is for.

        Args:
            log: where its trials go.
            say: is told what is used of each log to begin from, a line each.

        Raises:
            DseError: a name or an option is wrong.
        """
        file = load_space(self.space)
        problem = build_problem(file, self.workloads, self.goal, self.aggregate, self.shapes)
        problem = with_mappings(problem, file, self.simulator)
        reading = read_sources(problem, self.warm_start)
        for line in reading.remarks:
            say(f"warm start: {line}")
        return Study(
            problem=problem,
            optimizer=build_optimizer(
                self.optimizer.name, self.optimizer.options, problem, self.seed, reading.sources
            ),
            simulator=build_simulator(self.simulator.name, self.simulator.options, file),
            log=log,
        )


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The command line of `optimize`; see its help. None, or nothing, is what was left open."""

    target: str
    workloads: tuple[tuple[str, float], ...] = ()
    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    aggregate: Aggregate | None = None
    optimizer: str | None = None
    options: Mapping[str, str]
    simulator: str | None = None
    simulator_options: Mapping[str, str]
    shapes: Mapping[str, int]
    trials: int | None = None
    batch: int | None = None
    seed: int | None = None
    warm_start: tuple[str, ...] = ()

    def search(self) -> Search:
        """What is asked for, in the flags or in a study file.

        Raises:
            OptionError: a flag is missing, too much, or does not say what it should.
            FileError: something in the study file is wrong.
        """
        if self.seed is not None and self.seed >= 2**63:
            raise OptionError(f"--seed: expected less than 2^63, got {self.seed}")
        search = self._of_file() if self._names_a_study() else self._of_flags()
        return replace(
            search,
            shapes=self.shapes,
            trials=search.trials if self.trials is None else self.trials,
            batch=search.batch if self.batch is None else self.batch,
            seed=search.seed if self.seed is None else self.seed,
            warm_start=self.warm_start or search.warm_start,
        )

    def _names_a_study(self) -> bool:
        path, name = find_space(self.target)
        document = read_yaml(path, name=name)
        return isinstance(document.data, dict) and "space" in document.data

    def _of_file(self) -> Search:
        for name in ("workloads", "minimize", "maximize", "limits", "aggregate", "optimizer",
                     "options", "simulator", "simulator_options"):  # fmt: skip
            if getattr(self, name):
                flag = name.replace("_", "-").removesuffix("s")
                raise OptionError(f"--{flag}: the study file {self.target} says it already")
        file = load_study(self.target)
        return Search(
            space=file.space,
            workloads=file.workloads,
            goal=file.goal,
            aggregate=file.aggregate,
            optimizer=file.optimizer,
            simulator=file.simulator,
            trials=file.trials,
            batch=file.batch,
            seed=file.seed,
            warm_start=file.warm_start,
            workers=file.workers,
            max_hours=file.max_hours,
            target=file.target,
        )

    def _of_flags(self) -> Search:
        if not self.workloads:
            raise OptionError("no workload is named", hint="--workload mobilenet_v2, say")
        objectives = [Objective(metric, "minimize") for metric in self.minimize]
        objectives += [Objective(metric, "maximize") for metric in self.maximize]
        if not objectives:
            raise OptionError("no objective is named", hint="--minimize latency_ms, say")
        return Search(
            space=self.target,
            workloads=self.workloads,
            goal=Goal(tuple(objectives), tuple(map(Limit.parse, self.limits))),
            aggregate=self.aggregate or "mean",
            optimizer=Choice(self.optimizer or "auto", self.options),
            simulator=Choice(self.simulator or "accelerator", self.simulator_options),
        )
