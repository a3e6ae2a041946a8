"""What `accel-dse collect` does."""

import json
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from accel_dse.cli.building import build_simulator, not_counted
from accel_dse.collection import Collection, checksum
from accel_dse.dataset import Dataset
from accel_dse.errors import FileError
from accel_dse.files import load_space
from accel_dse.workloads.load import load


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of `collect`; see its help."""

    space: str
    workloads: tuple[str, ...]
    n: int
    seed: int
    simulator: str
    simulator_options: Mapping[str, str]
    shapes: Mapping[str, int]
    out: Path


def collect(request: Request, *, as_json: bool) -> None:
    """Simulates with a bar, and says what is in the file."""
    require_parquet(request.out)
    file = load_space(request.space)
    networks = [load(name, shapes=request.shapes) for name in request.workloads]
    for remark in filter(None, map(not_counted, networks)):
        print(remark, file=sys.stderr)
    with (
        closing(build_simulator(request.simulator, request.simulator_options, file)) as simulator,
        tqdm(total=request.n * len(networks), unit="design", disable=None) as bar,
    ):
        dataset = Collection(
            space=file.space,
            workloads=networks,
            simulator=simulator,
            n=request.n,
            seed=request.seed,
        ).run(request.out, bar.update)
    show(dataset, request.out, as_json=as_json)


def require_parquet(path: Path) -> None:
    """Raises FileError unless `path` is named like a Parquet file."""
    if path.suffix != ".parquet":
        raise FileError(f"{path}: the name must end in .parquet")


def show(dataset: Dataset, out: Path, *, as_json: bool) -> None:
    """Says what is in a dataset that was written to `out`."""
    rows: list[dict[str, Any]] = [
        {"application": name, "rows": len(part), "feasible": int(part.feasible.sum())}
        for name in dataset.applications
        for part in [dataset.of(name)]
    ]
    if as_json:
        print(json.dumps({"file": str(out), "sha256": checksum(dataset), "applications": rows}))
        return
    for row in rows:
        share = row["feasible"] / max(row["rows"], 1)
        print(f"{row['application']}: {row['rows']:,} designs, {share:.1%} of them work")
    print(f"-> {out} (SHA-256 of the rows: {checksum(dataset)[:16]}...)")
