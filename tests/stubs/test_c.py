"""The smallest simulator in C agrees with the one in Python."""

import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from accel_dse.simulators.process import ProcessSimulator
from accel_dse.testing import check_simulator
from accel_dse.workload import Layer, VectorOp, Workload

from .conftest import STUBS, TINY

POOLED = Workload(
    "pooled",
    (Layer(name="conv", N=2, K=16, C=3, P=112, Q=112, R=3, S=3, stride=(2, 2), count=3),),
    (VectorOp(name="pool", reads=100, writes=25, operations=75, count=2),),
)


@pytest.fixture(scope="module")
def in_c(tmp_path_factory):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    program = tmp_path_factory.mktemp("c") / "simulator"
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
    source = STUBS / "c" / "simulator.c"
    subprocess.run([compiler, *warnings, "-O1", "-o", program, source], check=True)
    simulator = ProcessSimulator(command=shlex.quote(str(program)), timeout_s=30.0, retries=0)
    yield simulator
    simulator.close()


def test_it_keeps_the_contract_of_simulators(in_c):
    check_simulator(in_c, POOLED, {"pes": np.array([1, 0, 64, 7])})


def test_it_agrees_with_the_one_in_python(in_c):
    command = shlex.join([sys.executable, str(STUBS / "python" / "simulator.py")])
    in_python = ProcessSimulator(command=command, timeout_s=30.0, retries=0)
    designs = {"pes": np.array([1, 0, 64, 7])}
    for workload in (TINY, POOLED, TINY):
        ours, theirs = (one.simulate(workload, designs) for one in (in_c, in_python))
        assert ours.infeasible == theirs.infeasible
        for name, column in ours.values.items():
            np.testing.assert_array_equal(column, theirs.values[name])
    in_python.close()
