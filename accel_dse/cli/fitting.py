"""What `accel-dse fit` does."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from accel_dse import plugins
from accel_dse.cli import flags
from accel_dse.dataset import Dataset
from accel_dse.datasets.logs import read_logs
from accel_dse.datasets.whole_files import refuse_existing
from accel_dse.errors import OptionError
from accel_dse.problem import Goal, Limit, Objective
from accel_dse.surrogates import model_folder
from accel_dse.surrogates.base import Surrogate
from accel_dse.surrogates.model_card import card
from accel_dse.workloads.load import load
from accel_dse.workloads.zoo import NETWORKS


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of `fit`; see its help."""

    logs: tuple[str, ...]
    surrogate: str
    options: Mapping[str, str]
    minimize: tuple[str, ...]
    maximize: tuple[str, ...]
    limits: tuple[str, ...]
    workloads: tuple[str, ...]
    shapes: Mapping[str, int]
    seed: int
    out: Path


def fit(request: Request, *, as_json: bool) -> None:
    """Learns, writes the model, and says how good it is."""
    refuse_existing(request.out)
    surrogate = build_surrogate(request.surrogate, request.options, request.seed)
    dataset = _dataset(request)
    if not request.minimize and not request.maximize:
        raise OptionError(
            "no objective is named",
            hint=f"--minimize METRIC, of {', '.join(dataset.metrics)}",
        )
    goal = Goal(
        (
            *(Objective(metric, "minimize") for metric in request.minimize),
            *(Objective(metric, "maximize") for metric in request.maximize),
        ),
        tuple(map(Limit.parse, request.limits)),
    )
    fitted = surrogate.fit(dataset, goal)
    model_folder.write(fitted, request.out)
    if as_json:
        print(json.dumps({"model": str(request.out), "accuracy": fitted.accuracy}, indent=2))
        return
    page = card(fitted).split("## Where it holds")[0]
    Console().print(Markdown(page))
    print(f"-> {request.out}")


def build_surrogate(name: str, options: Mapping[str, str], seed: int) -> Surrogate:
    """The surrogate called `name`, which tells on standard error how it goes.

    Raises:
        OptionError: there is none, or an option does not fit.
    """
    cls = plugins.load("surrogates", name)
    values = plugins.read_options(name, cls, options)
    surrogate: Surrogate = cls(**{**values, "seed": seed, "report": _say})
    return surrogate


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _dataset(request: Request) -> Dataset:
    """The rows to learn from."""
    names = [flags.weighted(text)[0] for text in request.workloads]
    given = [load(name, shapes=request.shapes) for name in names if name not in NETWORKS]
    dataset = read_logs(request.logs, {workload.name: workload for workload in given})
    if not names:
        return dataset
    wanted = [name for name in names if name in NETWORKS] + [workload.name for workload in given]
    return dataset.of(*wanted)
