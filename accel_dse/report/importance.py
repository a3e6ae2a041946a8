"""Which parameters matter, alone and in pairs, as far as a random forest can tell from the trials.

The forest is judged on trials that it did not see, and the page shows how well it did: where it
predicts badly its importances mean little. A search looks most at good designs, so the importances
are those of the region that it visited, not of the whole space.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.problem import Goal
from accel_dse.report.summary import column
from accel_dse.trial import Outcome, Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST = 30
"""Trials below which a forest is not asked; of each answer where that is yes or no, a third."""

MOST = 4_000
"""Trials that a forest learns from and is judged on; of more, as many at random."""

TREES, LEAF, REPEATS = 80, 2, 5

PAIRED = 5
"""Parameters, the most important ones, whose pairwise effects are computed."""

LEVELS, BACKGROUND = 8, 64
"""Values of a parameter, and designs over which the others are averaged, for an effect."""

WORKS = "whether a design works"


@dataclass(frozen=True)
class Fields:
    """`n` designs as numbers.

    Attributes:
        matrix: one row for each design, `(n, width)`.
        parts: parameter -> its columns of `matrix`.
        shown: parameter -> the value that each design has, to print.
    """

    matrix: Floats
    parts: Mapping[str, list[int]]
    shown: Mapping[str, Sequence[Any]]

    def levels(self, name: str, rows: Ints) -> tuple[list[Any], Floats]:
        """Some values that a parameter has in `rows`, in order, and its columns for each."""
        first: dict[Any, int] = {}
        for i in rows.tolist():
            first.setdefault(self.shown[name][i], i)
        values = sorted(first, key=_order)
        if len(values) > LEVELS:
            values = [values[i] for i in np.linspace(0, len(values) - 1, LEVELS).astype(int)]
        return values, self.matrix[np.ix_([first[v] for v in values], self.parts[name])]


def importance(trials: Iterable[Trial], goal: Goal, seed: int = 0) -> list[dict[str, Any]]:
    """What matters for each objective, each limited metric, and for whether a design works.

    Returns:
        For each target, `target`, and either a `reason` why there is nothing to say, or `kind` and
        `score` on trials held out, `main` (parameter, how much of the score is lost when it is
        shuffled, standard deviation), `effects` and `pairs`; with `log`, of the target's logarithm.
    """
    known = [t for t in trials if t.outcome in (Outcome.FEASIBLE, Outcome.INFEASIBLE)]
    if len(known) > MOST:
        keep = np.random.default_rng(seed).choice(len(known), MOST, replace=False)
        known = [known[i] for i in np.sort(keep)]
    feasible = [trial for trial in known if trial.feasible]
    metrics = [o.metric for o in goal.objectives] + [limit.metric for limit in goal.limits]
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys(metrics):
        values = column(feasible, name)
        if len(feasible) < FEWEST or np.ptp(values) == 0:
            few = len(feasible) < FEWEST
            why = f"only {len(feasible)} designs work" if few else "all designs have the same"
            found.append({"target": name, "reason": why})
            continue
        log = bool(values.min() > 0)
        forest = _Forest(feasible, np.log(values) if log else values, seed, classify=False)
        found.append({"target": name, "log": log, **forest.told()})
    works = np.array([trial.feasible for trial in known], np.float64)
    if 3 * min(works.sum(), len(works) - works.sum()) >= FEWEST:
        found.append({"target": WORKS, **_Forest(known, works, seed, classify=True).told()})
    return found


def fields(trials: Sequence[Trial]) -> Fields:
    """Designs as numbers: a tuple has a column for each place, words have one for each word."""
    columns: list[Floats] = []
    parts: dict[str, list[int]] = {}
    shown: dict[str, Sequence[Any]] = {}
    for name, value in trials[0].design.items():
        values = [trial.design[name] for trial in trials]
        places = list(zip(*values)) if isinstance(value, tuple) else [values]
        made = [numbers for place in places for numbers in _numbers(place)]
        parts[name] = list(range(len(columns), len(columns) + len(made)))
        columns += made
        shown[name] = values
    return Fields(np.column_stack(columns), parts, shown)


def _numbers(values: Sequence[Any]) -> list[Floats]:
    if all(isinstance(value, int | float) for value in values):
        return [np.array(values, np.float64)]
    words = dict.fromkeys(map(str, values))
    return [np.array([str(value) == word for value in values], np.float64) for word in words]


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size, before anything else by its text."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else str(value)


class _Forest:
    """A random forest of one target, fitted to three quarters of the trials, judged on the rest."""

    def __init__(
        self, trials: Sequence[Trial], target: Floats, seed: int, *, classify: bool
    ) -> None:
        from sklearn import ensemble, metrics

        self.data = fields(trials)
        self.rng = np.random.default_rng(seed)
        self.classify = classify
        self.target = target
        order = self.rng.permutation(len(target))
        self.train, self.test = order[len(order) // 4 :], order[: len(order) // 4]
        settings = {"n_estimators": TREES, "min_samples_leaf": LEAF, "random_state": seed}
        if classify:
            self.model = ensemble.RandomForestClassifier(class_weight="balanced", **settings)
            self.score = metrics.balanced_accuracy_score
        else:
            self.model = ensemble.RandomForestRegressor(max_features=0.5, **settings)
            self.score = metrics.r2_score
        self.model.fit(self.data.matrix[self.train], target[self.train])

    def told(self) -> dict[str, Any]:
        """What it says; see `importance`."""
        truth = self.target[self.test]
        if len(set(truth.tolist())) < 2:
            return {"reason": "too few trials to judge it"}
        main = self._permuted()
        names = [name for name, lost, _ in main[:PAIRED] if lost > 0]
        return {
            "kind": "balanced accuracy" if self.classify else "R2",
            "trials": len(self.target),
            "score": self._scored(self.data.matrix[self.test]),
            "main": main,
            **self._effects(names),
        }

    def _scored(self, rows: Floats) -> float:
        return float(self.score(self.target[self.test], self.model.predict(rows)))

    def _permuted(self) -> list[tuple[str, float, float]]:
        """How much of the score is lost when a parameter is shuffled among the held-out trials.

        Source: Breiman, "Random Forests", Machine Learning 45, 2001.
        """
        held = self.data.matrix[self.test]
        base = self._scored(held)
        found = []
        for name, part in self.data.parts.items():
            lost = []
            for _ in range(REPEATS):
                shuffled = held.copy()
                shuffled[:, part] = held[self.rng.permutation(len(held))][:, part]
                lost.append(base - self._scored(shuffled))
            found.append((name, float(np.mean(lost)), float(np.std(lost))))
        return sorted(found, key=lambda row: -row[1])

    def _effects(self, names: Sequence[str]) -> dict[str, Any]:
        """Mean predictions where one parameter, or two, have certain values.

        The share of a pair is the variance of its joint effect without the effects of the two
        alone, over the variance of all predictions.

        Source: the functional ANOVA of Hutter, Hoos and Leyton-Brown, ICML 2014, with averages
        over designs of the log instead of over the whole space.
        """
        total = float(np.var(self._predicted(self.data.matrix[self.train]))) or 1.0
        levels = {name: self.data.levels(name, self.train) for name in names}
        effects = [
            {"name": name, "values": levels[name][0], "mean": self._mean(levels, name).tolist()}
            for name in names
        ]
        pairs: list[dict[str, Any]] = []
        for a, b in combinations(names, 2):
            shape = len(levels[a][0]), len(levels[b][0])
            joint = self._mean(levels, a, b).reshape(shape)
            rest = joint - joint.mean(axis=1, keepdims=True) - joint.mean(axis=0) + joint.mean()
            pairs.append(
                {
                    "a": a,
                    "b": b,
                    "share": float(np.var(rest)) / total,
                    "a_values": levels[a][0],
                    "b_values": levels[b][0],
                    "mean": joint.tolist(),
                }
            )
        pairs.sort(key=lambda pair: pair["share"], reverse=True)
        return {"effects": effects, "pairs": pairs}

    def _predicted(self, rows: Floats) -> Floats:
        if self.classify:
            return np.asarray(self.model.predict_proba(rows)[:, 1])
        return np.asarray(self.model.predict(rows))

    def _mean(self, levels: Mapping[str, tuple[list[Any], Floats]], *names: str) -> Floats:
        """The mean over designs of the log for each combination of levels, row-major."""
        rng = np.random.default_rng(0)
        rows = rng.choice(self.train, min(BACKGROUND, len(self.train)), replace=False)
        counts = [np.arange(len(levels[name][0])) for name in names]
        combos = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, len(names))
        asked = np.repeat(self.data.matrix[rows][None], len(combos), axis=0)
        for place, name in enumerate(names):
            asked[:, :, self.data.parts[name]] = levels[name][1][combos[:, place]][:, None]
        means = self._predicted(asked.reshape(-1, asked.shape[2])).reshape(len(combos), -1)
        return np.asarray(means.mean(axis=1))
