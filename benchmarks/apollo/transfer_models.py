"""Which model of a related task helps most to predict this one, from few trials.

python benchmarks/apollo/transfer_models.py --folder DIR

Reads logs of `table.py` and `transfer.py` in DIR (it searches nothing): the first 5, 15 and 40
designs that work of searches of MobileNetV2, medium area, are learned from, and those that the
search came to next are predicted. Three models of the logarithm of latency: a Gaussian process
alone; with what a search of MobileNetEdgeTPU taught as its trend (what the package does); and the
ranking-weighted ensemble of both (Feurer, Letham, Bakshy, "Scalable Meta-Learning for Bayesian
Optimization using Ranking-Weighted Gaussian Process Ensembles", 2018, arXiv 1802.02219).

Printed for each: rank correlation, and minus the log of the density that it gave to what came
(less is better; a miss counts for 20 at most), both means over all pairs of logs.
"""

import argparse
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr
from transfer import problem_of, shuffled

from accel_dse.optimizers.elders import Advised, Elder, Elders, Trend
from accel_dse.source import related
from accel_dse.surrogates.gaussian_process import fit, tamed
from accel_dse.surrogates.inputs import Inputs
from accel_dse.trial import Trial
from accel_dse.trial_log import TrialLog

AHEAD = 60
"""Designs that are predicted: those that a search came to next."""

DRAWS = 200
"""Of the bootstrap that weights the ensemble."""

Floats = np.ndarray
Prediction = tuple[Floats, Floats]
Model = Callable[[list[Elder], Floats, Floats, Floats], Prediction]


def alone(elders: list[Elder], x: Floats, y: Floats, unseen: Floats) -> Prediction:
    """A Gaussian process of this task."""
    return fit(x, y).predict(unseen)


def trend(elders: list[Elder], x: Floats, y: Floats, unseen: Floats) -> Prediction:
    """What is left of the elders' trend."""
    told = Trend.of(elders, x, y)
    return Advised(told, fit(x, y - told.mean(x))).predict(unseen)


def ensemble(elders: list[Elder], x: Floats, y: Floats, unseen: Floats) -> Prediction:
    """Elders and this task's process, weighted by how likely each ranks the examples best."""
    own, rng = fit(x, y), np.random.default_rng(0)
    said = np.array([*(elder.mean(x) for elder in elders), own.leave_one_out()[0]])
    wins = np.zeros(len(said))
    for _ in range(DRAWS):
        drawn = rng.integers(len(y), size=len(y))
        below = y[drawn][:, None] < y[drawn]
        losses = [((one[drawn][:, None] < one[drawn]) != below).sum() for one in said]
        best = np.flatnonzero(losses == np.min(losses))
        wins[len(elders) if len(elders) in best else rng.choice(best)] += 1
    weights = wins / DRAWS
    mean, std = own.predict(unseen)
    total, variance = weights[-1] * mean, (weights[-1] * std) ** 2
    for elder, weight in zip(elders, weights):
        mean, std = elder.predict(unseen)
        ratio = own.scale / elder.process.scale
        total += weight * (own.center + ratio * (mean - elder.process.center))
        variance += (weight * ratio * std) ** 2
    return total, np.sqrt(variance)


MODELS: dict[str, Model] = {"alone": alone, "trend": trend, "ensemble": ensemble}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("apollo_table"))
    folder = parser.parse_args().folder
    targets = logs(folder, "mobilenet_v2-27mm2", ("constrained_bo", "evolution"))
    sources = logs(folder, "mobilenet_edgetpu-27mm2", ("evolution",))
    print("| source | trials | " + " | ".join(MODELS) + " | pairs |\n|---|---|---|---|---|---|")
    for label, change in (("as it is", list), ("shuffled", shuffled)):
        for n in (5, 15, 40):
            print(row(label, n, targets, [change(trials) for trials in sources]), flush=True)


def logs(folder: Path, task: str, optimizers: tuple[str, ...]) -> list[list[Trial]]:
    places = [folder / f"{task}-{name}-{seed}.sqlite" for name in optimizers for seed in range(10)]
    return [TrialLog(place).read(stop=200) for place in places if place.exists()]


def row(label: str, n: int, targets: list[list[Trial]], sources: list[list[Trial]]) -> str:
    """A row of the table: means over pairs."""
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in MODELS}
    for target, source in product(targets, sources):
        for name, score in scored(n, target, source):
            scores[name].append(score)
    cells = ["{:.2f}, {:+.2f}".format(*np.mean(found, axis=0)) for found in scores.values()]
    return f"| {label} | {n} | {' | '.join(cells)} | {len(targets) * len(sources)} |"


def scored(
    n: int, target: list[Trial], source: list[Trial]
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Rank correlation and minus log density of each model, for one pair of logs."""
    problem = problem_of(("mobilenet_v2", "medium"))
    inputs = Inputs(problem.space)
    working = [trial for trial in target if trial.feasible]
    x = inputs.of(problem.space.columns([trial.design for trial in working]))
    y = np.log([trial.metrics["latency_ms"] for trial in working])
    told = related(problem, source, task="source")
    elders = Elders([told], inputs).of("latency_ms", logs=True, sign=1.0)
    unseen, truth = x[n : n + AHEAD], y[n : n + AHEAD]
    for name, model in MODELS.items():
        mean, std = model(elders, x[:n], tamed(y[:n]), unseen)
        std = np.maximum(std, 1e-3)
        missed = np.minimum(0.5 * ((truth - mean) / std) ** 2, 20.0)
        yield name, (spearmanr(mean, truth)[0], float(np.mean(missed + np.log(std))))


if __name__ == "__main__":
    main()
