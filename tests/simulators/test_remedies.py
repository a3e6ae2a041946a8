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


HOUR = 3600.0


class SlowSimulator(ToySimulator):
    """Takes a second of its own clock for a design."""

    def __init__(self):
        super().__init__()
        self.now, self.batches = 0.0, []

    def simulate(self, workload, columns):
        self.batches.append(len(next(iter(columns.values()))))
        self.now += self.batches[-1]
        return super().simulate(workload, columns)

    def clock(self):
        return self.now


def found(**values):
    design = {**DESIGN, **values}
    return remedies(ToySimulator(), NETWORK, PROBLEM.space, design, seconds=HOUR).found


def sought(simulator, seconds):
    return remedies(
        simulator, NETWORK, PROBLEM.space, DESIGN, seconds=seconds, clock=simulator.clock
    )


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
    assert remedies(ToySimulator(), NETWORK, small, design, seconds=HOUR).found == ()
    assert shown(design, [], 0) == "no change of a single parameter makes it work"


def shown(design, changes, untried):
    text = Console(width=120)
    with text.capture() as said:
        text.print(measurement.remedies(design, changes, untried))
    return said.get().strip()


def test_a_slow_simulator_is_not_asked_for_longer_than_allowed():
    for seconds in (1.0, 2.0, 5.0, 9.0):
        simulator = SlowSimulator()
        answer = sought(simulator, seconds)
        assert simulator.now <= seconds
        assert answer.tried == sum(simulator.batches)
        assert answer.untried > 0


def test_batches_grow_so_that_a_fast_simulator_is_asked_seldom():
    simulator = SlowSimulator()
    answer = sought(simulator, HOUR)
    assert simulator.batches[:4] == [1, 1, 2, 4]
    assert answer.untried == 0
    assert answer.found == found()


def test_the_nearest_changes_are_tried_first_and_the_others_counted():
    everything = PROBLEM.space.neighbors(DESIGN)
    answer = sought(SlowSimulator(), 4.0)
    assert (answer.tried, answer.found) == (4, found()[: len(answer.found)])
    assert answer.untried <= len(everything) - 4


def test_no_larger_change_of_a_parameter_is_tried_once_one_helps():
    simulator = SlowSimulator()
    assert sought(simulator, HOUR).tried < len(PROBLEM.space.neighbors(DESIGN))


def test_without_time_nothing_is_tried():
    answer = sought(SlowSimulator(), 0.0)
    assert (answer.tried, answer.found) == (0, ())
    assert answer.untried == len(PROBLEM.space.neighbors(DESIGN))


def test_what_was_not_tried_is_said():
    said = shown(DESIGN, [], 7)
    assert said.startswith("no smaller change of a single parameter makes it work; 7 larger")
    change = {"parameter": "pes_x", "value": 1, "metrics": {"latency_cycles": 3.0}}
    assert "7 larger changes were not tried" in shown(DESIGN, [change], 7)
    assert "not tried" not in shown(DESIGN, [change], 0)
