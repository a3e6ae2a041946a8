"""Stubs of other people's tools: run on what the tools wrote once, and on the tools where present.

A tool is present if its Python package can be imported here, if its program is on PATH, or if one
of these names it: ACCEL_DSE_SCALESIM, ACCEL_DSE_ZIGZAG, ACCEL_DSE_ACCELFORGE (a Python that has the
package), ACCEL_DSE_TIMELOOP, ACCEL_DSE_MAESTRO (the program). With ACCEL_DSE_RECORD=1 as well, what
the tool writes replaces what was recorded.
"""

import importlib.util
import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from accel_dse.simulators.process import ProcessSimulator
from accel_dse.workload import Layer, Workload

STUBS = Path(__file__).parents[2] / "simulator_stubs"
PACKAGES = {"scalesim": "scalesim", "zigzag": "zigzag", "accelforge": "accelforge"}
PROGRAMS = {"timeloop": "timeloop-model", "maestro": "maestro"}

TINY = Workload(
    "tiny",
    (
        Layer(name="conv", K=8, C=4, P=4, Q=4, R=3, S=3, stride=(2, 2)),
        Layer(name="depthwise", G=8, P=4, Q=4, R=3, S=3),
        Layer(name="fc", K=10, C=16, P=4, count=2),
    ),
)
"""Small enough for tools that take seconds a layer."""


class Stub:
    """Runs a stub on its tool, or on what was recorded of it."""

    def __init__(self, command, twin=None):
        self.simulator = ProcessSimulator(command=command, timeout_s=600.0, retries=0)
        self.twin = twin

    def measure(self, workload, **columns):
        """Outcomes; those of a real tool are what was recorded of the same version."""
        designs = {name: np.array(column) for name, column in columns.items()}
        outcomes = self.simulator.outcomes(workload, designs)
        assert outcomes.failures == {}
        if self.twin and self.twin.simulator.version == self.simulator.version:
            expected = self.twin.measure(workload, **columns)
            assert outcomes.metrics.infeasible == expected.infeasible
            for name, column in outcomes.metrics.values.items():
                np.testing.assert_allclose(column, expected.values[name], rtol=1e-6, err_msg=name)
        return outcomes.metrics

    def close(self):
        self.simulator.close()
        if self.twin:
            self.twin.close()


def real(name):
    """The command of a stub on its tool, "" where the tool is absent."""
    stub = shlex.quote(str(STUBS / name / "stub.py"))
    given = os.environ.get(f"ACCEL_DSE_{name.upper()}", "")
    if name in PROGRAMS:
        found = given or shutil.which(PROGRAMS[name]) or ""
        command = f"{shlex.quote(sys.executable)} {stub} --{name} {found}" if found else ""
    else:
        found = given or (sys.executable if importlib.util.find_spec(PACKAGES[name]) else "")
        command = f"{shlex.quote(found)} {stub}" if found else ""
    if command and os.environ.get("ACCEL_DSE_RECORD") == "1":
        command += f" --record {shlex.quote(str(STUBS / name / 'recorded'))}"
    return command


def recorded(name):
    """The command of a stub on what was recorded."""
    words = [sys.executable, str(STUBS / name / "stub.py")]
    return shlex.join([*words, "--recorded", str(STUBS / name / "recorded")])


@pytest.fixture(params=["real", "recorded"])
def stub(request):
    """The stub that the test module is named after; `EXTRA` in the module are options to it."""
    name = request.module.__name__.rpartition("test_")[2]
    extra = getattr(request.module, "EXTRA", "")
    stub = Stub(f"{recorded(name)} {extra}")
    if request.param == "real":
        command = real(name)
        if not command:
            pytest.skip(f"{name} is not here; ACCEL_DSE_{name.upper()} may tell where it is")
        stub = Stub(f"{command} {extra}", twin=stub)
    yield stub
    stub.close()
