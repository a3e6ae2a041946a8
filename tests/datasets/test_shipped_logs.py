import json
from pathlib import Path

import numpy as np
import pytest

from accel_dse.cli.building import build_simulator
from accel_dse.collection import checksum
from accel_dse.datasets import parquet
from accel_dse.files import load_space
from accel_dse.workloads.zoo import NETWORKS

LOGS = Path(__file__).resolve().parents[2] / "logged_data"
pytestmark = pytest.mark.skipif(
    not any(LOGS.glob("*.parquet")), reason="a source distribution comes without the logs"
)
CONTENTS = json.loads((LOGS / "contents.json").read_text(encoding="utf-8"))


def test_there_is_a_log_of_each_of_nine_networks():
    assert len(CONTENTS) == 9
    assert {path.name for path in LOGS.glob("*.parquet")} == set(CONTENTS)


@pytest.mark.parametrize("name", CONTENTS)
def test_a_log_holds_what_its_contents_say(name):
    log, said = parquet.read(LOGS / name), CONTENTS[name]
    assert len(log) == said["rows"] >= 20_000
    assert int(log.feasible.sum()) == said["feasible"]
    assert checksum(log) == said["sha256_of_rows"]


@pytest.mark.parametrize("network", ["mobilenet_v2", "t_rnn_decoder"])
def test_the_simulator_of_today_measures_what_was_logged(network):
    log = parquet.read(LOGS / f"edge_{network}.parquet").rows(np.arange(30))
    file = load_space("edge")
    metrics = build_simulator("accelerator", {}, file).simulate(NETWORKS[network](), log.columns)
    assert [not reason for reason in metrics.infeasible] == log.feasible.tolist()
    for name, column in log.metrics.items():
        np.testing.assert_allclose(metrics.values[name], column, rtol=1e-12)
