"""What the README tells a newcomer to type works as it stands."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from accel_dse.files.space_file import load_space
from accel_dse.simulators.process import ProcessSimulator

from .conftest import STUBS, TINY

README = (STUBS / "README.md").read_text()


def test_the_ten_lines_are_a_simulator(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 10
    shutil.copy(STUBS / "serving.py", tmp_path)
    (tmp_path / "my_simulator.py").write_text(code)
    command = shlex.join([sys.executable, str(tmp_path / "my_simulator.py")])
    simulator = ProcessSimulator(command=command, timeout_s=30.0, retries=0)
    metrics = simulator.simulate(TINY, {"pes": np.array([8, 0])})
    simulator.close()
    assert metrics.row(0) == {"latency_cycles": TINY.macs / 8, "area_mm2": 0.008}
    assert metrics.infeasible == ("", "no PEs")


def test_it_works_from_the_command_line():
    command = f"{sys.executable} {STUBS / 'python' / 'simulator.py'}"
    run = [sys.executable, "-c", "from accel_dse.cli import main; main()"]
    words = ["simulate", STUBS / "python" / "space.yaml", "--workload", "mlp", "--set", "pes=8"]
    plug = ["--simulator", "process", "--simulator-option", f"command={command}"]
    done = subprocess.run([*run, *words, *plug, "--json"], check=True, capture_output=True)
    answer = json.loads(done.stdout)
    assert answer["simulator_version"] == "roofline 1"
    assert answer["metrics"]["area_mm2"] == 0.008


@pytest.mark.parametrize("space", sorted(STUBS.glob("*/space.yaml")), ids=lambda p: p.parent.name)
def test_each_space_is_sound(space):
    assert load_space(space).space.size > 1


@pytest.mark.parametrize("folder", sorted(f for f in STUBS.iterdir() if (f / "stub.py").exists()))
def test_each_client_of_a_tool_says_its_limits_and_keeps_recorded_runs(folder):
    text = (folder / "README.md").read_text()
    assert "**Limits.**" in text
    assert "**Checked.**" in text
    assert (folder / "recorded" / "tool.json").exists()
