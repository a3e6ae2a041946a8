"""Explore the design of hardware accelerators.

The names below are the public Python interface; each is imported when it is first used, so that
`import accel_dse` costs nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "DesignSpace": "accel_dse.space",
    "Constraint": "accel_dse.constraints",
    "Expression": "accel_dse.expressions",
    "Ordinal": "accel_dse.parameters",
    "Integer": "accel_dse.parameters",
    "Real": "accel_dse.parameters",
    "Categorical": "accel_dse.parameters",
    "Factorization": "accel_dse.parameters",
    "Permutation": "accel_dse.parameters",
    "Workload": "accel_dse.workload",
    "Layer": "accel_dse.workload",
    "VectorOp": "accel_dse.workload",
    "load_workload": "accel_dse.workloads.load:load",
    "load_space": "accel_dse.files",
    "load_study": "accel_dse.files",
    "read_template": "accel_dse.template",
    "Problem": "accel_dse.problem",
    "Goal": "accel_dse.problem",
    "Objective": "accel_dse.problem",
    "Limit": "accel_dse.problem",
    "Metrics": "accel_dse.metrics",
    "Trial": "accel_dse.trial",
    "Outcome": "accel_dse.trial",
    "TrialLog": "accel_dse.trial_log",
    "Study": "accel_dse.study",
    "Simulator": "accel_dse.simulators.base",
    "AcceleratorSimulator": "accel_dse.simulators.accelerator",
    "ProcessSimulator": "accel_dse.simulators.process",
    "Optimizer": "accel_dse.optimizers.base",
    "RandomSearch": "accel_dse.optimizers.random_search",
    "Evolution": "accel_dse.optimizers.evolution",
    "ConstrainedBO": "accel_dse.optimizers.constrained_bo",
    "ParetoBO": "accel_dse.optimizers.pareto_bo",
    "Codesign": "accel_dse.optimizers.codesign",
    "ModelBased": "accel_dse.optimizers.model_based",
    "P3BO": "accel_dse.optimizers.p3bo",
    "Auto": "accel_dse.optimizers.auto",
    "Dataset": "accel_dse.dataset",
    "Conservative": "accel_dse.surrogates.conservative",
    "summarize": "accel_dse.report.summary",
    "DseError": "accel_dse.errors",
}
"""Public name -> module that has it, as `module:name` where it is called otherwise there."""

__all__ = ["__version__", *_PLACES]  # noqa: PLE0604  names are strings


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, other = _PLACES[name].partition(":")
    return getattr(import_module(module), other or name)


def __dir__() -> list[str]:
    return sorted(__all__)
