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
from prime import ALPHA, BETA, LOGS, OBJECTIVE, PROPOSED, SEVERAL, Bench, Size, value

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
    "as in PRIME": Variant(
        options={"margin": -100.0, "trend": False, "ordered": False, "over_limit": "refused"}
    ),
    "one block of attention": Variant(options={"blocks": 1}),
    "no attention": Variant(options={"blocks": 0}),
    TOGETHER: Variant(several=True),
    "several: without context": Variant(several=True, options={"contextual": "off"}),
}


@dataclass
class Ablation:
    """Fits, and what came of them.

    Attributes:
        bench: logs and simulator.
        out: where results are kept; None if nowhere.
        rows: the results so far.
    """

    bench: Bench
    out: Path | None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.out is not None and self.out.exists():
            lines = self.out.read_text(encoding="utf-8").splitlines()
            self.rows = [row for row in map(json.loads, lines) if row["size"] == self.size]

    @property
    def size(self) -> dict[str, int]:
        """What a result depends on beside variant, applications and seed."""
        size = self.bench.size
        return {"rows": size.rows, "steps": size.steps, "members": size.members}

    def known(self, name: str, case: Case, seed: int) -> bool:
        """Whether there is a result already."""
        wanted = (name, list(case[0]), seed)
        return any(
            (row["variant"], row["applications"], row["seed"]) == wanted for row in self.rows
        )

    def run(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """What is not known yet; seed by seed, so that it can be stopped after any."""
        for seed in range(self.bench.size.seeds):
            for case in (*SINGLE[: len(self.bench.size.applications)], *SEVERAL[:1]):
                fits: dict[str, tuple[Fitted, float]] = {}
                for name in names:
                    variant = VARIANTS[name]
                    if case not in variant.cases or self.known(name, case, seed):
                        continue
                    options = json.dumps(variant.options, sort_keys=True)
                    if options not in fits:
                        fits = {options: self.fit(case, seed, variant)}
                    found = self.judged(case, seed, variant, *fits[options])
                    what = {"variant": name, "applications": list(case[0]), "seed": seed}
                    self.keep({**what, **found, "size": self.size})
                    yield self.rows[-1]

    def keep(self, row: dict[str, Any]) -> None:
        """Adds a result, to the file also."""
        self.rows.append(row)
        if self.out is not None:
            with self.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

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
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--members", type=int, default=2)
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
    ablation = Ablation(Bench(options.logs, size), options.out)
    for row in ablation.run(names):
        if not options.json:
            print(json.dumps(row), flush=True)
    found = {}
    for name in names:
        base = TOGETHER if VARIANTS[name].several else AS_IT_IS
        rows, beside = ([r for r in ablation.rows if r["variant"] == n] for n in (name, base))
        if rows:
            found[name] = summary(rows, beside)
    if options.json:
        print(json.dumps(found))
        return
    for name, line in found.items():
        print(f"{name:36s} {json.dumps(line)}")


if __name__ == "__main__":
    main()
