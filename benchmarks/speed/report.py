"""How long a report of many trials takes, and how large its page is.

    python benchmarks/speed/report.py            # 100,000 trials
    python benchmarks/speed/report.py --trials 10000 --seeds 1

The trials are made up: random designs of the space `edge` with plausible metrics, a third of them
infeasible, so that writing the log takes seconds; the rest is what `accel-dse report` does.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from accel_dse.files import load_space
from accel_dse.log_rows import StudyDescription
from accel_dse.report.comparison_designs import Lab
from accel_dse.report.content import content
from accel_dse.report.digest import digest
from accel_dse.report.html import page
from accel_dse.report.runs import read_runs
from accel_dse.trial import Outcome, Trial
from accel_dse.trial_log import TrialLog


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="write log and page into this folder, too")
    parser.add_argument("--quick", action="store_true", help="1,000 trials, once")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.trials, arguments.seeds = 1_000, 1
    read, made, size, news = [], [], [], []
    for seed in range(arguments.seeds):
        with tempfile.TemporaryDirectory() as scratch:
            folder = arguments.keep or Path(scratch)
            log = folder / f"made_up_{seed}.sqlite"
            write(log, arguments.trials, seed)
            start = time.process_time()
            runs = read_runs([str(log)])
            read.append(time.process_time() - start)
            start = time.process_time()
            text = page(content(runs, Lab(reason="these trials are made up")))
            made.append(time.process_time() - start)
            size.append(len(text.encode()) / 1e6)
            start = time.process_time()
            digest(runs)
            news.append(time.process_time() - start)
            if arguments.keep:
                (folder / f"made_up_{seed}.html").write_text(text, encoding="utf-8")
    print(f"{arguments.trials:,} trials, {arguments.seeds} seeds, CPU seconds")
    for name, values, unit in (
        ("read the log", read, "s"),
        ("make the page", made, "s"),
        ("page", size, "MB"),
        ("tables again, as `watch` does", news, "s"),
    ):
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(f"{name:30} median {statistics.median(values):6.2f} {unit}  ({spread})")


def write(path: Path, n: int, seed: int) -> None:
    """Writes a log of `n` made-up trials."""
    space = load_space("edge").space
    rng = np.random.default_rng(seed)
    designs = space.sample(n, rng)
    metrics = made_up(space.columns(designs), rng)
    broken = rng.random(n) < 1 / 3
    trials = [
        Trial(index=i, design=design, outcome=Outcome.INFEASIBLE, reason=reason(i))
        if broken[i]
        else Trial(
            index=i,
            design=design,
            outcome=Outcome.FEASIBLE,
            metrics={name: float(values[i]) for name, values in metrics.items()},
        )
        for i, design in enumerate(designs)
    ]
    log = TrialLog(path)
    log.create_or_check(description(space, seed))
    log.append(trials)
    log.close()


def made_up(designs, rng) -> dict[str, np.ndarray]:
    """Eight metrics that depend on the designs, with noise."""
    macs = designs["pes_x"] * designs["pes_y"] * designs["cores"] * designs["lanes"] * 4.0
    noise = np.exp(rng.normal(0, 0.1, len(macs)))
    cycles = np.round((3e8 / macs + 4e6 / designs["io_gb_per_s"]) * noise)
    area = 5 + macs * 4e-4 + designs["pe_memory_kib"] * designs["pes_x"] * designs["pes_y"] * 4e-4
    energy = 0.8 * noise + area * cycles * 1e-9
    return {
        "latency_ms": cycles / 8e5,
        "latency_cycles": cycles,
        "energy_mj": energy,
        "edp": energy * cycles / 8e5,
        "area_mm2": area,
        "power_w": energy / cycles * 8e5,
        "dram_bytes": 4.4e6 * noise,
        "utilization": 3e8 / macs / cycles,
    }


def reason(i: int) -> str:
    """One of two kinds of reasons."""
    if i % 3:
        return f"conv{i % 50}: smallest tile needs {i * 7 + 4096:,} bytes of core_registers"
    return f"fc: needs {i:,} tile transfers, instruction memory holds 8192"


def description(space, seed: int) -> StudyDescription:
    """A study of the space that the trials could be of."""
    return StudyDescription(
        problem={
            "space": {"name": space.name, "sha256": space.fingerprint(), **space.content()},
            "workloads": [{"name": "made_up", "weight": 1.0, "sha256": ""}],
            "aggregate": "mean",
            "objectives": ["minimize latency_ms"],
            "limits": ["area_mm2<=27"],
        },
        optimizer="random",
        optimizer_options={},
        seed=seed,
        simulator="made_up",
        simulator_version="1",
        simulator_options={},
    )


if __name__ == "__main__":
    main()
