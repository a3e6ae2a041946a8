"""What `accel-dse check` does."""

import json
import math
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from accel_dse.cli.building import (
    build_optimizer,
    build_problem,
    build_simulator,
    with_mappings,
)
from accel_dse.files import Check, StudyFile, check, load_space
from accel_dse.readable import number, plain
from accel_dse.space import DesignSpace
from accel_dse.template import bind, read_template

BOUND = 1_000
"""Random designs that a template is bound to."""


def show(path: str, *, as_json: bool) -> None:
    """Checks the file, and prints what can be said about it.

    Raises:
        DseError: something in it is wrong.
    """
    found = check(path)
    content = {**_space(found), **_accelerator(found)}
    if found.study_file is not None:
        content |= _study(found.study_file)
    if as_json:
        print(json.dumps(content, indent=2))
        return
    console = Console()
    console.print(_parameters(found.space_file.space))
    console.print()
    table = Table.grid(padding=(0, 2))
    for name, value in content.items():
        lines = [f"{k}: {plain(v)}" for k, v in value.items()] if isinstance(value, dict) else None
        for i, line in enumerate(lines or [plain(value)]):
            label = Text("" if i else name.replace("_", " "), style="dim")
            table.add_row(label, Text(line))
    console.print(table)


def _space(found: Check) -> dict[str, Any]:
    space = found.space_file.space
    content: dict[str, Any] = {
        "space": space.name,
        "designs": None if math.isinf(space.size) else int(space.size),
        "valid_designs": found.valid,
        "share_valid": found.share_valid,
        "random_designs": found.draws,
    }
    if found.rejections:
        content["share_rejected_by"] = {c.rule.text: share for c, share in found.rejections}
    if found.space_file.references:
        content["references"] = list(found.space_file.references)
    return {name: value for name, value in content.items() if value is not None}


def _accelerator(found: Check) -> dict[str, Any]:
    file = found.space_file
    if file.accelerator is None:
        return {}
    with file.document.blaming():
        template = read_template(file.accelerator, file.space)
        hardware = bind(template, file.space.sample_columns(BOUND, np.random.default_rng(0)))
    shares = {"least": 0.0, "median": 0.5, "most": 1.0}
    area = {name: float(np.quantile(hardware.area_mm2, q)) for name, q in shares.items()}
    return {"levels": list(hardware.levels), "area_mm2": area}


def _study(study: StudyFile) -> dict[str, Any]:
    """Builds all that the study names, so that what is wrong with it comes out."""
    file = load_space(study.space)
    with study.document.blaming():
        problem = build_problem(file, study.workloads, study.goal, study.aggregate)
        problem = with_mappings(problem, file, study.simulator)
        build_optimizer(study.optimizer.name, study.optimizer.options, problem, study.seed)
        build_simulator(study.simulator.name, study.simulator.options, file).close()
    return {
        "workloads": [workload.name for workload, _ in problem.workloads],
        **_mappings(problem.space, file.space),
        **study.goal.content(),
        "optimizer": study.optimizer.name,
        "simulator": study.simulator.name,
        "trials": study.trials,
    }


def _mappings(searched: DesignSpace, hardware: DesignSpace) -> dict[str, Any]:
    """What is searched beside the hardware, if anything is."""
    more = len(searched.parameters) - len(hardware.parameters)
    if not more:
        return {}
    return {
        "mapping_parameters": more,
        "mapping_constraints": len(searched.constraints) - len(hardware.constraints),
        "designs_with_mappings": searched.size,
    }


def _parameters(space: DesignSpace) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in ("parameter", "kind", "values", "unit"):
        table.add_column(title)
    table.add_column("choices", justify="right")
    for parameter in space.parameters:
        count = "" if math.isinf(parameter.count) else number(float(parameter.count))
        kind = type(parameter).__name__.lower()
        words = (parameter.name, kind, parameter.summary(), parameter.unit, count)
        table.add_row(*map(Text, words))
    return table
