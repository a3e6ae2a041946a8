"""What each part of the conservative surrogate is worth: one part changed at a time.

    python benchmarks/offline/ablation.py [--logs FOLDER] [--rows N] [--seeds N] [--steps N]
        [--members N] [--variants NAME;NAME] [--out FILE] [--quick] [--json]

As in `prime.py`: the model sees the low-performing 80 % of an application's log, its 10 proposals
under 27 mm2 are simulated; the last variants are of one model of three applications, 29 mm2.
`ratio` is the latency of the best proposal over that of the best logged design (below 1 is an
improvement), `works` the share of proposals that work and keep the limit, `kendall` the rank
correlation on the held-out best designs, `seconds` the CPU time of the fit. Geometric means over
applications and seeds, with quartiles; `beside` is the geometric mean of the ratio over that of
the model as it is, on the same log with the same seed, and `better` in how many of them it is
lower by more than 0.1 %, and higher. Evolution, firefly and Gibbs mining make the same number of
model calls.

With `--out`, each result is added to a file as a line of JSON, and what is in it is not run again.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from prime import ALPHA, BETA, LOGS, OBJECTIVE, PROPOSED, SEVERAL, Bench, Kept, Size, value

from accel_dse.dataset import concatenate
from accel_dse.problem import Goal, Objective
from accel_dse.surrogates.base import Fitted
from accel_dse.surrogates.conservative import Conservative
from accel_dse.surrogates.proposing import Caution, Search, best_logged

Case = tuple[tuple[str, ...], float]
"""Applications of one model, and the area that its proposals may have."""
SINGLE: tuple[Case, ...] = tuple(
    ((name,), 27.0) for name in ("mobilenet_v2", "ssdlite_mobilenet_v2_035", "t_rnn_encoder")
)
AS_IT_IS, TOGETHER = "as it is", "several: as it is"
ALIKE = 1e-3
"""Relative difference of two ratios that counts as none: the same design, or one as good."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is changed.

    Attributes:
        options: of the surrogate.
        caution: of the search, which needs no fit of its own.
        several: whether it is of several applications at once.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    caution: Mapping[str, float] = field(default_factory=dict)
    several: bool = False

    @property
    def cases(self) -> Sequence[Case]:
        """Where it is tried."""
        return SEVERAL[:1] if self.several else SINGLE


VARIANTS: Mapping[str, Variant] = {
    AS_IT_IS: Variant(),
    "limits kept by the prediction alone": Variant(caution={"limits": 0.0}),
    "disagreement penalty": Variant(caution={"disagreement": 1.0}),
    "distance penalty": Variant(caution={"distance": 2.0}),
    "both penalties": Variant(caution={"disagreement": 1.0, "distance": 2.0}),
    "alpha = 0 (no mining)": Variant(options={"alpha": 0.0}),
    "beta = 0": Variant(options={"beta": 0.0}),
    "alpha = beta = 0": Variant(options={"alpha": 0.0, "beta": 0.0}),
    "firefly mining": Variant(options={"miner": "firefly"}),
    "Gibbs mining": Variant(options={"miner": "gibbs"}),
    "all that tempts is pushed": Variant(options={"margin": -100.0}),
    "no feasibility output": Variant(options={"feasibility_weight": 0.0}),
    "ranking loss": Variant(options={"ranking_weight": 0.3}),
    "over the limit refused": Variant(options={"over_limit": "refused"}),
    "no trend": Variant(options={"trend": False}),
    "embeddings begin at random": Variant(options={"ordered": False}),
    TOGETHER: Variant(several=True),
    "several: without context": Variant(several=True, options={"contextual": "off"}),
    "several: two blocks of attention": Variant(several=True, options={"blocks": 2}),
    "one block of attention": Variant(options={"blocks": 1}),
    "two blocks of attention": Variant(options={"blocks": 2}),
    "as in PRIME": Variant(
        options={
            "margin": -100.0,
            "trend": False,
            "ordered": False,
            "over_limit": "refused",
            "blocks": 2,
        }
    ),
}


@dataclass
class Ablation:
    """Fits, and what came of them.

    Attributes:
        bench: logs and simulator.
        kept: the results so far.
    """

    bench: Bench
    kept: Kept

    def run(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What is not known yet; seed by seed, so that it can be stopped after any."""
        size = self.bench.size
        for seed in range(size.seeds):
            for case in (*SINGLE[: len(size.applications)], *SEVERAL[:1]):
                fits: dict[str, tuple[Fitted, float]] = {}
                for name in names:
                    variant = VARIANTS[name]
                    what = {"variant": name, "applications": list(case[0]), "seed": seed}
                    what["size"] = size.content()
                    if case not in variant.cases or self.kept.find(**what):
                        continue
                    options = json.dumps(variant.options, sort_keys=True)
                    if options not in fits:  # variants of the same fit are neighbors in the table
                        fits = {options: self.fit(case, seed, variant)}
                    self.kept.add({**what, **self.judged(case, seed, variant, *fits[options])})
                    yield self.kept.rows[-1]

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The results of a variant, at this size."""
        size = self.bench.size.content()
        return [r for r in self.kept.rows if r["variant"] == name and r["size"] == size]

    def fit(self, case: Case, seed: int, variant: Variant) -> tuple[Fitted, float]:
        """A model, and the CPU seconds it took."""
        log, problem = (
            concatenate([self.bench.log(name) for name in case[0]]),
            self.bench.problem(*case),
        )
        size = self.bench.size
        options = {"alpha": ALPHA, "beta": BETA, **variant.options}
        started = time.process_time()
        model = Conservative(seed=seed, steps=size.steps, members=size.members, **options).fit(
            log, Goal((Objective(OBJECTIVE),), problem.limits)
        )
        return model, time.process_time() - started

    def judged(
        self, case: Case, seed: int, variant: Variant, model: Fitted, seconds: float
    ) -> dict[str, Any]:
        """What a model's proposals are worth, simulated."""
        problem = self.bench.problem(*case)
        caution = Caution(**variant.caution)
        search = Search(fitted=model, problem=problem, caution=caution, seed=seed)
        proposals = search.propose(PROPOSED)
        trials = self.bench.simulate(problem, [proposal.design for proposal in proposals], 0)
        known = best_logged(model.log, problem)
        best = value(problem, trials)
        return {
            "ratio": best / known[1][OBJECTIVE] if known and np.isfinite(best) else None,
            "works": sum(problem.accepts(trial) for trial in trials) / PROPOSED,
            "kendall": model.accuracy["best"]["metrics"][OBJECTIVE]["kendall"],
            "seconds": seconds,
        }


def summary(rows: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A line of the table: a variant's rows, beside those of the model as it is."""
    ratios = {(*row["applications"], row["seed"]): row["ratio"] for row in rows}
    others = {(*row["applications"], row["seed"]): row["ratio"] for row in base}
    good = np.array([ratio for ratio in ratios.values() if ratio])
    pairs = [ratio / others[key] for key, ratio in ratios.items() if ratio and others.get(key)]
    kendalls = [row["kendall"] for row in rows if row["kendall"] is not None]
    return {
        "runs": len(rows),
        "ratio": geometric_mean(good),
        "quartiles": [float(q) for q in np.quantile(good, [0.25, 0.75])] if len(good) else None,
        "beside": geometric_mean(pairs),
        "better": sum(pair < 1 - ALIKE for pair in pairs),
        "worse": sum(pair > 1 + ALIKE for pair in pairs),
        "nothing_accepted": len(rows) - len(good),
        "works": float(np.mean([row["works"] for row in rows])),
        "kendall": float(np.mean(kendalls)) if kendalls else None,
        "seconds": float(np.median([row["seconds"] for row in rows])),
    }


def geometric_mean(values: Sequence[float]) -> float | None:
    return float(np.exp(np.mean(np.log(values)))) if len(values) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, default=LOGS)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=Conservative.steps)
    parser.add_argument("--members", type=int, default=Conservative.members)
    parser.add_argument("--variants", help="some of them, separated by ;")
    parser.add_argument("--out", type=Path, help="keeps results; goes on from them")
    parser.add_argument("--quick", action="store_true", help="one application, two variants")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = options.variants.split(";") if options.variants else list(VARIANTS)
    size = Size(rows=options.rows, steps=options.steps, members=options.members,
                seeds=options.seeds, applications=[case[0][0] for case in SINGLE])  # fmt: skip
    if options.quick:
        size = Size(rows=1_000, steps=150, members=1, seeds=1, applications=["mobilenet_v2"])
        names = [AS_IT_IS, "limits kept by the prediction alone"]
    ablation = Ablation(Bench(options.logs, size), Kept(options.out))
    for row in ablation.run(names):
        if not options.json:
            print(json.dumps(row), flush=True)
    found = {}
    for name in names:
        base = TOGETHER if VARIANTS[name].several else AS_IT_IS
        if rows := ablation.rows(name):
            found[name] = summary(rows, ablation.rows(base))
    if options.json:
        print(json.dumps(found))
        return
    for name, line in found.items():
        print(f"{name:36s} {json.dumps(line)}")


if __name__ == "__main__":
    main()
