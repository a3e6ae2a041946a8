"""From names to objects: what a command line or a study file asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from accel_dse import plugins
from accel_dse.errors import FileError, OptionError
from accel_dse.files import SpaceFile
from accel_dse.files.study_file import Choice
from accel_dse.mapping_space import mapping_space
from accel_dse.optimizers.base import Optimizer
from accel_dse.optimizers.transfer import Transfer
from accel_dse.problem import Aggregate, Goal, Problem
from accel_dse.simulators.base import Simulator
from accel_dse.source import Source
from accel_dse.template import read_template
from accel_dse.workload import Workload
from accel_dse.workloads.load import load


def build_problem(
    file: SpaceFile,
    workloads: Sequence[tuple[str, float]],
    goal: Goal,
    aggregate: Aggregate = "mean",
    shapes: Mapping[str, int] | None = None,
) -> Problem:
    """The problem of finding the best design of `file` for `workloads`.

    Args:
        file: has the space.
        workloads: (name of the zoo or path, weight).
        goal: objectives and limits.
        aggregate: see `Problem`.
        shapes: dimensions that ONNX files leave open.
    """
    return Problem(
        space=file.space,
        workloads=tuple((load(name, shapes=shapes), weight) for name, weight in workloads),
        objectives=goal.objectives,
        limits=goal.limits,
        aggregate=aggregate,
    )


def with_mappings(problem: Problem, file: SpaceFile, simulator: Choice) -> Problem:
    """`problem`, its designs with a mapping of every layer if that is what `simulator` takes.

    Raises:
        OptionError: there are several workloads to be mapped.
    """
    cls = plugins.load("simulators", simulator.name.partition(":")[0])
    if not cls.takes_mappings or file.accelerator is None:
        return problem
    if len(problem.workloads) > 1:
        raise OptionError(
            f"{simulator.name}: got {len(problem.workloads)} workloads to map", hint="name one"
        )
    values = plugins.read_options(simulator.name, cls, simulator.options)
    with file.document.blaming():
        template = read_template(file.accelerator, file.space)
    network = problem.workloads[0][0]
    space = mapping_space(file.space, template, network, ragged=values.get("ragged", False))
    return replace(problem, space=space)


def not_counted(network: Workload) -> str:
    """What of `network` no simulation counts, as a line; "" if nothing is left out."""
    if not network.unknown:
        return ""
    named = ", ".join(network.unknown[:3]) + (", ..." if len(network.unknown) > 3 else "")
    return f"warning: {network.name}: {len(network.unknown)} operations have no cost here: {named}"


def build_simulator(name: str, options: Mapping[str, Any], file: SpaceFile) -> Simulator:
    """The simulator called `name`; close it when done.

    `NAME:PATH` stands for the simulator NAME with the option `path`.

    Raises:
        OptionError: there is none, or an option does not fit.
        FileError: it needs an `accelerator` section, and the file has none, or a wrong one.
    """
    name, colon, path = name.partition(":")
    if colon:
        options = {**options, "path": path}
    cls = plugins.load("simulators", name)
    values = plugins.read_options(name, cls, options)
    if cls.takes_template:
        if file.accelerator is None:
            raise FileError(
                f"{file.document.name}: has no accelerator section, which {name} needs",
                hint="describe the hardware in it, or name another --simulator",
            )
        with file.document.blaming():
            values["template"] = read_template(file.accelerator, file.space)
    simulator: Simulator = cls(**values)
    return simulator


def build_optimizer(
    name: str,
    options: Mapping[str, Any],
    problem: Problem,
    seed: int,
    sources: tuple[Source, ...] = (),
) -> Optimizer:
    """The optimizer called `name`; within `transfer`, where there are sources to begin from.

    Raises:
        OptionError: there is none, or an option does not fit.
    """
    cls = plugins.load("optimizers", name)
    values = plugins.read_options(name, cls, options)
    if not sources or issubclass(cls, Transfer):
        made: Optimizer = cls(problem=problem, seed=seed, sources=sources, **values)
        return made
    return Transfer(problem=problem, seed=seed, optimizer=name, options=values, sources=sources)
