"""An application as numbers: what a model needs to know of a network to tell it from others."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from accel_dse.workload import TENSORS, Layer, Workload

Floats = NDArray[np.float64]


def _total(measure: Callable[[Layer], float]) -> Callable[[Workload], float]:
    return lambda w: math.log2(1.0 + sum(layer.count * measure(layer) for layer in w.layers))


def _largest(measure: Callable[[Layer], float]) -> Callable[[Workload], float]:
    return lambda w: math.log2(1.0 + max(measure(layer) for layer in w.layers))


def _typical(measure: Callable[[Layer], float]) -> Callable[[Workload], float]:
    """The geometric mean over multiply-accumulates."""
    return lambda w: (
        sum(layer.count * layer.macs * math.log2(1.0 + measure(layer)) for layer in w.layers)
        / w.macs
    )


def _share(*kinds: str) -> Callable[[Workload], float]:
    return lambda w: (
        sum(layer.count * layer.macs for layer in w.layers if layer.kind in kinds) / w.macs
    )


def _number(*kinds: str) -> Callable[[Workload], float]:
    return _total(lambda layer: float(layer.kind in kinds))


def _words(layer: Layer) -> int:
    return sum(layer.words(tensor) for tensor in TENSORS)


def words_moved(workload: Workload) -> float:
    """Words that a network moves at the least, if no layer leaves any on the chip."""
    return float(sum(layer.count * _words(layer) for layer in workload.layers))


FEATURES: Mapping[str, Callable[[Workload], float]] = {
    "log_convolutions": _number("conv", "grouped"),
    "log_depthwise": _number("depthwise"),
    "log_matrix_multiplies": _number("gemm", "attention"),
    "log_macs": _total(lambda layer: layer.macs),
    "log_weights": _total(lambda layer: layer.words("weights") * layer.weights_stored),
    "log_activations": _total(lambda layer: layer.words("inputs") + layer.words("outputs")),
    "log_macs_per_word": _typical(lambda layer: layer.macs / _words(layer)),
    "log_output_channels": _typical(lambda layer: layer.K),
    "log_input_channels": _typical(lambda layer: layer.C),
    "log_groups": _typical(lambda layer: layer.G),
    "log_output_pixels": _typical(lambda layer: layer.P * layer.Q),
    "log_filter_taps": _typical(lambda layer: layer.R * layer.S),
    "share_depthwise": _share("depthwise"),
    "share_matrix_multiplies": _share("gemm", "attention"),
    "log_largest_weights": _largest(lambda layer: layer.words("weights")),
    "log_largest_activations": _largest(lambda la: la.words("inputs") + la.words("outputs")),
}
"""Name -> what it says of a network. Logarithms are of base 2, of one plus the number.

Source: PRIME (Kumar et al., ICLR 2022), table 5, describes an application by its numbers of
convolutions, depthwise convolutions and feed-forward layers, its parameters and its compute
operations; here with the shapes of the layers, weighted by their work."""


def context_of(workload: Workload) -> Floats:
    """The features of one network, shape `(len(FEATURES),)`."""
    return np.array([measure(workload) for measure in FEATURES.values()], dtype=np.float64)


@dataclass(frozen=True)
class ContextScale:
    """Brings features to a mean of 0 and a standard deviation of 1 over the networks of a log.

    Attributes:
        mean: shape `(features,)`.
        deviation: shape `(features,)`; 1 where all networks agree.
    """

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, workloads: Sequence[Workload]) -> "ContextScale":
        """The scale of some networks."""
        table = np.array([context_of(workload) for workload in workloads])
        deviation = table.std(axis=0)
        return cls(table.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0))

    def __call__(self, workload: Workload) -> Floats:
        """The scaled features of one network, at most 3 deviations from the others' mean.

        A network unlike all of the log would otherwise be answered by wild extrapolation.
        """
        return np.clip((context_of(workload) - self.mean) / self.deviation, -3.0, 3.0)
