"""Makes the logs of this folder again: nine networks, 20,000 random designs of `edge` each.

    python logged_data/collect.py [--out FOLDER] [-n N]

It is `accel-dse collect edge --workload W -n 20000 --seed 0 --out FOLDER/edge_W.parquet` for each
network W, and `contents.json`, which says how many rows work and what the rows' SHA-256 is. About
half an hour of CPU time; stopped, it goes on where it was. Files that are there stay as they are.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from accel_dse.cli import main as accel_dse
from accel_dse.collection import checksum
from accel_dse.datasets import parquet

NETWORKS = (
    "mobilenet_edgetpu",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "ssd_mobilenet_v1",
    "ssdlite_mobilenet_v3",
    "ssdlite_mobilenet_v2_035",
    "unet_small",
    "t_rnn_encoder",
    "t_rnn_decoder",
)
"""PRIME's nine applications, by public stand-ins: its M4, M5 and M6 are not published."""


def contents(folder: Path) -> dict[str, dict[str, object]]:
    """What each file of `folder` holds."""
    found = {}
    for path in sorted(folder.glob("edge_*.parquet")):
        log = parquet.read(path)
        latency = log.metrics["latency_ms"][log.feasible]
        found[path.name] = {
            "rows": len(log),
            "feasible": int(log.feasible.sum()),
            "latency_ms": [float(q) for q in np.quantile(latency, [0.0, 0.5, 1.0])],
            "sha256_of_rows": checksum(log),
            "bytes": path.stat().st_size,
            "origin": dict(log.origin),
        }
    return found


def main() -> None:
    """Collects what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("-n", type=int, default=20_000, help="designs of each network")
    options = parser.parse_args()
    for name in NETWORKS:
        path = options.out / f"edge_{name}.parquet"
        if not path.exists():
            words = ["-n", str(options.n), "--seed", "0", "--out", str(path)]
            if code := accel_dse(["collect", "edge", "--workload", name, *words]):
                raise SystemExit(code)
    text = json.dumps(contents(options.out), indent=2)
    (options.out / "contents.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
