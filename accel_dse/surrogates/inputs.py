"""Designs as inputs of a surrogate: what encodes them, and the features their space names."""

import numpy as np
from numpy.typing import NDArray

from accel_dse.choices import Coded
from accel_dse.designs import Columns, length
from accel_dse.parameters import Permutation
from accel_dse.space import DesignSpace

Floats = NDArray[np.float64]

DRAWN = 512
"""Random designs that tell the range of each feature."""


class Inputs:
    """Turns designs into points near the unit cube: the space's encoding, then its features.

    Features are scaled by their range over random valid designs, always the same ones; a feature
    that does not vary there is left out, and so is a parameter with a single value.

    An order that features tell of counts by what they tell alone. Most swaps of two loops move no
    other word, and where each loop stands would make all those mappings look new.

    Attributes:
        space: where the designs come from.
        width: how many inputs there are.
        merges: whether orders were left out so, and different designs may have the same inputs.
    """

    def __init__(
        self, space: DesignSpace, *, features: bool = True, features_only: bool = False
    ) -> None:
        """Finds out the ranges.

        Args:
            space: where designs come from.
            features: whether the space's features are inputs.
            features_only: whether they are the only ones.
        """
        self.space = space
        self._ranges: dict[str, tuple[float, float]] = {}
        if features and space.features:
            drawn = space.sample_coded(DRAWN, np.random.default_rng(0))
            for name, values in space.coding.feature_values(drawn).items():
                low, high = float(values.min()), float(values.max())
                if high - low > 1e-9 * max(abs(low), abs(high)):
                    self._ranges[name] = (low, high - low)
        told = {name for feature in self._ranges for name in space.features[feature].names}
        left_out = {p.name for p in space.parameters if isinstance(p, Permutation)} & told
        self.merges = bool(left_out) and not features_only
        self._encoded: NDArray[np.bool_] = np.concatenate(
            [
                np.full(p.width, p.count > 1 and p.name not in left_out and not features_only)
                for p in space.parameters
            ]
        )
        self.width = max(int(self._encoded.sum()) + len(self._ranges), 1)

    @property
    def reads(self) -> list[frozenset[str]]:
        """The parameters that each input depends on, `width` sets."""
        parameters = [frozenset([p.name]) for p in self.space.parameters for _ in range(p.width)]
        encoded = [name for name, used in zip(parameters, self._encoded) if used]
        features = [frozenset(self.space.features[name].names) for name in self._ranges]
        return [*encoded, *features] or [frozenset()]

    def of(self, columns: Columns) -> Floats:
        """The inputs of `n` designs by column, `(n, width)`."""
        return self.of_coded(self.space.coding.coded(columns))

    def of_others(self, columns: Columns) -> Floats:
        """The inputs of `n` designs that may have other values where the space has just one.

        Such parameters are no inputs, but features may read them.
        """
        codes = [
            p.encode(columns[p.name]) if p.count > 1 else np.zeros((length(columns), p.width))
            for p in self.space.parameters
        ]
        parts = [self.of_codes(np.hstack(codes))]
        for name, (low, span) in self._ranges.items():
            values = self.space.features[name].evaluate(columns).astype(np.float64)
            parts.append(((values - low) / span)[:, None])
        found = np.hstack(parts)
        return found if found.shape[1] else np.zeros((len(found), 1))

    def of_coded(self, coded: Coded) -> Floats:
        """The inputs of `n` coded designs, `(n, width)`."""
        parts = [self.of_codes(self.space.coding.encoded(coded))]
        if self._ranges:
            values = self.space.coding.feature_values(coded)
            parts += [
                ((values[k] - low) / span)[:, None] for k, (low, span) in self._ranges.items()
            ]
        found = np.hstack(parts)
        return found if found.shape[1] else np.zeros((len(found), 1))

    def of_codes(self, codes: Floats) -> Floats:
        """The part of the inputs that stems from `n` encoded designs, whatever point they are."""
        return np.asarray(codes[:, self._encoded])
