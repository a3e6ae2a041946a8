"""What each part of the conservative surrogate is worth: one part changed at a time.

    python benchmarks/offline/ablation.py [--logs FOLDER] [--rows N] [--seeds N] [--quick] [--json]

As in `prime.py`: the model sees the low-performing 80 % of an application's log, its 10 proposals
under 27 mm2 are simulated. `ratio` is the latency of the best of them over that of the best logged
design (below 1 is an improvement), `works` the share of proposals that work and keep the limit,
`kendall` the rank correlation on the held-out best designs. Geometric means over applications and
seeds, with quartiles. Evolution, firefly and Gibbs mining make the same number of model calls.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from prime import LOGS, OBJECTIVE, PROPOSED, Bench, Size, value

from accel_dse.problem import Goal, Objective
from accel_dse.surrogates.conservative import Conservative
from accel_dse.surrogates.proposing import Caution, Search, best_logged

APPLICATIONS = ("mobilenet_v2", "ssdlite_mobilenet_v2_035", "t_rnn_encoder")

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "as it is": {},
    "alpha = 0 (no mining)": {"alpha": 0.0},
    "beta = 0": {"beta": 0.0},
    "alpha = beta = 0": {"alpha": 0.0, "beta": 0.0},
    "firefly mining": {"miner": "firefly"},
    "Gibbs mining": {"miner": "gibbs"},
    "no feasibility output": {"feasibility_weight": 0.0},
    "ranking loss": {"ranking_weight": 0.3},
    "over the limit refused": {"over_limit": "refused"},
    "all that tempts is pushed": {"margin": -100.0},
    "no trend": {"trend": False},
    "embeddings begin at random": {"ordered": False},
    "as in PRIME": {"margin": -100.0, "trend": False, "ordered": False, "over_limit": "refused"},
    "limits kept by the prediction alone": {"caution": {"limits": 0.0}},
    "disagreement penalty": {"caution": {"disagreement": 1.0}},
    "distance penalty": {"caution": {"distance": 2.0}},
    "both penalties": {"caution": {"disagreement": 1.0, "distance": 2.0}},
}


def one(bench: Bench, application: str, seed: int, variant: Mapping[str, Any]) -> dict[str, float]:
    """One fit, its proposals, simulated."""
    options = {"alpha": 0.1, "beta": 0.1, **variant}
    caution = Caution(**options.pop("caution", {}))
    log, problem = bench.log(application), bench.problem((application,), 27.0)
    model = Conservative(
        seed=seed, steps=bench.size.steps, members=bench.size.members, **options
    ).fit(log, Goal((Objective(OBJECTIVE),), problem.limits))
    search = Search(fitted=model, problem=problem, caution=caution, seed=seed)
    proposals = search.propose(PROPOSED)
    trials = bench.simulate(problem, [proposal.design for proposal in proposals], 0)
    known = best_logged(log, problem)
    return {
        "ratio": value(problem, trials) / known[1][OBJECTIVE] if known else float("nan"),
        "works": float(np.mean([problem.accepts(trial) for trial in trials])),
        "kendall": model.accuracy["best"]["metrics"][OBJECTIVE]["kendall"] or float("nan"),
    }


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    ratios = np.array([row["ratio"] for row in rows])
    good = ratios[np.isfinite(ratios)]
    return {
        "ratio": float(np.exp(np.log(good).mean())) if len(good) else None,
        "quartiles": [float(q) for q in np.quantile(good, [0.25, 0.75])] if len(good) else None,
        "nothing_accepted": int(len(ratios) - len(good)),
        "works": float(np.mean([row["works"] for row in rows])),
        "kendall": float(np.nanmean([row["kendall"] for row in rows])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, default=LOGS)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1_500)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--variants", help="some of them, separated by ;")
    parser.add_argument("--quick", action="store_true", help="one application, two variants")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = Size(
        rows=options.rows,
        steps=options.steps,
        members=options.members,
        seeds=options.seeds,
        applications=APPLICATIONS,
    )
    names = options.variants.split(";") if options.variants else list(VARIANTS)
    if options.quick:
        size = Size(rows=1_000, steps=150, members=1, seeds=1, applications=APPLICATIONS[:1])
        names = names[:2]
    bench = Bench(options.logs, size)
    found = {}
    for name in names:
        rows = [
            one(bench, application, seed, VARIANTS[name])
            for application in size.applications
            for seed in range(size.seeds)
        ]
        found[name] = summary(rows)
        if not options.json:
            print(f"{name:28s} {found[name]}", flush=True)
    if options.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
