"""Learning what Gemmini's RTL takes, from few measurements: three surrogates on held-out problems.

    python benchmarks/offline/gemmini_rtl.py [--train FILE] [--test FILE] [--quick] [--json]

Each row is a mapping measured on FPGA-accelerated RTL simulation (the DOSA artifact, Hong et al.,
MICRO 2023); `target.gemmini_cycle` is the measurement. `target.cycle` repeats it and is not read:
features are computed from the layer and the mapping string alone.

- plain: gradient-boosted trees on the logarithm of the cycles, by features;
- conservative: the same, and then rows invented to tempt it, which it is told are slow: for each
  row, of many other mappings of its layer the one it thinks fastest, `PUSHED` above its own
  prediction, with a small weight. (The network of `accel-dse fit` takes values it has seen in a
  fixed space; a held-out problem has others.)
- prior: the cycle-level engine's answer (`benchmarks/fidelity/gemmini_rtl.py`, constants calibrated
  on the rows that are learned from only by an overall factor) and a learned residual.

With `--test` the rows of that file are asked about; else problems are held out whole, by layer:
half of them, `SEEDS` times. Also without any learning: the engine as it is. The learning curve is
over the number of rows learned from; errors are medians of |predicted / measured - 1|.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[1] / "fidelity"))

import gemmini_rtl as rtl  # noqa: E402  the benchmark of the engine, beside this one
from gemmini_timeloop import load, read_layer, read_mappings  # noqa: E402

from accel_dse.surrogates.accuracy import metric_figures  # noqa: E402
from accel_dse.workload import Layer  # noqa: E402

DATA = HERE.parents[3] / "shared/reference/gemmini_rtl_train.csv"
SEEDS = 5
CURVE = (25, 50, 100, 200, 400, 800)
PUSHED = 0.5
"""How far above its prediction a tempting row is put, in the logarithm of cycles."""
TEMPTED = 0.1
"""Weight of such a row."""

Floats = NDArray[np.float64]


class Rows:
    """Rows of a file: layers, features, the engine's answer, and the measurement."""

    def __init__(self, path: Path) -> None:
        raw = load(path)
        self.layers: list[Layer] = [read_layer(row) for row in raw]
        self.measured = np.array([float(row[rtl.MEASURED]) for row in raw])
        mappings = read_mappings([row["mapping.mapping"] for row in raw])
        program = rtl.read_program(self.layers, mappings)
        self.engine = rtl.cycle_level(program, rtl.CALIBRATED)
        bounds = np.array([layer.dims for layer in self.layers])
        strides = np.array([layer.stride for layer in self.layers])
        tiles = mappings.tile_extents()
        hardware = np.array(
            [[float(row["arch.mem1_entries"]), float(row["arch.mem2_entries"])] for row in raw]
        )
        macs = bounds.prod(axis=1).astype(float)
        columns = [bounds[:, 2:], strides, mappings.spatial_x[:, 1, 2:3], hardware]
        columns += [mappings.spatial_y[:, 2, 3:4], tiles[:, 1, 2:], tiles[:, 2, 2:]]
        columns += [mappings.temporal[:, 0, 2:], mappings.temporal[:, 3, 2:]]
        columns += [macs[:, None], (macs / mappings.spatial_x[:, 1, 2])[:, None]]
        columns += [(macs / mappings.spatial_x[:, 1, 2] / mappings.spatial_y[:, 2, 3])[:, None]]
        self.features = np.log2(np.hstack(columns).astype(float))
        problems: dict[object, int] = {}
        self.problem = np.array(
            [problems.setdefault(layer.shape, len(problems)) for layer in self.layers]
        )

    def __len__(self) -> int:
        return len(self.measured)


def trees(seed: int) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(
        max_iter=200, learning_rate=0.06, min_samples_leaf=5, l2_regularization=1.0,
        random_state=seed,
    )  # fmt: skip


def plain(known: Rows, learned: NDArray[Any], asked: Rows, seed: int) -> Floats:
    model = trees(seed).fit(known.features[learned], np.log(known.measured[learned]))
    return np.exp(model.predict(asked.features))


def conservative(known: Rows, learned: NDArray[Any], asked: Rows, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    x, y = known.features[learned], np.log(known.measured[learned])
    model = trees(seed).fit(x, y)
    tempting = x.copy()
    best = model.predict(x)
    width = 6 + 2  # the layer's own features, which a mapping cannot change
    for _ in range(20):
        other = x.copy()
        mates = rng.integers(len(x), size=len(x))
        change = rng.random((len(x), x.shape[1] - width)) < 0.3
        other[:, width:] = np.where(change, x[mates][:, width:], tempting[:, width:])
        cost = model.predict(other)
        better = cost < best
        tempting[better], best[better] = other[better], cost[better]
    both = np.vstack([x, tempting])
    weights = np.concatenate([np.ones(len(x)), np.full(len(x), TEMPTED)])
    model = trees(seed).fit(both, np.concatenate([y, best + PUSHED]), sample_weight=weights)
    return np.exp(model.predict(asked.features))


def prior(known: Rows, learned: NDArray[Any], asked: Rows, seed: int) -> Floats:
    residual = np.log(known.measured[learned] / known.engine[learned])
    middle = np.median(residual)
    extra = np.log2(known.engine[learned, None])
    model = HistGradientBoostingRegressor(  # far smaller: the residual is mostly of the problem
        loss="absolute_error", max_iter=60, learning_rate=0.05, max_leaf_nodes=6,
        min_samples_leaf=20, random_state=seed,
    )  # fmt: skip
    model.fit(np.hstack([known.features[learned], extra]), residual - middle)
    seen = np.hstack([asked.features, np.log2(asked.engine[:, None])])
    # few rows say little: the residual is believed in proportion to how many there are
    trust = len(learned) / (len(learned) + 50)
    return asked.engine * np.exp(middle + trust * model.predict(seen))


MODELS = {"plain": plain, "conservative": conservative, "prior": prior}


def curve(train: Rows, test: Rows | None, counts: Sequence[int], seeds: int) -> dict[str, Any]:
    """Figures by model and number of rows, one for each seed."""
    found: dict[str, dict[int, list[Mapping[str, float]]]] = {name: {} for name in MODELS}
    engine: list[Mapping[str, float]] = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        if test is None:
            problems = rng.permutation(train.problem.max() + 1)
            held_out = np.isin(train.problem, problems[: len(problems) // 2])
            pool, asked_rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
            asked = train
        else:
            pool, asked_rows, asked = np.arange(len(train)), np.arange(len(test)), test
        pool = rng.permutation(pool)
        engine.append(metric_figures(asked.engine[asked_rows], asked.measured[asked_rows]))
        for count in [c for c in counts if c < len(pool)] + [len(pool)]:
            for name, model in MODELS.items():
                answer = model(train, pool[:count], asked, seed)[asked_rows]
                key = count if count in counts else -1
                found[name].setdefault(key, []).append(
                    metric_figures(answer, asked.measured[asked_rows])
                )
    return {
        "rows": len(train),
        "engine": middle(engine),
        **{
            name: {"all" if c < 0 else str(c): middle(rows) for c, rows in by_count.items()}
            for name, by_count in found.items()
        },
    }


def middle(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Median, least and most over the seeds."""
    return {
        name: [float(q) for q in np.quantile([row[name] for row in rows], [0.5, 0.0, 1.0])]
        for name in rows[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, default=DATA)
    parser.add_argument("--test", type=Path, help="rows of the same form; else held-out problems")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--counts", default=",".join(map(str, CURVE)), help="rows learned from")
    parser.add_argument("--quick", action="store_true", help="one seed, two sizes")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    test = Rows(options.test) if options.test else None
    seeds, counts = options.seeds, tuple(map(int, options.counts.split(",")))
    if options.quick:
        seeds, counts = 1, (50, 200)
    found = curve(Rows(options.train), test, counts, seeds)
    if options.json:
        print(json.dumps(found))
        return
    print("rows learned from: Spearman, median error in %, each median [least, most] over seeds")
    print(f"engine alone: {shown(found['engine'])}")
    for name in MODELS:
        for count, row in found[name].items():
            print(f"{name:14s}{count:>5s} {shown(row)}")


def shown(row: Mapping[str, Sequence[float]]) -> str:
    rank, error = row["spearman"], row["median_abs_pct_error"]
    return (
        f"{rank[0]:.3f} [{rank[1]:.3f}, {rank[2]:.3f}]   "
        f"{error[0]:.1f} [{error[1]:.1f}, {error[2]:.1f}]"
    )


if __name__ == "__main__":
    main()
