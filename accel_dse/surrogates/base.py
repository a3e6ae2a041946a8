"""What every surrogate is: a recipe that makes a predictor of a dataset."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from accel_dse.dataset import Dataset
from accel_dse.designs import Columns
from accel_dse.problem import Goal
from accel_dse.space import DesignSpace
from accel_dse.workload import Workload

Floats = NDArray[np.float64]

Report = Callable[[str], None]
"""Takes a line about how a fit goes."""


@dataclass(frozen=True)
class Prediction:
    """What is thought of `n` designs.

    Attributes:
        metrics: name -> predicted value, `(n,)`, in the metric's unit, as if the design worked.
        spread: name -> standard deviation over the members of an ensemble, `(n,)`, in the same
            unit; 0 with a single member.
        works: how likely the design works at all, `(n,)`, from 0 to 1.
    """

    metrics: Mapping[str, Floats]
    spread: Mapping[str, Floats]
    works: Floats

    def __len__(self) -> int:
        return len(self.works)


class Predictor(Protocol):
    """A cheap stand-in for a simulator. Frozen, deterministic, whatever the batch."""

    @property
    def space(self) -> DesignSpace:
        """Where the designs are from."""

    @property
    def goal(self) -> Goal:
        """What it was made to make small, and the limits it knew of."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it predicts."""

    @property
    def applications(self) -> tuple[str, ...]:
        """The networks that it can predict for."""

    def predict(self, designs: Columns, application: str) -> Prediction:
        """What it thinks of `n` designs running `application`.

        Raises:
            OptionError: it does not know the application.
            DesignError: a design is outside of the space.
        """

    def with_application(self, workload: Workload) -> "Predictor":
        """The same predictor, which also knows a network that it was not made from.

        Raises:
            OptionError: it was not made to tell applications apart by their layers.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A predictor, and what there is to know of it.

    Attributes:
        predictor: predicts.
        log: what it was made from.
        surrogate: name of the recipe.
        options: of the recipe, as plain data.
        accuracy: figures on designs that were held out, as plain data.
    """

    predictor: Predictor
    log: Dataset
    surrogate: str
    options: Mapping[str, Any]
    accuracy: Mapping[str, Any]

    def ratios(self, metric: str) -> tuple[float, float]:
        """What may be measured over what is predicted: the 10 and 90 % quantiles, held out.

        Of the best designs that were held out, as far as the figures tell; of typical ones else;
        and 1, as if the model were right, where they tell nothing. Never favorable: at most 1,
        and at least 1.
        """
        for part in ("best", "typical"):
            figures = self.accuracy.get(part, {}).get("metrics", {}).get(metric, {})
            low, high = figures.get("low_ratio"), figures.get("high_ratio")
            if low is not None and high is not None:
                return min(low, 1.0), max(high, 1.0)
        return 1.0, 1.0


@dataclass(frozen=True, kw_only=True)
class Surrogate(ABC):
    """Makes predictors of datasets. A subclass adds options (keyword-only fields) and `fit`.

    Attributes:
        seed: fixes every random choice.
        report: takes a line now and then about how a fit goes; plays no part in the result.
    """

    seed: int = 0
    report: Report = field(default=lambda line: None, compare=False, repr=False)

    @abstractmethod
    def fit(self, dataset: Dataset, goal: Goal) -> Fitted:
        """A predictor of the metrics of `goal`, made from `dataset`.

        Args:
            dataset: what was simulated.
            goal: its objective is what designs will be searched by; the metrics of its limits
                are predicted, too, and the best designs within the limits are what the predictor
                is judged by.

        Raises:
            OptionError: there is nothing to learn from, or the goal or an option does not fit.
        """
