"""The cycle-level engine against its literal reference, by hand, and at its limits."""

import json
import time
from itertools import pairwise

import numpy as np
import pytest
from timeline_cases import Case, make_hardware, one_case, random_case, simulate_case
from timeline_reference import Reference, overcharges

from accel_dse.errors import SimulatorError
from accel_dse.mapping import Mappings
from accel_dse.simulators.loop_records import pack_layers
from accel_dse.simulators.timeline import new_scratch, simulate
from accel_dse.simulators.timeline_machine import walk
from accel_dse.simulators.timeline_plan import TABLE_ROWS, lay_out, pack_machine
from accel_dse.simulators.timeline_trace import trace, write
from accel_dse.workload import DIMS, Layer


def walked(case):
    """Cycles, stalls and busy channels by the plain step-by-step engine, and its plan."""
    scratch = new_scratch()[0]
    plan, state = scratch["plan"], scratch["state"]
    machine, layer = pack_machine(case.hardware)[0], pack_layers([case.layer])[0]
    m = case.mapping
    rows = (m.temporal[0], m.spatial_x[0], m.spatial_y[0], m.order[0])
    lay_out(machine, layer, *rows, case.inputs_resident, case.outputs_resident, plan)
    cycles = walk(machine, layer, plan, state)
    return cycles, state["tally"][: int(state["tallies"])].copy(), plan


@pytest.mark.parametrize("block", range(8))
def test_random_cases_take_as_long_as_the_literal_reference_says(block):
    checked = 0
    for seed in range(50 * block, 50 * block + 50):
        case = random_case(seed, most_steps=200)
        if overcharges(case):
            continue
        reference = Reference(case)
        cycles = reference.play()
        found = simulate_case(case)
        assert found.cycles[0] == cycles, seed
        assert found.compute_cycles[0] == reference.computing, seed
        for (level, way), busy in reference.busy.items():
            assert found.busy_cycles[0, level, 1 if way == "write" else 0] == busy, (seed, level)
        checked += 1
    assert checked > 35


def test_the_random_cases_hit_every_rule():
    cases = [random_case(seed, most_steps=200) for seed in range(400)]
    cases = [case for case in cases if not overcharges(case)]
    plans = [walked(case)[2] for case in cases]
    found = [simulate_case(case) for case in cases]
    links = [int(plan["links"]) for plan in plans]
    doubles = [plan["double"][:n] for plan, n in zip(plans, links)]
    assert len(cases) > 300
    assert {case.mapping.levels for case in cases} == {2, 3, 4, 5}
    for share in (
        np.mean([not case.hardware.keeps.all() for case in cases]),
        np.mean([plan["ragged"] > 0 for plan in plans]),
        np.mean([double.any() for double in doubles]),
        np.mean([not double.all() for double in doubles]),
        np.mean([not case.hardware.multicast.all() for case in cases]),
        np.mean([not case.hardware.reduces.all() for case in cases]),
        np.mean([np.isfinite(case.hardware.shared_bits_per_cycle).any() for case in cases]),
        np.mean([case.inputs_resident for case in cases]),
        np.mean([case.outputs_resident for case in cases]),
        *np.mean([result.stalls[0, :7] > 0 for result in found], axis=0),
    ):
        assert share > 0.05


@pytest.mark.parametrize("block", range(4))
def test_skipping_changes_nothing(block):
    for seed in range(1000 + 150 * block, 1000 + 150 * block + 150):
        case = random_case(seed, most_steps=3000)
        cycles, tally, _ = walked(case)
        found = simulate_case(case)
        assert found.cycles[0] == cycles, seed
        np.testing.assert_array_equal(
            np.concatenate([found.stalls[0], found.busy_cycles[0].ravel()]), tally, str(seed)
        )
        assert found.stalls.sum() == cycles - found.compute_cycles[0], seed


def test_more_table_rows_than_are_remembered_change_nothing():
    rng = np.random.default_rng(1)
    temporal = np.ones((1, 4, 8), dtype=np.int64)
    temporal[0, :2] = 2
    temporal[0, 2, [2, 3, 4]] = 2
    cover = np.prod(temporal, axis=1)[0]
    case = one_case(
        make_hardware(
            4,
            read_bits_per_cycle=np.full((1, 4), 16.0),
            latency_cycles=np.full((1, 4), 3.0),
            fill_cycles=np.full(1, 2.0),
        ),
        Layer(name="ragged", **{dim: int(bound) - 1 for dim, bound in zip(DIMS, cover)}),
        temporal=temporal[0],
        order=rng.permuted(np.tile(np.arange(8), (4, 1)), axis=1),
    )
    cycles, _, plan = walked(case)
    masks = {(int(loop), int(mask)) for loop, mask in np.argwhere(plan["row"] > 0)}
    assert len(masks) > TABLE_ROWS
    assert simulate_case(case).cycles[0] == cycles


def gemm(*, p=1, k=1, c=1):
    return Layer(name="gemm", P=p, K=k, C=c)


def two_levels(**given):
    """A DRAM of one word per cycle, and one level whose loops over K take a step's time."""
    rates = {"read_bits_per_cycle": np.array([[8.0, np.inf]])}
    return make_hardware(2, **{**rates, "write_bits_per_cycle": np.array([[8.0, np.inf]]), **given})


def test_loads_hide_behind_computing_where_there_are_two_places():
    # Ten tiles: 1 input and 1 weight loaded in 2 cycles, 1 sum kept, computed in 1 cycle each.
    case = one_case(two_levels(), gemm(c=10), loops=[{"C": 10}, {}])
    # 10 loads of 2 cycles back to back, the last step of 1 cycle, the output written in 1 cycle.
    assert simulate_case(case).cycles[0] == 20 + 1 + 1


def test_loads_wait_for_the_last_use_where_there_is_one_place():
    hardware = two_levels(double_buffered=np.zeros(2, dtype=bool))
    case = one_case(hardware, gemm(c=10), loops=[{"C": 10}, {}])
    found = simulate_case(case)
    assert found.cycles[0] == 10 * (2 + 1) + 1
    assert waits(case) == {
        "start-up": 2,
        "level0: weights": 9,
        "level0: inputs": 9,
        "final drain": 1,
    }


def test_two_places_need_room_for_two_tiles():
    def cycles(bits):
        hardware = two_levels(capacity_bits=np.array([[[np.inf] * 3, [bits] * 3]]))
        return simulate_case(one_case(hardware, gemm(c=10), loops=[{"C": 10}, {}])).cycles[0]

    # Two weights, two inputs, and the one tile of outputs: five words.
    assert cycles(5 * 8.0) == 22
    assert cycles(5 * 8.0 - 1) == 31


def test_latency_is_paid_once_if_requests_follow_each_other():
    latency = np.array([[50.0, 0.0]])
    case = one_case(two_levels(latency_cycles=latency), gemm(c=10), loops=[{"C": 10}, {}])
    # The tiles of two steps are under way together. The first step runs from 52 to 53, the second
    # from 54 to 55; then loads start at 53 and so on: five rounds, 53 cycles apart.
    found = simulate_case(case)
    assert found.cycles[0] == 4 * (2 + 50 + 1) + 55 + 1
    single = two_levels(latency_cycles=latency, double_buffered=np.zeros(2, dtype=bool))
    serial = simulate_case(one_case(single, gemm(c=10), loops=[{"C": 10}, {}])).cycles[0]
    assert serial == 10 * (2 + 50 + 1) + 1


def test_issuing_a_transfer_keeps_its_channel():
    case = one_case(
        two_levels(issue_cycles=np.array([[3.0, 0.0]])), gemm(c=10), loops=[{"C": 10}, {}]
    )
    assert simulate_case(case).cycles[0] == 10 * 2 * (1 + 3) + 1 + (1 + 3)


def test_another_tile_in_the_array_pays_for_filling_it():
    keeps = np.array([[True] * 3, [True, False, False]])
    hardware = make_hardware(2, keeps=keeps, fill_cycles=np.full(1, 7.0))
    # Four weights, each used for three rows that are not kept.
    case = one_case(hardware, gemm(k=4, p=3), loops=[{"K": 4}, {"P": 3}])
    assert simulate_case(case).cycles[0] == 4 * (7 + 3)
    case = one_case(hardware, gemm(k=4, p=3), loops=[{"P": 3, "K": 4}, {}])
    assert simulate_case(case).cycles[0] == 12 * (7 + 1)
    case = one_case(hardware, gemm(k=4, p=3), loops=[{"K": 4, "P": 3}, {}])
    assert simulate_case(case).cycles[0] == 4 * 7 + 12


def test_a_sliding_window_fetches_only_new_rows():
    # 6 output rows of a 3-tap filter: 3 input rows at first, then 1 more for each.
    layer = Layer(name="conv", P=6, R=3)
    case = one_case(two_levels(), layer, loops=[{"P": 6}, {"R": 3}])
    found = simulate_case(case)
    words = 3 + (3 + 5 * 1)  # weights once, inputs
    assert found.busy_cycles[0, 0].tolist() == [words, 6]
    strided = Layer(name="conv", P=6, R=3, stride=(2, 1))
    found = simulate_case(one_case(two_levels(), strided, loops=[{"P": 6}, {"R": 3}]))
    assert found.busy_cycles[0, 0, 0] == 3 + (3 + 5 * 2)


def test_a_window_that_moves_two_ways_is_fetched_whole():
    layer = Layer(name="conv", P=2, Q=2, R=3, S=3)
    case = one_case(two_levels(), layer, loops=[{"P": 2, "Q": 2}, {"R": 3, "S": 3}])
    # 3 x 3; one column of 3 more; then down and back to the first column; one column of 3 more.
    assert simulate_case(case).busy_cycles[0, 0, 0] == 9 + (9 + 3 + 9 + 3)


def test_sums_that_leave_unfinished_come_back():
    # Two sums visited twice: written 4 times, twice as partial sums of 32 bits, and read twice.
    bits = np.array([[[8.0, 8.0, 8.0, 32.0]] * 2])
    hardware = two_levels(word_bits=bits)
    case = one_case(hardware, gemm(k=2, c=2), loops=[{"C": 2, "K": 2}, {}])
    found = simulate_case(case)
    weights, inputs = 4, 2
    assert found.busy_cycles[0, 0].tolist() == [weights + inputs + 2 * 4, 2 * 4 + 2 * 1]
    finished = one_case(hardware, gemm(k=2, c=2), loops=[{"K": 2, "C": 2}, {}])
    assert simulate_case(finished).busy_cycles[0, 0].tolist() == [4 + 4, 2]


def test_a_read_can_serve_several_instances_if_the_level_multicasts():
    def reads(multicast):
        hardware = two_levels(multicast=np.array([multicast, True]))
        case = one_case(hardware, gemm(k=4, c=3), loops=[{"C": 3}, {}], split=[{"K": 4}, {}])
        return simulate_case(case).busy_cycles[0, 0, 0]

    weights, inputs = 12, 3
    assert reads(True) == weights + inputs
    assert reads(False) == weights + 4 * inputs


def test_sums_are_added_on_their_way_out_if_the_level_reduces():
    def writes(reduces):
        hardware = two_levels(reduces=np.array([reduces, True]))
        case = one_case(hardware, gemm(p=5, c=4), loops=[{"P": 5}, {}], split=[{"C": 4}, {}])
        return simulate_case(case).busy_cycles[0, 0, 1]

    assert writes(True) == 5
    assert writes(False) == 4 * 5


def test_a_ragged_edge_has_fewer_steps_and_words():
    case = one_case(two_levels(), gemm(c=7), loops=[{"C": 3}, {"C": 3}])
    found = simulate_case(case)
    assert found.compute_cycles[0] == 7
    assert found.busy_cycles[0, 0].tolist() == [7 + 7, 1]


def test_what_stays_on_the_chip_does_not_move():
    case = one_case(two_levels(), gemm(p=4, c=5), loops=[{"P": 4}, {"C": 5}])
    assert simulate_case(case).busy_cycles[0, 0].tolist() == [5 + 20, 4]
    stays = Case(case.hardware, case.layer, case.mapping, True, True)
    assert simulate_case(stays).busy_cycles[0, 0].tolist() == [5, 0]


def test_operands_take_the_bandwidth_of_the_level_that_keeps_them():
    # Each cycle takes a weight and an input and reads and writes a sum: 3 words at 2 a cycle.
    rates = {"read_bits_per_cycle": np.array([[np.inf, 16.0]])}
    case = one_case(make_hardware(2, **rates), gemm(c=100), loops=[{}, {"C": 100}])
    found = simulate_case(case)
    assert found.stalls[0, found.causes.index("level1: weights")] == 50
    assert found.cycles[0] == 150 + 1  # and the sum is read once more, to be written back


def waits(case):
    """Cycles by cause, of those that the array waits for."""
    found = simulate_case(case)
    return {cause: int(n) for cause, n in zip(found.causes, found.stalls[0]) if n}


def test_a_fully_connected_layer_of_one_row_waits_for_its_weights():
    # A step loads 200 weights, then the 20 inputs that they meet, and computes for 100 cycles.
    hardware, split = two_levels(), [{}, {"K": 2}]
    loops = [{"K": 3}, {"K": 5, "C": 20}]
    case = one_case(hardware, gemm(k=30, c=20), loops=loops, split=split)
    assert waits(case) == {"start-up": 220, "level0: weights": 2 * 100, "final drain": 10}
    # Where inputs come again with each tile of weights, and last, they share the wait of 44 - 20
    # cycles at each of the 9 further steps: weights keep the channel for 40 cycles, inputs for 4.
    case = one_case(hardware, gemm(k=10, c=40), loops=[{"C": 10}, {"K": 5, "C": 4}], split=split)
    assert waits(case) == {
        "start-up": 44,
        "level0: weights": 9 * 22,
        "level0: inputs": 9 * 2,
        "final drain": 10,
    }


def test_a_wait_for_a_place_of_outputs_that_leave_after_weights_is_for_weights():
    # One channel, two places for what is read and one for outputs: a sum leaves after the 8 weights
    # of the next step have come, and only then the next one has its place.
    keeps = np.array([[True] * 3, [True, True, False], [False, False, True]])
    hardware = make_hardware(
        3,
        keeps=keeps,
        shared_bits_per_cycle=np.array([[8.0, np.inf, np.inf]]),
        double_buffered=np.array([True, True, False]),
    )
    case = one_case(hardware, gemm(k=5, c=8), loops=[{"K": 5}, {}, {"C": 8}])
    # 16 words before the first step. It ends at 24, as the next 8 weights have come; its sum leaves
    # until 25. The next 8 come until 33 while the array works, its sum leaves until 34, and so on.
    assert waits(case) == {"start-up": 16, "write-back": 4, "final drain": 1}
    slow = make_hardware(
        3,
        keeps=keeps,
        shared_bits_per_cycle=np.array([[4.0, np.inf, np.inf]]),
        double_buffered=np.array([True, True, False]),
    )
    # Twice as long, all of it: the array works for 8 cycles while 16 of weights and 2 of the sum
    # pass, and waits for 10. The last 2 are those of its place; what comes before is shared out as
    # the step keeps the channel, 16 to 2.
    assert waits(Case(slow, case.layer, case.mapping)) == {
        "start-up": 32,
        "level0: weights": 4 * 7,
        "level0: outputs": 4 * 1,
        "write-back": 4 * 2,
        "final drain": 2,
    }


def test_a_wait_behind_writes_on_a_shared_channel_is_for_outputs_too():
    # Each step reads four rows, works on them for four cycles, and writes four rows.
    hardware = make_hardware(2, shared_bits_per_cycle=np.array([[8.0, np.inf]]))
    case = one_case(hardware, gemm(p=20), loops=[{"P": 5}, {"P": 4}])
    # A weight and four rows until 5; then four more until 9, while the array works. From here on
    # reads and writes alternate: the array waits for 4 cycles in 8, at three steps.
    assert waits(case) == {
        "start-up": 5,
        "level0: inputs": 6,
        "level0: outputs": 6,
        "final drain": 4,
    }


def test_a_tile_that_queues_behind_late_words_waits_for_those():
    # The buffer holds both inputs; weights come through it, two in 16 cycles of DRAM, and inputs
    # leave it last, as their turn in its queue is after weights.
    hardware = make_hardware(3, read_bits_per_cycle=np.array([[1.0, 8.0, np.inf]]))
    case = one_case(hardware, gemm(k=6, c=2), loops=[{"K": 6}, {"C": 2}, {}])
    # The first step begins at 16 + 16 + 1. The second of each two waits for one cycle in which the
    # buffer sends a weight. The next weights are there at 48, 64, ..., and reach the array with an
    # input two cycles later: 14 cycles after it stopped at first, then 13.
    assert waits(case) == {
        "start-up": 33,
        "level0: weights": 12 + 4 * 11,
        "level1: weights": 6 + 5,
        "level1: inputs": 5,
        "final drain": 1,
    }


def test_cost_does_not_grow_with_the_number_of_steps():
    case = one_case(
        two_levels(),
        Layer(name="huge", P=2**20, K=2**15, C=2**15),
        loops=[{"P": 2**20, "K": 2**15, "C": 2**15}, {}],
    )
    simulate_case(case)
    begun = time.perf_counter()
    found = simulate_case(case)
    assert time.perf_counter() - begun < 1.0
    assert found.compute_cycles[0] == 2**50
    # Each step loads a weight and an input in 2 cycles, and hides everything else.
    assert found.cycles[0] == 2 * 2**50 + 1 + 1


def test_an_evaluation_does_not_depend_on_its_batch():
    seeds = [seed for seed in range(300) if random_case(seed).mapping.levels == 3]
    cases = [random_case(seed) for seed in seeds]
    mappings = Mappings(
        *(
            np.concatenate([getattr(case.mapping, name) for case in cases])
            for name in ("temporal", "spatial_x", "spatial_y", "order")
        )
    )
    hardware = cases[0].hardware
    index = np.arange(len(cases))
    layers = [case.layer for case in cases]
    whole = simulate(hardware, layers, mappings, np.zeros_like(index), index, index)
    for i, case in enumerate(cases):
        alone = simulate_case(Case(hardware, case.layer, case.mapping))
        assert alone.cycles[0] == whole.cycles[i]
        np.testing.assert_array_equal(alone.stalls[0], whole.stalls[i])


def small():
    return one_case(two_levels(), gemm(c=4), loops=[{"C": 4}, {}])


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        (
            Case(make_hardware(3), small().layer, small().mapping),
            "mappings: made for 2 levels, but the hardware has 3",
        ),
        (
            Case(two_levels(), gemm(c=5), small().mapping),
            "mapping 0: C: its factors cover 4 of 5 in layer 'gemm'",
        ),
        (
            Case(two_levels(read_bits_per_cycle=np.zeros((1, 2))), small().layer, small().mapping),
            "hardware: read_bits_per_cycle: must be positive, got 0",
        ),
        (
            Case(two_levels(fill_cycles=np.full(1, np.inf)), small().layer, small().mapping),
            "hardware: fill_cycles: must be below 2^40, got inf",
        ),
        (
            Case(
                two_levels(read_bits_per_cycle=np.full((1, 2), 1e-300)),
                small().layer,
                small().mapping,
            ),
            "mapping 0: layer 'gemm' takes too many cycles to count in 64 bits",
        ),
        (
            one_case(
                two_levels(latency_cycles=np.full((1, 2), 2.0**39)),
                Layer(name="long", P=2**20, K=2**20),
                loops=[{"P": 2**20, "K": 2**20}, {}],
            ),
            "mapping 0: layer 'long' takes too many cycles to count in 64 bits",
        ),
        (
            one_case(make_hardware(9), gemm(), loops=[{}] * 9),
            "hardware: at most 8 levels can be played, got 9",
        ),
    ],
)
def test_what_cannot_be_played_is_an_error(case, complaint):
    with pytest.raises(SimulatorError) as error:
        simulate_case(case)
    assert str(error.value) == complaint


def traced(case, **options):
    return trace(
        case.hardware,
        case.layer,
        case.mapping,
        inputs_resident=case.inputs_resident,
        outputs_resident=case.outputs_resident,
        **options,
    )


@pytest.mark.parametrize("most_steps", [1, 5, 10_000])
def test_a_trace_accounts_for_every_cycle(most_steps):
    for seed in range(60):
        case = random_case(seed, most_steps=300)
        found = simulate_case(case)
        shown = traced(case, most_steps=most_steps)
        assert shown.cycles == found.cycles[0]
        now, spent = 0, dict.fromkeys(found.causes, 0)
        for event in sorted((e for e in shown.events if e.lane == "array"), key=lambda e: e.start):
            assert event.start == now, seed
            now += event.cycles
            for cause, cycles in {event.name: event.cycles, **event.detail}.items():
                if cause in spent:
                    spent[cause] += cycles
        assert now == shown.cycles, seed
        assert list(spent.values()) == found.stalls[0].tolist(), seed


def test_no_two_events_of_a_trace_share_a_channel():
    for seed in range(60):
        shown = traced(random_case(seed, most_steps=300), most_steps=400)
        for lane in shown.lanes:
            spans = sorted((e.start, e.start + e.cycles) for e in shown.events if e.lane == lane)
            assert all(before[1] <= after[0] for before, after in pairwise(spans)), seed
        assert {event.lane for event in shown.events} <= set(shown.lanes)


def test_a_trace_shows_as_long_as_each_channel_was_busy():
    for seed in range(40):
        case = random_case(seed, most_steps=300)
        shown, found = traced(case), simulate_case(case)
        busy = sum(e.cycles for e in shown.events if e.kind in {"transfer", "operands"})
        assert busy == found.busy_cycles.sum(), seed


def test_a_long_trace_says_what_it_leaves_out():
    case = one_case(two_levels(), gemm(p=1000), loops=[{"P": 1000}, {}])
    shown = traced(case, most_steps=10)
    (rest,) = (event for event in shown.events if event.kind == "repeats")
    assert rest.name == "990 more steps"
    assert rest.start + rest.cycles + 1 == shown.cycles


def test_a_written_trace_keeps_to_the_trace_event_format(tmp_path):
    first, second = (traced(random_case(seed)) for seed in (3, 8))
    path = tmp_path / "trace.json"
    write(path, [(first, 1), (first, 3)])
    document = json.loads(path.read_text())
    assert set(document) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert document["displayTimeUnit"] in {"ms", "ns"}
    named = {}
    for event in document["traceEvents"]:
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert isinstance(event["args"], dict)
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name", "thread_sort_index"}
            if event["name"] == "thread_name":
                named[event["tid"]] = event["args"]["name"]
        else:
            assert event["ph"] == "X"
            assert isinstance(event["cat"], str)
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert event["tid"] in named
    assert list(named.values()) == ["layer", *first.lanes]
    ends = [e["ts"] + e["dur"] for e in document["traceEvents"] if e["ph"] == "X"]
    assert max(ends) == document["otherData"]["cycles"] == 4 * first.cycles
    assert second.cycles != first.cycles
