"""Readers of what strangers may have written; each is fed any bytes, and may refuse with DseError.

    python tests/fuzz_targets.py TARGET [libFuzzer options]

fuzzes one with coverage as its guide (needs `pip install atheris`); what it finds goes into
`tests/corpus/TARGET`, where `test_fuzz.py` tries it again for ever.
"""

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from accel_dse.errors import DseError, LogError

CORPUS = Path(__file__).parent / "corpus"


def _file(content: bytes, name: str) -> Path:
    path = Path(tempfile.gettempdir(), f"accel_dse_fuzz_{name}")
    path.write_bytes(content)
    return path


def space(content: bytes) -> None:
    """A design space in YAML."""
    from accel_dse.files import load_space

    load_space(str(_file(content, "space.yaml")))


def study(content: bytes) -> None:
    """A study in YAML."""
    from accel_dse.files import load_study

    load_study(_file(content, "study.yaml"))


def expression(content: bytes) -> None:
    """A formula of a space file."""
    from accel_dse.expressions import Expression

    Expression(content.decode("utf-8", "replace"))


def answer(content: bytes) -> None:
    """What an external simulator says."""
    from accel_dse.simulators.protocol import Greeting, read_answer, read_object

    text = content.decode("utf-8", "replace")
    for read in (Greeting.read, lambda text: read_answer(read_object(text), ("latency_ms",))):
        try:
            read(text)
        except DseError:
            continue


def log(content: bytes) -> None:
    """A trial log, as it is and repaired: what comes out was written, or is refused."""
    from accel_dse.log_care import recovered
    from accel_dse.log_carving import carved_rows
    from accel_dse.trial_log import TrialLog

    path = _file(content, "log.db")
    list(carved_rows(path))
    for read in (lambda: recovered(str(path)), TrialLog(path).read, TrialLog(path).study):
        try:
            read()
        except LogError:
            continue


def cache(content: bytes) -> None:
    """A file of results."""
    from accel_dse.simulators.cached import ResultCache

    results = ResultCache(_file(content, "cache.db"))
    try:
        results.find(["key"])
    finally:
        results.close()


def recipe(content: bytes) -> None:
    """How a log says that its study is made."""
    from accel_dse.cli.running import read_recipe

    read_recipe(content.decode("utf-8", "replace"), "log.db")


def onnx(content: bytes) -> None:
    """A network."""
    from accel_dse.workloads.onnx import load

    load(_file(content, "network.onnx"))


def scalesim(content: bytes) -> None:
    """A topology of SCALE-Sim."""
    from accel_dse.workloads.scalesim import load

    load(_file(content, "topology.csv"))


def timeloop(content: bytes) -> None:
    """A problem of Timeloop."""
    from accel_dse.workloads.timeloop import load

    load(_file(content, "problem.yaml"))


def parquet(content: bytes) -> None:
    """A dataset."""
    from accel_dse.datasets.parquet import read

    read(_file(content, "dataset.parquet"))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        *(space, study, expression, answer, log, cache, recipe, onnx, scalesim, timeloop, parquet),
    )
}


def tried(name: str, content: bytes) -> None:
    """Feeds a target; raises only what no reader may."""
    with suppress(DseError):
        TARGETS[name](content)


def main() -> None:
    import atheris

    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["accel_dse"]):
        tried(name, b"")  # which imports what it needs
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    prefix = f"-artifact_prefix={CORPUS / name}/"
    atheris.Setup([sys.argv[0], prefix, *options], lambda content: tried(name, bytes(content)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
