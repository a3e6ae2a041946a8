"""Export of a fitted model, which is compared with the original before anyone can use it."""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from accel_dse.datasets import parquet
from accel_dse.datasets.whole_files import written_at_once
from accel_dse.errors import FileError
from accel_dse.surrogates import onnx_model
from accel_dse.surrogates.base import Fitted, Predictor
from accel_dse.surrogates.field_network import FieldNetwork
from accel_dse.surrogates.model_folder import torch_parts

OPSET = 20
"""Of the ONNX file: the first with everything here, which ONNX Runtime 1.17 and later know."""

COMPARED = 1_000
"""Random designs that both are asked about."""

TOLERANCE = 1e-4
"""Largest relative difference of an answer."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        designs: how many were compared, for each application.
        difference: the largest relative difference of any predicted metric.
    """

    path: Path
    designs: int
    difference: float


class _Ensemble(nn.Module):
    def __init__(self, networks: tuple[FieldNetwork, ...]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, one_hot: Tensor, context: Tensor) -> Tensor:
        return torch.stack([network(one_hot, context) for network in self.networks], dim=1)


def to_onnx(fitted: Fitted, path: Path) -> Exported:
    """Writes an ONNX file that answers as `fitted` does.

    Raises:
        FileError: the answers differ by more than `TOLERANCE`, or there is something at `path`
            already: nothing is written then. Or what writes ONNX is not installed.
    """
    predictor, members = torch_parts(fitted)
    about = {
        "schema_version": onnx_model.SCHEMA_VERSION,
        "package_version": version("accel-dse"),
        "surrogate": fitted.surrogate,
        "space": parquet.space_content(predictor.space),
        "predictor": predictor.content(),
        "accuracy": fitted.accuracy,
        "logged_designs": len(fitted.log),
    }
    context = members.networks[0].shape.context
    with written_at_once(path) as draft:
        _write(_Ensemble(members.networks), sum(predictor.space.fields), context, about, draft)
        copied = onnx_model.read(draft)
        difference = _difference(fitted, copied)
        if not difference <= TOLERANCE:
            raise FileError(
                f"{path}: not written: the exported model's answers differ by {difference:.2g}, "
                f"relatively, from the original's; at most {TOLERANCE:g} is allowed"
            )
    return Exported(path, COMPARED, difference)


def _write(
    ensemble: _Ensemble, fields: int, context: int, about: dict[str, Any], path: Path
) -> None:
    """Writes the graph, with `about` in its metadata."""
    try:
        import onnx
        import onnxscript  # noqa: F401  what torch.onnx writes with
    except ImportError as error:
        raise FileError(
            f"{path}: writing ONNX needs onnx and onnxscript",
            hint="pip install 'accel-dse[export]'",
        ) from error
    batch = torch.export.Dim("batch", min=1, max=65_536)
    names = ("one_hot", "context") if context else ("one_hot",)
    # an example of 4 designs: of 1, the exporter would take the batch for a constant
    inputs = (torch.zeros(4, fields), torch.zeros(4, context))[: len(names)]
    module = ensemble if context else _Alone(ensemble)
    with _quiet_exporter():
        program = torch.onnx.export(
            module.eval(),
            inputs,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(names),
            output_names=["standardized"],
            dynamic_shapes=tuple({0: batch} for _ in names),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise FileError(f"{path}: PyTorch gave no ONNX program")
    model = program.model_proto
    onnx.helper.set_model_props(model, {onnx_model.METADATA: json.dumps(about)})
    path.write_bytes(model.SerializeToString())


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Without PyTorch's warnings about its own code, and about torchvision, which is not needed."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


class _Alone(nn.Module):
    """An ensemble that knows one application, and so takes no context."""

    def __init__(self, ensemble: _Ensemble) -> None:
        super().__init__()
        self.ensemble = ensemble

    def forward(self, one_hot: Tensor) -> Tensor:
        answers: Tensor = self.ensemble(one_hot, one_hot[:, :0])
        return answers


def _difference(fitted: Fitted, copied: Predictor) -> float:
    """The largest relative difference of a metric, or absolute one of a likelihood."""
    designs = fitted.predictor.space.sample_columns(COMPARED, np.random.default_rng(0))
    largest = 0.0
    for application in fitted.predictor.applications:
        ours = fitted.predictor.predict(designs, application)
        theirs = copied.predict(designs, application)
        largest = max(largest, float(np.abs(theirs.works - ours.works).max()))
        for name, values in ours.metrics.items():
            apart = np.abs(theirs.metrics[name] - values) / np.maximum(np.abs(values), 1e-12)
            largest = max(largest, float(apart.max()))
    return largest
