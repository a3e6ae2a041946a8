"""How far the mapper is from the best mapping there is, on layers small enough to try them all.

For each pair of a design, drawn at random from a template's space, and a small layer, the best of
all mappings (`accel_dse.simulators.exact_mapper` states the space and the bounds) is compared with
the best that the mapper finds, in cycles and in energy times cycles, both played cycle by cycle.
Pairs whose space is too large for `--most` mappings are counted as skipped.

    python benchmarks/fidelity/exact_mapper.py [--pairs 60] [--effort normal] [--json]
"""

import argparse
import json

import numpy as np

from accel_dse.files import load_space
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.simulators.exact_mapper import best_mapping, count_tilings
from accel_dse.template import bind, read_template
from accel_dse.workload import Layer

ARGUMENTS = argparse.ArgumentParser(description=__doc__.splitlines()[0])
ARGUMENTS.add_argument("--pairs", type=int, default=60, help="pairs to compare, in each goal")
ARGUMENTS.add_argument("--most", type=int, default=3_000_000, help="mappings tried for a pair")
ARGUMENTS.add_argument("--tilings", type=int, default=300_000, help="of the largest space tried")
ARGUMENTS.add_argument("--effort", default="normal", choices=tuple(mapper.EFFORTS))
ARGUMENTS.add_argument("--seed", type=int, default=0)
ARGUMENTS.add_argument("--json", action="store_true")
ARGUMENTS.add_argument("--quick", action="store_true", help="3 pairs of small spaces")

TEMPLATES = ("edge", "gemmini", "simba_like", "tpu_like", "nvdla_like", "eyeriss_168")

LAYERS = (
    Layer(name="gemm", P=8, K=8, C=8),
    Layer(name="ragged gemm", P=7, K=10, C=5),
    Layer(name="pointwise", P=4, Q=4, K=6, C=4),
    Layer(name="conv", P=6, K=4, C=3, R=3),
    Layer(name="strided", P=6, K=8, R=3, stride=(2, 1)),
    Layer(name="depthwise", G=8, P=6, R=3),
    Layer(name="grouped", G=2, K=4, C=3, P=6),
    Layer(name="vector", K=48, C=32),
)


def main() -> None:
    options = ARGUMENTS.parse_args()
    if options.quick:
        options.pairs, options.most, options.tilings = 3, 20_000, 2_000
    found = {goal: compare(goal, options) for goal in ("latency", "edp")}
    report = {goal: summary(*rows) for goal, rows in found.items()}
    if options.json:
        print(json.dumps({"effort": options.effort, "seed": options.seed, **report}))
        return
    for goal, (gaps, _, worst) in found.items():
        print(f"{goal}: " + ", ".join(f"{k} {v:.3g}" for k, v in summary(*found[goal]).items()))
        for gap, name in sorted(worst, reverse=True)[:5]:
            print(f"  {gap:7.2%}  {name}")
        assert len(gaps)


def summary(gaps: list[float], skipped: int, _: object) -> dict[str, float]:
    """Median and worst gap in per cent, and how many pairs there are."""
    gaps_pct = 100 * np.array(gaps)
    return {
        "rows": len(gaps),
        "median_gap_pct": float(np.median(gaps_pct)),
        "p90_gap_pct": float(np.percentile(gaps_pct, 90)),
        "worst_gap_pct": float(gaps_pct.max()),
        "optimal": float((gaps_pct == 0).mean()),
        "skipped": skipped,
    }


def compare(
    goal: mapper.Goal, options: argparse.Namespace
) -> tuple[list[float], int, list[tuple[float, str]]]:
    """Gaps of the pairs, how many were skipped, and each gap with its pair's name."""
    gaps, names, skipped = [], [], 0
    rounds = 0
    while len(gaps) < options.pairs and rounds < 8:
        for k, template in enumerate(TEMPLATES):
            file = load_space(template)
            rng = np.random.default_rng([options.seed, k, rounds])
            columns = file.space.columns(file.space.sample(4, rng))
            hardware = bind(read_template(file.accelerator, file.space), columns)
            effort = mapper.EFFORTS[options.effort]
            for layer in LAYERS[(k + rounds) % 2 :: 2]:
                mapped = mapper.map_layers(hardware, [layer], effort=effort, goal=goal)
                works = np.flatnonzero(mapped.found[:, 0])
                if len(works) == 0 or len(gaps) >= options.pairs:
                    continue
                i = int(works[0])
                one = bind(
                    read_template(file.accelerator, file.space),
                    {name: column[i : i + 1] for name, column in columns.items()},
                )
                if count_tilings(one, layer) > options.tilings:
                    skipped += 1
                    continue
                score = played(one, layer, mapped, i, goal)
                exact = best_mapping(one, layer, goal=goal, start=score, most=options.most)
                if not exact.complete:
                    skipped += 1
                    continue
                gaps.append(score / exact.score - 1)
                names.append(f"{template}, {layer.name}: {exact.looked_at} mappings counted")
        rounds += 1
    return gaps, skipped, list(zip(gaps, names))


def played(one, layer: Layer, mapped: mapper.Mapped, i: int, goal: mapper.Goal) -> float:
    """The best score among the mapper's finalists."""
    rows = mapped.first[i, 0] + np.arange(mapped.found[i, 0])
    zeros = np.zeros_like(rows)
    cycles = timeline.simulate(one, [layer], mapped.mappings, zeros, zeros, rows).cycles
    if goal == "latency":
        return float(cycles.min())
    counted = loop_nest.evaluate(one, [layer], mapped.mappings, zeros, zeros, rows)
    return float((counted.energy_pj * cycles).min())


if __name__ == "__main__":
    main()
