"""Spotlight's and DOSA's way to compare with a fixed design, as published and repaired.

    python benchmarks/protocols/equal_terms.py [--quick] [--protocol spotlight dosa]
        [--workload mobilenet_v2] [--trials 200] [--seeds 3] [--optimizer linear_bo]

Both say by how much a searched design beats a designed one in energy-delay product (EDP). What is
wrong with the terms is mended one thing at a time, on our templates, with our optimizers:

- `spotlight`: a core of the designed accelerator has a sixteenth of the lanes that one of the
  searched ones may have; a trial counts only if it worked. Repaired: every simulation counts; the
  designed one has its lanes; no searched design has more peak MACs; nor a larger area.
- `dosa`: Gemmini as it comes (16 x 16) against Gemminis of any size and bandwidth. Repaired: every
  simulation counts; no more MACs and no more bandwidth than it; nor a larger area.

EDP is that of the network: the sum of its layers' energies times the sum of their delays.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from accel_dse import plugins
from accel_dse.cli.building import build_simulator
from accel_dse.constraints import Constraint
from accel_dse.expressions import Expression
from accel_dse.files import load_space
from accel_dse.problem import Limit, Objective, Problem
from accel_dse.simulators.base import Simulator
from accel_dse.study import Study
from accel_dse.trial_log import TrialLog
from accel_dse.workload import Workload
from accel_dse.workloads.load import load


@dataclass(frozen=True, kw_only=True)
class Terms:
    """One way to compare.

    Attributes:
        label: what is mended so far.
        designed: parameters of the designed accelerator that differ from the reference's.
        rules: that searched designs keep.
        same_area: whether they are at most as large as the designed one.
        all_count: whether a simulation counts that did not work.
    """

    label: str
    designed: Mapping[str, Any]
    rules: Sequence[str] = ()
    same_area: bool = False
    all_count: bool = True


@dataclass(frozen=True)
class Protocol:
    """A paper's comparison.

    Attributes:
        space, reference: the template, and the designed accelerator in it.
        largest_mm2: area of searched designs where the terms do not say.
        terms: as published first, then mended more and more.
    """

    space: str
    reference: str
    largest_mm2: float
    terms: Sequence[Terms]


EDGE_MACS = ("pes_x * pes_y * cores * lanes <= 2048",)
GEMMINI = ("mesh <= 16", "dram_bytes_per_cycle <= 16")
FEW_LANES = {"lanes": 2}
"""A sixteenth of the reference's 32."""

PROTOCOLS = {
    "spotlight": Protocol("edge", "edge_tpu_like", 100.0, (
        Terms(label="as published", designed=FEW_LANES, all_count=False),
        Terms(label="every simulation counts", designed=FEW_LANES),
        Terms(label="+ designed with its lanes", designed={}),
        Terms(label="+ equal peak MACs", designed={}, rules=EDGE_MACS),
        Terms(label="+ equal area", designed={}, rules=EDGE_MACS, same_area=True),
    )),
    "dosa": Protocol("gemmini", "gemmini_16", 100.0, (
        Terms(label="as published", designed={}, all_count=False),
        Terms(label="every simulation counts", designed={}),
        Terms(label="+ equal peak MACs and bandwidth", designed={}, rules=GEMMINI),
        Terms(label="+ equal area", designed={}, rules=GEMMINI, same_area=True),
    )),
}  # fmt: skip
"""Source: Sakhuja et al., Spotlight, HPCA 2023, and its code; Hong et al., DOSA, MICRO 2023."""


def best_edp(
    problem: Problem,
    simulator: Simulator,
    options: argparse.Namespace,
    seed: int,
    *,
    all_count: bool,
) -> tuple[float, int]:
    """The least EDP of a search, and the simulations that it took.

    Args:
        problem, simulator: what is searched.
        options: of the command.
        seed: of the search.
        all_count: whether simulations that did not work count against the trials.
    """
    cls = plugins.load("optimizers", options.optimizer)
    count = options.trials
    with TemporaryDirectory() as folder:
        while True:
            study = Study(
                problem=problem,
                optimizer=cls(problem=problem, seed=seed),
                simulator=simulator,
                log=TrialLog(str(Path(folder) / "log.sqlite")),
            )
            trials = study.run(count)
            missing = options.trials - sum(trial.feasible for trial in trials)
            if all_count or missing <= 0 or count >= 10 * options.trials:
                break
            count = len(trials) + missing
    best = problem.best(trials)
    return (best.metrics["edp"] if best else np.inf), len(trials)


def compare(
    protocol: Protocol, terms: Terms, network: Workload, options: argparse.Namespace
) -> tuple[float, list[float], list[int]]:
    """EDP of the designed accelerator; of the searched ones, and their simulations, by seed."""
    file = load_space(protocol.space)
    simulator = build_simulator("accelerator", {}, file)
    design = {**file.references[protocol.reference].design, **terms.designed}
    designed = simulator.simulate(network, file.space.columns([design])).row(0)
    rules = tuple(Constraint(Expression(rule)) for rule in terms.rules)
    space = replace(file.space, constraints=(*file.space.constraints, *rules))
    area = designed["area_mm2"] if terms.same_area else protocol.largest_mm2
    limit = Limit("area_mm2", "<=", area)
    problem = Problem(space, ((network, 1.0),), (Objective("edp"),), (limit,))
    found = [
        best_edp(problem, simulator, options, seed, all_count=terms.all_count)
        for seed in range(options.seeds)
    ]
    return designed["edp"], [edp for edp, _ in found], [count for _, count in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", nargs="*", choices=list(PROTOCOLS), default=list(PROTOCOLS))
    parser.add_argument("--workload", default="mobilenet_v2")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--optimizer", default="linear_bo", help="Spotlight's own kind")
    parser.add_argument("--quick", action="store_true", help="a small network, 10 trials, 1 seed")
    options = parser.parse_args()
    if options.quick:
        options.workload, options.trials, options.seeds = "mlp", 10, 1
        options.optimizer = "random"
    console, network = Console(width=110), load(options.workload)
    for name in options.protocol:
        table = Table(
            title=f"{name}: {network.name}, {options.optimizer}, {options.trials} trials, "
            f"{options.seeds} seeds", box=box.SIMPLE_HEAD,
        )  # fmt: skip
        for column in ("terms", "designed EDP", "searched EDP", "gain", "of seeds", "simulations"):
            table.add_column(column, justify="left" if column == "terms" else "right")
        for terms in PROTOCOLS[name].terms:
            designed, found, counts = compare(PROTOCOLS[name], terms, network, options)
            gains = designed / np.array(found)
            spread = f"{gains.min():.2f} to {gains.max():.2f}"
            middle = [f"{np.median(found):.4g}", f"{np.median(gains):.2f}x"]
            count = f"{np.median(counts):.0f}"
            table.add_row(terms.label, f"{designed:.4g}", *middle, spread, count)
        console.print(table)


if __name__ == "__main__":
    main()
