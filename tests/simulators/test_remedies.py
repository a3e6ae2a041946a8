"""Single changes after which a design works."""

from dataclasses import replace

from rich.console import Console

from accel_dse.parameters import Ordinal
from accel_dse.report import measurement
from accel_dse.simulators.remedies import remedies
from accel_dse.testing import ToySimulator, toy_problem

PROBLEM = toy_problem()
NETWORK = PROBLEM.workloads[0][0]
DESIGN = {"pes_x": 4, "pes_y": 16, "buffer_kib": 2, "dataflow": "weight_stationary"}


def found(**values):
    return remedies(ToySimulator(), NETWORK, PROBLEM.space, {**DESIGN, **values})


def test_the_nearest_value_of_each_parameter_that_helps_is_told():
    assert {(one.parameter, one.value) for one in found()} == {
        ("pes_x", 1), ("pes_y", 4), ("buffer_kib", 8),
    }  # fmt: skip


def test_smaller_changes_come_first_each_with_its_metrics():
    designs = [{**DESIGN, one.parameter: one.value} for one in found()]
    apart = PROBLEM.space.distance([DESIGN], designs)[0].tolist()
    assert apart == sorted(apart)
    for one, design in zip(found(), designs, strict=True):
        measured = ToySimulator().simulate(NETWORK, PROBLEM.space.columns([design]))
        assert one.metrics == measured.row(0)


def test_every_remedy_is_a_valid_design():
    # pes_y=1 would make the buffer large enough, but with pes_x=32 it breaks a constraint
    changes = found(pes_x=32, pes_y=32, buffer_kib=16)
    assert changes
    for one in changes:
        PROBLEM.space.check({**DESIGN, "pes_x": 32, "pes_y": 32, one.parameter: one.value})


def test_where_no_single_change_helps_there_is_none():
    small = replace(
        PROBLEM.space,
        parameters=tuple(
            Ordinal("buffer_kib", (1, 2)) if p.name == "buffer_kib" else p
            for p in PROBLEM.space.parameters
        ),
    )
    design = {**DESIGN, "pes_x": 32, "pes_y": 32}
    assert remedies(ToySimulator(), NETWORK, small, design) == []
    text = Console(width=80)
    with text.capture() as said:
        text.print(measurement.remedies(design, []))
    assert said.get().strip() == "no change of a single parameter makes it work"
