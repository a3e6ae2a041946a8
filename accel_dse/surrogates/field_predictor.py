"""A trained field network as a predictor, whatever runs it: PyTorch or ONNX Runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from accel_dse import encoding
from accel_dse.dataset import check_values
from accel_dse.designs import Columns, length
from accel_dse.errors import DesignError, OptionError
from accel_dse.problem import Goal
from accel_dse.space import DesignSpace
from accel_dse.surrogates.base import Floats, Prediction
from accel_dse.surrogates.context import ContextScale
from accel_dse.surrogates.targets import Target
from accel_dse.workload import Workload

Singles = NDArray[np.float32]

CHUNK = 256
"""Designs that the network sees at a time, always so many: a matrix product of another size may
round differently, and a prediction would depend on its batch."""


class Members(Protocol):
    """The trained networks of an ensemble."""

    def __call__(self, one_hot: Singles, context: Singles) -> Singles:
        """Standardized predictions.

        Args:
            one_hot: `(n, sum(fields))`.
            context: `(n, context)`.

        Returns:
            Shape `(n, members, outputs)`: a number for each target, then the log odds that the
            design works.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldPredictor:
    """See `Predictor`.

    Attributes:
        space: where designs are from.
        goal: what it was made for.
        targets: what is predicted; the objective is the first.
        contexts: application -> its scaled features, `(c,)`; `c` is 0 if it knows but one.
        context_scale: makes the features of another application; None if it cannot.
        members: the networks.
        added: applications that were not in the log. What has one value on all networks, as an
            area, is told for them as for the most similar one that was.
    """

    space: DesignSpace
    goal: Goal
    targets: tuple[Target, ...]
    contexts: Mapping[str, Floats]
    context_scale: ContextScale | None
    members: Members
    added: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it predicts."""
        return tuple(target.metric for target in self.targets)

    @property
    def applications(self) -> tuple[str, ...]:
        """The networks that it can predict for."""
        return tuple(self.contexts)

    def with_application(self, workload: Workload) -> "FieldPredictor":
        """The same predictor, which also knows `workload`; see `Predictor`."""
        if workload.name in self.contexts:
            return self
        if self.context_scale is None:
            raise OptionError(
                f"workload {workload.name!r} is unknown to the model, which learned from "
                f"{', '.join(self.applications)} and does not look at layers",
                hint="fit it to the logs of several networks, with contextual=on",
            )
        return replace(
            self,
            targets=tuple(target.with_application(workload) for target in self.targets),
            contexts={**self.contexts, workload.name: self.context_scale(workload)},
            added=(*self.added, workload.name),
        )

    def predict(self, designs: Columns, application: str) -> Prediction:
        """What it thinks of `n` designs running `application`; see `Predictor`."""
        for parameter in self.space.parameters:
            if parameter.name not in designs:
                raise DesignError(f"{parameter.name}: missing", hint=parameter.summary())
            check_values(parameter, designs[parameter.name])
        raw = self.standardized(designs, application)
        shared = [i for i, target in enumerate(self.targets) if target.shared]
        if shared and application in self.added:
            alike = self.standardized(designs, self._like(application))
            raw[:, :, shared] = alike[:, :, shared]
        values = {
            target.metric: target.restored(raw[:, :, i], application)
            for i, target in enumerate(self.targets)
        }
        centers = {
            target.metric: target.restored(raw[:, :, i].mean(axis=1), application)
            for i, target in enumerate(self.targets)
        }
        odds = raw[:, :, len(self.targets)].mean(axis=1)
        return Prediction(
            centers,
            {name: value.std(axis=1) for name, value in values.items()},
            1.0 / (1.0 + np.exp(-np.clip(odds, -60.0, 60.0))),
        )

    def _like(self, application: str) -> str:
        """The application of the log that is most similar to another one."""
        own = self.contexts[application]
        known = [name for name in self.contexts if name not in self.added]
        return min(known, key=lambda name: float(np.linalg.norm(self.contexts[name] - own)))

    def standardized(self, designs: Columns, application: str) -> Floats:
        """What the networks say, shape `(n, members, targets + 1)`; see `Members`.

        Raises:
            OptionError: the application is unknown.
        """
        if application not in self.contexts:
            raise OptionError(
                f"workload {application!r} is unknown to the model",
                hint=f"known: {', '.join(self.applications)}",
            )
        n = length(designs)
        hot = np.zeros((-(-max(n, 1) // CHUNK) * CHUNK, sum(self.space.fields)), np.float32)
        if n:
            hot[:n] = encoding.one_hot(self.space.parameters, designs)
        context = np.tile(self.contexts[application].astype(np.float32), (CHUNK, 1))
        parts = [self.members(hot[k : k + CHUNK], context) for k in range(0, len(hot), CHUNK)]
        return np.concatenate(parts)[:n].astype(np.float64)

    def content(self) -> dict[str, Any]:
        """All but the networks and the space, as plain data."""
        scale = self.context_scale
        return {
            **self.goal.content(),
            "targets": [target.content() for target in self.targets],
            "contexts": {name: values.tolist() for name, values in self.contexts.items()},
            "context_scale": None
            if scale is None
            else {"mean": scale.mean.tolist(), "deviation": scale.deviation.tolist()},
            "added": list(self.added),
        }


def predictor_of(
    content: Mapping[str, Any], space: DesignSpace, members: Members
) -> FieldPredictor:
    """The predictor that `FieldPredictor.content` described.

    Raises:
        KeyError, TypeError, ValueError, DseError: it is no such description.
    """
    scale = content["context_scale"]
    context_scale = None
    if scale is not None:
        context_scale = ContextScale(_numbers(scale["mean"]), _numbers(scale["deviation"]))
    contexts = {name: _numbers(values) for name, values in content["contexts"].items()}
    added = tuple(content.get("added", ()))  # older descriptions are of models without any
    if not set(added) < set(contexts):
        raise ValueError(f"added: expected some of {', '.join(contexts)}, got {added}")
    return FieldPredictor(
        space=space,
        goal=Goal.parse(content["objectives"], content["limits"]),
        targets=tuple(Target(**target) for target in content["targets"]),
        contexts=contexts,
        context_scale=context_scale,
        members=members,
        added=added,
    )


def _numbers(values: Any) -> Floats:
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers
