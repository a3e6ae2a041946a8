"""Fitted models on disk: a folder that describes itself, and runs no code when it is loaded.

model.json            what it predicts and how; SHA-256 of the other files
space.json            the design space
weights.safetensors   of the networks
log.parquet           what it was made from
accuracy.json         how good it is, on designs that were held out
README.md             the same for people
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from accel_dse.datasets import parquet
from accel_dse.datasets.whole_files import written_at_once
from accel_dse.errors import DseError, FileError
from accel_dse.surrogates.base import Fitted
from accel_dse.surrogates.field_network import FieldNetwork, NetworkShape
from accel_dse.surrogates.field_predictor import FieldPredictor, predictor_of
from accel_dse.surrogates.model_card import card
from accel_dse.surrogates.training import TorchMembers

SCHEMA_VERSION = 2
"""Of the folder."""

MOST_MEMBERS = 64
"""Networks of an ensemble."""


def write(fitted: Fitted, folder: Path) -> None:
    """Writes a fitted model, all or nothing.

    Raises:
        FileError: there is something at `folder` already, or it cannot be written.
    """
    predictor, members = torch_parts(fitted)
    with written_at_once(folder) as draft:
        draft.mkdir()
        contents = {
            "space.json": _json(parquet.space_content(predictor.space)),
            "weights.safetensors": save_tensors(_tensors(members)),
            "accuracy.json": _json(fitted.accuracy),
        }
        for name, content in contents.items():
            (draft / name).write_bytes(content)
        parquet.write(fitted.log, draft / "log.parquet")
        names = [*contents, "log.parquet"]
        model = {
            "schema_version": SCHEMA_VERSION,
            "surrogate": fitted.surrogate,
            "package_version": version("accel-dse"),
            "options": dict(fitted.options),
            "predictor": predictor.content(),
            "network": asdict(members.networks[0].shape),
            "members": len(members.networks),
            "sha256": {name: sha256((draft / name).read_bytes()).hexdigest() for name in names},
        }
        (draft / "model.json").write_bytes(_json(model))
        (draft / "README.md").write_text(card(fitted), encoding="utf-8")


def read(folder: Path) -> Fitted:
    """Reads a folder that `write` made.

    Raises:
        FileError: it is not one, or a file in it is missing, cut short or altered; names the
            file and, in it, the entry.
    """
    place = folder / "model.json"
    model = _read_json(place)
    with blaming(place):
        if model["schema_version"] != SCHEMA_VERSION:
            raise FileError(
                f"schema_version: {model['schema_version']!r} is not known",
                hint=f"this version reads {SCHEMA_VERSION}; accel-dse fit makes the model anew",
            )
        contents = {
            name: _checked(folder / name, model["sha256"][name])
            for name in ("space.json", "weights.safetensors", "accuracy.json", "log.parquet")
        }
    with blaming(folder / "space.json"):
        space = parquet.space_of(json.loads(contents["space.json"]), "content")
    with blaming(folder / "accuracy.json"):
        accuracy = json.loads(contents["accuracy.json"])
    with blaming(folder / "weights.safetensors"):
        tensors = load_tensors(contents["weights.safetensors"])
    with blaming(place):
        shape = _shape(model["network"])
        if shape.fields != space.fields:
            raise FileError(f"network: fields: {shape.fields} are not those of the space")
        members = TorchMembers(_networks(shape, model["members"], tensors))
        predictor = predictor_of(model["predictor"], space, members)
        if shape.outputs != len(predictor.targets) + 1:
            raise FileError(f"network: outputs: {shape.outputs} do not fit the targets")
        for name, context in predictor.contexts.items():
            if len(context) != shape.context:
                raise FileError(f"predictor: contexts: {name}: expected {shape.context} numbers")
        return Fitted(
            predictor=predictor,
            log=parquet.read(folder / "log.parquet"),
            surrogate=str(model["surrogate"]),
            options=dict(model["options"]),
            accuracy=accuracy,
        )


def fingerprint(folder: Path) -> str:
    """What tells two models apart, as 64 hexadecimal digits (SHA-256)."""
    return sha256(_content(folder / "model.json")).hexdigest()


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Turns any complaint about what `path` holds into one that names it."""
    try:
        yield
    except KeyError as error:
        raise FileError(f"{path}: {error.args[0]}: missing") from error
    except DseError as error:
        text = str(error)
        message = text if text.startswith(str(path.parent)) else f"{path}: {text}"
        raise FileError(message, hint=error.hint) from error
    except (TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise FileError(f"{path}: {' '.join(str(error).split())[:200]}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file", hint="accel-dse fit makes one") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror}") from error


def _read_json(path: Path) -> dict[str, Any]:
    content = _content(path)
    with blaming(path):
        model = json.loads(content)
        if not isinstance(model, dict):
            raise FileError("expected a mapping")
        return model


def _checked(path: Path, digest: str) -> bytes:
    content = _content(path)
    if sha256(content).hexdigest() != digest:
        raise FileError(
            f"{path}: was altered or cut short after it was written (SHA-256)",
            hint="get the folder again from where it comes from",
        )
    return content


def _shape(content: Mapping[str, Any]) -> NetworkShape:
    entries: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in content.items()
    }
    return NetworkShape(**entries)


def _networks(
    shape: NetworkShape, count: int, tensors: Mapping[str, torch.Tensor]
) -> tuple[FieldNetwork, ...]:
    if not isinstance(count, int) or not 1 <= count <= MOST_MEMBERS:
        raise FileError(f"members: expected 1 to {MOST_MEMBERS}, got {count!r}")
    networks = []
    for i in range(count):
        with torch.device("meta"):  # takes no memory, whatever the shape claims
            network = FieldNetwork(shape)
        prefix = f"{i}."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        network.load_state_dict(own, assign=True)
        for name, tensor in own.items():
            if tensor.dtype != torch.float32 or not torch.isfinite(tensor).all():
                raise FileError(f"weights: {prefix}{name}: expected finite 32-bit numbers")
        networks.append(network.requires_grad_(False).eval())
    return tuple(networks)


def _tensors(members: TorchMembers) -> dict[str, torch.Tensor]:
    return {
        f"{i}.{name}": tensor.contiguous()
        for i, network in enumerate(members.networks)
        for name, tensor in network.state_dict().items()
    }


def torch_parts(fitted: Fitted) -> tuple[FieldPredictor, TorchMembers]:
    """The predictor, and its networks.

    Raises:
        FileError: it is of another kind, which cannot be written.
    """
    predictor = fitted.predictor
    if not isinstance(predictor, FieldPredictor) or not isinstance(predictor.members, TorchMembers):
        raise FileError(f"a model of the kind {fitted.surrogate!r} cannot be written")
    return predictor, predictor.members


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False).encode()
