"""What `accel-dse convert` does."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accel_dse.cli.collecting import require_parquet, show
from accel_dse.dataset import Dataset
from accel_dse.datasets import delimited, dosa, parquet, prime
from accel_dse.datasets.complaints import Complaints
from accel_dse.datasets.whole_files import refuse_existing
from accel_dse.errors import OptionError
from accel_dse.files import load_space
from accel_dse.workload import Workload
from accel_dse.workloads.zoo import NETWORKS


@dataclass(frozen=True, kw_only=True)
class Request:
    """The command line of `convert`; see its help."""

    file: Path
    form: str
    space: str | None
    application: str | None
    application_column: str | None
    infeasible_column: str | None
    columns: Mapping[str, str]
    metrics: Mapping[str, str]
    out: Path


def convert(request: Request, *, as_json: bool) -> None:
    """Reads, writes, and says what could not be used."""
    require_parquet(request.out)
    refuse_existing(request.out)
    if request.form not in READERS:
        raise OptionError(f"--from: got {request.form!r}", hint=f"known: {', '.join(READERS)}")
    dataset, complaints = READERS[request.form](request)
    parquet.write(dataset, request.out)
    if complaints.count:
        total = len(dataset) + complaints.count
        print(
            f"warning: {complaints.count:,} of {total:,} records could not be used:",
            *complaints.examples,
            *(["..."] if complaints.count > len(complaints.examples) else []),
            sep="\n  ",
            file=sys.stderr,
        )
    if as_json:
        content = {"corrupt_records": complaints.count, "examples": complaints.examples}
        print(json.dumps({"file": str(request.out), "rows": len(dataset), **content}))
        return
    show(dataset, request.out, as_json=False)


def _prime(request: Request) -> tuple[Dataset, Complaints]:
    name = request.application or request.file.parent.name or request.file.stem
    space = load_space(request.space or "edge").space
    return prime.read(request.file, space, name, _known([name]))


def _dosa(request: Request) -> tuple[Dataset, Complaints]:
    return dosa.read(request.file)


def _csv(request: Request) -> tuple[Dataset, Complaints]:
    if request.space is None:
        raise OptionError("--from csv needs --space", hint="the space file of the designs")
    return delimited.read(
        request.file,
        load_space(request.space).space,
        metrics=request.metrics,
        columns=request.columns,
        application=request.application or request.file.stem,
        application_column=request.application_column,
        infeasible_column=request.infeasible_column,
        workloads=_known(list(NETWORKS) if request.application_column else []),
    )


def _known(names: list[str]) -> dict[str, Workload]:
    return {name: NETWORKS[name]() for name in names if name in NETWORKS}


READERS = {"prime": _prime, "dosa": _dosa, "csv": _csv}
