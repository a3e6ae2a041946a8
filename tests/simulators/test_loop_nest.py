"""The analytical model against arithmetic done by hand, and against a walk of every step.

Hand-computed cases have a store (level 0, "DRAM") and a buffer (level 1) of unlimited size, one
multiply-accumulate unit unless a fan-out says otherwise, and words of 8 bits.
"""

import numpy as np
import pytest
from loop_nest_reference import Walk
from timeline_cases import make_hardware, one_case, random_case

from accel_dse.simulators.loop_nest import evaluate
from accel_dse.workload import Layer

ZERO = np.zeros(1, dtype=np.int64)
W, _, O = range(3)  # noqa: E741
GEMM = Layer(name="gemm", P=4, K=6, C=8)


def count(hardware, layer, *, loops=(), split=()):
    """The result of one mapping by hand; see `timeline_cases.one_case`."""
    case = one_case(hardware, layer, loops=loops, split=split)
    return evaluate(hardware, [layer], case.mapping, ZERO, ZERO, ZERO, detail=True)


def moved(result, name, level):
    """Words of weights, inputs and outputs at a level, of all instances."""
    return getattr(result.levels, name)[0, level].tolist()


def test_a_gemm_keeps_the_tile_whose_loops_are_outside():
    # DRAM: for P in 2, for K in 3; buffer: P2 K2 C8.
    # Weights, tile 2 x 8 = 16 words, change at every one of 2 x 3 steps: 96 words.
    # Inputs, tile 2 x 8 = 16, change with P only, and K runs inside: 2 x 16 = 32.
    # Outputs, tile 2 x 2 = 4, are complete after each step: 6 x 4 = 24 written, none read back.
    found = count(make_hardware(2), GEMM, loops=[{"P": 2, "K": 3}, {"P": 2, "K": 2, "C": 8}])
    assert moved(found, "total_fills", 1) == [96, 32, 0]
    assert moved(found, "total_reads", 0) == [96, 32, 0]
    assert moved(found, "total_updates", 0) == [0, 0, 24]
    # Each of 4 x 6 x 8 = 192 multiply-accumulates reads both operands and updates a sum; the first
    # product of each of 24 sums has nothing to add to.
    assert moved(found, "total_reads", 1) == [192, 192, 192 - 24]
    assert moved(found, "total_updates", 1) == [0, 0, 192]
    assert found.cycles[0] == 192
    assert moved(found, "tile_words", 1) == [16, 16, 4]


def test_a_gemm_with_its_loops_swapped_keeps_the_other_tile():
    # DRAM: for K in 3, for P in 2: now weights stay, 3 x 16 = 48, and inputs come 6 x 16 = 96.
    found = count(make_hardware(2), GEMM, loops=[{"K": 3, "P": 2}, {"P": 2, "K": 2, "C": 8}])
    assert moved(found, "total_fills", 1) == [48, 96, 0]


def test_sums_that_leave_before_they_are_complete_come_back():
    # DRAM: for C in 2, for P in 4, for K in 6: each of 24 sums leaves twice and comes back once.
    found = count(make_hardware(2), GEMM, loops=[{"C": 2, "P": 4, "K": 6}, {"C": 4}])
    assert moved(found, "total_updates", 0) == [0, 0, 48]
    assert moved(found, "total_reads", 0) == [2 * 4 * 6 * 4, 2 * 4 * 4, 24]
    assert moved(found, "total_fills", 1)[O] == 24


def test_the_windows_of_a_strided_convolution_overlap():
    # 4 rows of outputs, a filter of 3 rows, stride 2, need (4 - 1) x 2 + 3 = 9 rows of inputs.
    layer = Layer(name="strided", P=4, R=3, K=2, stride=(2, 2))
    # A tile of 2 rows needs (2 - 1) x 2 + 3 = 5. The next one starts 4 rows on, so 1 of its 5 is
    # there already: 5 + 4 = 9.
    sliding = count(make_hardware(2), layer, loops=[{"P": 2}, {"P": 2, "R": 3, "K": 2}])
    assert moved(sliding, "total_fills", 1) == [6, 9, 0]
    # With K stepping inside P nothing slides (each tile of 5 is there for both K): 2 x 5.
    broken = count(make_hardware(2), layer, loops=[{"P": 2, "K": 2}, {"P": 2, "R": 3}])
    assert moved(broken, "total_fills", 1) == [4 * 3, 10, 0]
    # With K outside, all of it comes twice.
    twice = count(make_hardware(2), layer, loops=[{"K": 2, "P": 2}, {"P": 2, "R": 3}])
    assert moved(twice, "total_fills", 1) == [6, 18, 0]


def test_a_dilated_filter_spreads_its_window():
    # Rows 0, 3, 6 of a filter dilated by 3, for 2 outputs: (2 - 1) + (3 - 1) x 3 + 1 = 8 rows.
    layer = Layer(name="dilated", P=2, R=3, dilation=(3, 1))
    found = count(make_hardware(2), layer, loops=[{}, {"P": 2, "R": 3}])
    assert moved(found, "tile_words", 1) == [3, 8, 2]


def test_a_depthwise_convolution_shares_nothing_between_channels():
    # 4 channels; rows: 3 outputs, filter of 3, so 5 rows of inputs a channel.
    layer = Layer(name="depthwise", G=4, P=3, R=3)
    found = count(make_hardware(2), layer, loops=[{"G": 4}, {"P": 3, "R": 3}])
    assert moved(found, "total_fills", 1) == [4 * 3, 4 * 5, 0]
    assert moved(found, "total_updates", 0)[O] == 4 * 3
    assert found.cycles[0] == 4 * 3 * 3


def test_a_grouped_convolution_reads_a_group_s_inputs_for_all_its_outputs():
    # 2 groups of 3 outputs from 5 inputs each; 4 positions.
    layer = Layer(name="grouped", G=2, K=3, C=5, P=4)
    found = count(make_hardware(2), layer, loops=[{"G": 2, "K": 3}, {"C": 5, "P": 4}])
    assert moved(found, "total_fills", 1) == [2 * 3 * 5, 2 * 5 * 4, 0]
    assert found.cycles[0] == 2 * 3 * 5 * 4


def test_a_ragged_tile_moves_and_computes_only_what_there_is():
    # 5 outputs in tiles of 3: 3 and 2, not 6.
    layer = Layer(name="ragged", K=5, C=2)
    found = count(make_hardware(2), layer, loops=[{"K": 2}, {"K": 3, "C": 2}])
    assert moved(found, "total_fills", 1)[W] == 5 * 2
    assert moved(found, "total_updates", 0)[O] == 5
    assert found.cycles[0] == 10
    assert moved(found, "tile_words", 1) == [6, 2, 3]  # the room a whole tile takes


def test_a_ragged_split_takes_as_long_as_its_fullest_instance():
    # 5 outputs over 2 buffers in tiles of 3: one computes 3 in 3 cycles, the other 2.
    layer = Layer(name="ragged", K=5)
    found = count(make_hardware(2), layer, loops=[{}, {"K": 3}], split=[{"K": 2}, {}])
    assert found.cycles[0] == 3
    assert found.levels.fills[0, 1, W] == 3
    assert moved(found, "total_fills", 1)[W] == 5


@pytest.mark.parametrize(("multicast", "reads"), [(True, 8), (False, 32)])
def test_one_read_serves_all_instances_where_the_level_can_multicast(multicast, reads):
    # K is split over 4 buffers, which all need the same 8 inputs, and different weights.
    layer = Layer(name="gemm", K=4, C=8)
    hardware = make_hardware(2, multicast=np.array([multicast, True]))
    found = count(hardware, layer, loops=[{}, {"C": 8}], split=[{"K": 4}, {}])
    assert moved(found, "total_reads", 0) == [32, reads, 0]
    assert moved(found, "total_fills", 1) == [32, 32, 0]
    assert found.cycles[0] == 8


@pytest.mark.parametrize(("reduces", "updates"), [(True, 6), (False, 24)])
def test_sums_of_several_instances_are_added_on_their_way_out_where_the_level_can(reduces, updates):
    # C is split over 4 buffers, each of which has a part of all 6 sums.
    layer = Layer(name="gemm", K=6, C=8)
    hardware = make_hardware(2, reduces=np.array([reduces, True]))
    found = count(hardware, layer, loops=[{}, {"K": 6, "C": 2}], split=[{"C": 4}, {}])
    assert moved(found, "total_updates", 0) == [0, 0, updates]
    assert moved(found, "total_reads", 0) == [48, 8, updates - 6]
    assert found.cycles[0] == 12


def test_a_tensor_passes_by_a_level_that_does_not_keep_it():
    # Level 1 keeps inputs and outputs only; level 2 keeps all. For P in 2 (DRAM), for K in 3
    # (level 1): level 2 asks DRAM for its 8 weights at every one of 6 steps.
    keeps = np.array([[True] * 3, [False, True, True], [True] * 3])
    found = count(
        make_hardware(3, keeps=keeps),
        Layer(name="gemm", P=2, K=3, C=8),
        loops=[{"P": 2}, {"K": 3}, {"C": 8}],
    )
    assert moved(found, "total_fills", 1) == [0, 16, 0]
    assert moved(found, "total_fills", 2) == [48, 16, 0]
    assert moved(found, "total_reads", 0) == [48, 16, 0]
    assert moved(found, "total_reads", 1) == [0, 16, 0]
    assert moved(found, "total_updates", 1) == [0, 0, 6]


@pytest.mark.parametrize(
    ("limit", "cycles"),
    [
        # The GEMM above reads 96 + 32 words and writes 24: 1,024 and 192 bits, in 192 cycles.
        ({"read_bits_per_cycle": 4.0}, 1024 / 4),
        ({"write_bits_per_cycle": 0.5}, 192 / 0.5),
        ({"shared_bits_per_cycle": 5.0}, 244),  # ceil(1,216 / 5)
        ({"read_bits_per_cycle": 8.0}, 192),  # 128 cycles hide behind the arithmetic
    ],
)
def test_a_layer_takes_as_long_as_its_slowest_channel(limit, cycles):
    ((name, rate),) = limit.items()
    hardware = make_hardware(2, **{name: np.array([[rate, np.inf]])})
    found = count(hardware, GEMM, loops=[{"P": 2, "K": 3}, {"P": 2, "K": 2, "C": 8}])
    assert found.cycles[0] == cycles


def test_energy_is_accesses_times_their_price():
    # Prices per bit: DRAM 10 (read), 20 (update); buffer 1 (read), 2 (fill), 3 (update); network
    # 0.5 from DRAM; 100 a multiply-accumulate. Words have 8 bits.
    prices = np.array([[[10.0, 0.0, 20.0], [1.0, 2.0, 3.0]]])
    hardware = make_hardware(
        2,
        access_pj_per_bit=prices,
        network_pj_per_bit=np.array([[0.5, 0.0]]),
        mac_pj=np.array([100.0]),
    )
    found = count(hardware, GEMM, loops=[{"P": 2, "K": 3}, {"P": 2, "K": 2, "C": 8}])
    dram = 10 * (96 + 32) + 20 * 24
    buffer = 1 * (192 + 192 + 168) + 2 * (96 + 32) + 3 * 192
    network = 0.5 * (96 + 32 + 24)
    assert found.energy_pj[0] == pytest.approx(8 * (dram + buffer + network) + 100 * 192)


@pytest.mark.parametrize(
    ("loops", "split", "bits"),
    [
        # Four buffers in a row get their own weights and outputs, and the same 32 inputs: 3.5 hops
        # of half a side each would be 4 if they got them one by one.
        ([{}, {"P": 4, "C": 8}], {"K": 4}, 8 * (32 + 16 + 128 * 3.5 / 4)),
        # Sums of four buffers are added on their way out; operands are each buffer's own.
        ([{}, {"P": 4, "K": 4, "C": 2}], {"C": 4}, 8 * (32 + 32 + 64 * 3.5 / 4)),
        # The same, in two turns of two buffers, which saves no wire.
        ([{"K": 2}, {"P": 4, "C": 8}], {"K": 2}, 8 * (32 + 16 + 64)),
        # Three buffers have work, the first of them twice (K = 4 in steps of 3): inputs go to three
        # at once, in 2 sqrt(3) + 1 - 2 / sqrt(3) - (sqrt(3) - 1) / 2 = 2.943 halves of a side.
        ([{"K": 2}, {"P": 4, "C": 8}], {"K": 3}, 8 * (32 + 16 + 32 * 2.9433757)),
    ],
)
def test_a_word_for_several_goes_part_of_the_way_for_all(loops, split, bits):
    hardware = make_hardware(
        2,
        fanout_x=np.array([[4, 1]]),
        fanout_y=np.array([[1, 1]]),
        network_pj_per_bit=np.array([[1.0, 0.0]]),
    )
    layer = Layer(name="gemm", P=4, K=4, C=8)
    found = count(hardware, layer, loops=loops, split=[split, {}])
    assert found.energy_pj[0] == pytest.approx(bits)
    apart = count(
        make_hardware(
            2,
            fanout_x=np.array([[4, 1]]),
            multicast=np.zeros(2, dtype=bool),
            reduces=np.zeros(2, dtype=bool),
            network_pj_per_bit=np.array([[1.0, 0.0]]),
        ),
        layer,
        loops=loops,
        split=[split, {}],
    )
    assert apart.energy_pj[0] >= found.energy_pj[0]


def test_the_more_get_a_word_at_once_the_less_each_one_costs():
    costs = []
    for many in (1, 4, 16, 64, 256):
        hardware = make_hardware(
            2, fanout_x=np.array([[256, 1]]), network_pj_per_bit=np.array([[1.0, 0.0]])
        )
        layer = Layer(name="gemm", P=4, K=many, C=8)
        found = count(hardware, layer, loops=[{}, {"P": 4, "C": 8}], split=[{"K": many}, {}])
        costs.append(found.energy_pj[0] / many)
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < costs[0] / 2


def test_partial_sums_may_be_wider_than_outputs():
    # C in 2 (DRAM) sends each of 24 sums out twice: 24 partial sums of 32 bits, 24 outputs of 8.
    hardware = make_hardware(2, word_bits=np.array([[[8.0, 8.0, 8.0, 32.0]] * 2]))
    found = count(hardware, GEMM, loops=[{"C": 2, "P": 4, "K": 6}, {"C": 4}])
    assert found.dram_written_bits[0] == 24 * 32 + 24 * 8
    assert found.dram_read_bits[0] == 8 * (2 * 4 * 6 * 4 + 2 * 4 * 4) + 24 * 32


@pytest.mark.parametrize(
    ("given", "loops", "split", "reason"),
    [
        ({}, [{"K": 5}, {"P": 4, "C": 8}], (), "factors of K cover 5 of 6"),
        ({}, [{}, {"P": 4, "K": 6, "C": 8}], ({}, {"K": 65}), "needs 65 instances along x, has 64"),
        (
            {"capacity_bits": np.array([[[1e12] * 3, [799.0] * 3]])},
            [{}, {"P": 4, "K": 6, "C": 8}],
            (),
            # 48 weights, 32 inputs, 24 outputs
            "need 832 bits, has 799",
        ),
        (
            {"loops_allowed": np.array([[True] * 8, [True] * 3 + [False] + [True] * 4])},
            [{"P": 4, "K": 6}, {"C": 8}],
            (),
            "may not loop over C, asked 8 times",
        ),
        (
            {"whole": np.arange(8) == np.array([[[9], [3]]])},
            [{"C": 8}, {"P": 4, "K": 6}],
            (),
            "must hold all 8 of C, holds 1",
        ),
        ({}, [{"K": 2**20}, {"K": 2**11, "P": 4, "C": 8}], (), "K multiply to 2^31 or more"),
        (
            {"program_entries": np.array([9.0]), "program_level": 0},
            [{"P": 4, "C": 8}, {"K": 6}],
            (),
            # weights and inputs change 32 times, outputs once for each P and C
            "instruction memory holds 9",
        ),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_with_the_reason(given, loops, split, reason):
    found = count(make_hardware(2, **given), GEMM, loops=loops, split=split)
    assert reason in found.reason(0)
    assert np.isnan(found.cycles[0])
    assert np.isnan(found.energy_pj[0])


@pytest.mark.parametrize("first", range(0, 240, 40))
def test_counts_equal_a_walk_of_the_nest(first):
    compared = 0
    for seed in range(first, first + 40):
        case = random_case(seed, most_steps=300)
        found = evaluate(case.hardware, [case.layer], case.mapping, ZERO, ZERO, ZERO, detail=True)
        if found.codes[0]:
            continue
        mapping = case.mapping
        walk = Walk(
            case.hardware,
            case.layer,
            mapping.temporal[0],
            mapping.spatial_x[0] * mapping.spatial_y[0],
            mapping.order[0],
        )
        for name, expected in walk.counts().items():
            np.testing.assert_array_equal(getattr(found.levels, name)[0], expected, err_msg=name)
        assert found.levels.compute_cycles[0] == walk.cycles()
        compared += 1
    assert compared >= 10
