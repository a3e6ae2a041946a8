"""Making the simulator of a logged study again, to measure references and to look into designs."""

import os
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager

from accel_dse import plugins
from accel_dse.chosen_options import chosen_options
from accel_dse.cli.building import build_problem, build_simulator, with_mappings
from accel_dse.cli.running import read_recipe
from accel_dse.errors import DseError, OptionError
from accel_dse.files import SpaceFile, load_space
from accel_dse.files.study_file import Choice
from accel_dse.log_rows import StudyDescription
from accel_dse.problem import Goal, Problem
from accel_dse.report.comparison_designs import Lab
from accel_dse.simulators.base import Simulator
from accel_dse.trial_log import TrialLog

Made = tuple[SpaceFile, Problem, Choice]


@contextmanager
def lab(log: TrialLog, study: StudyDescription, *, simulate: bool | None) -> Iterator[Lab]:
    """The study's problem and simulator, made from its recipe, or from the names in an older log.

    Nothing is raised: a report without them is still a report.

    Args:
        log: of the study.
        study: what it is a log of.
        simulate: whether to; None for if the simulator is one of ours that starts no program,
            since a log that someone sent may name any.
    """
    if simulate is False:
        yield Lab(reason="simulations were not wanted")
        return
    try:
        with chdir(os.getcwd()):  # a recipe goes to its own folder
            file, problem, choice = (_by_recipe if log.recipe() else _by_names)(log, study)
            simulator = _simulator(file, choice, study, any_program=bool(simulate))
    except DseError as error:
        yield Lab(reason=f"designs cannot be simulated again here: {error}")
        return
    with closing(simulator):
        if why := _differs(study, problem, simulator):
            yield Lab(reason=f"designs cannot be simulated again here: {why}")
        else:
            yield _lab(file, problem, simulator)


def _lab(file: SpaceFile, problem: Problem, simulator: Simulator) -> Lab:
    return Lab(
        problem=problem,
        simulator=simulator,
        references={name: file.space.canonical(r.design) for name, r in file.references.items()},
        descriptions={
            name: " · ".join(filter(None, (r.description, r.source)))
            for name, r in file.references.items()
        },
    )


def _simulator(
    file: SpaceFile, choice: Choice, study: StudyDescription, *, any_program: bool
) -> Simulator:
    if choice.name != study.simulator:
        raise OptionError(f"the recipe names simulator {choice.name!r}, not {study.simulator!r}")
    ours = choice.name in plugins.BUILT_IN["simulators"]
    if not any_program and not (ours and plugins.load("simulators", choice.name).takes_template):
        raise OptionError(
            f"simulator {choice.name!r} may start programs; --simulate lets a report run it"
        )
    return build_simulator(choice.name, choice.options, file)


def _by_recipe(log: TrialLog, study: StudyDescription) -> Made:
    search = read_recipe(log.recipe(), log.place)
    file = load_space(search.space)
    problem = build_problem(file, search.workloads, search.goal, search.aggregate, search.shapes)
    return file, with_mappings(problem, file, search.simulator), search.simulator


def _by_names(log: TrialLog, study: StudyDescription) -> Made:
    """For logs without a recipe: a shipped space, and networks of the zoo."""
    content = study.problem
    file = load_space(content["space"]["name"])
    workloads = [(workload["name"], workload["weight"]) for workload in content["workloads"]]
    goal = Goal.parse(content["objectives"], content["limits"])
    problem = build_problem(file, workloads, goal, content["aggregate"])
    options = {k: v for k, v in study.simulator_options.items() if k != "template"}
    return file, problem, Choice(study.simulator, options)


def _differs(study: StudyDescription, problem: Problem, simulator: Simulator) -> str:
    """Why what was made is not what the study had; "" if it is."""
    there, here = study.problem, problem.content()
    if there["space"]["sha256"] != here["space"]["sha256"]:
        return f"the space {here['space']['name']!r} has changed since"
    if there["workloads"] != here["workloads"]:
        return "the workloads have changed since"
    if simulator.version != study.simulator_version:
        return f"the simulator is now version {simulator.version}, not {study.simulator_version}"
    if dict(study.simulator_options) != chosen_options(simulator):
        return "the accelerator's description, or an option of the simulator, has changed since"
    return ""
