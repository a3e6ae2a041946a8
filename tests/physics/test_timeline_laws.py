"""Laws that every machine of channels and places keeps, on random machines and mappings."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "simulators"))

from timeline_cases import Case, random_case, simulate_case

from accel_dse.mapping import Mappings
from accel_dse.simulators import loop_nest
from accel_dse.workload import DIMS

SEEDS = range(2000, 2200)


def cycles(case, **changed):
    """Cycles with some columns of the hardware changed."""
    return simulate_case(replace(case, hardware=replace(case.hardware, **changed))).cycles[0]


@pytest.mark.parametrize("block", range(4))
def test_no_layer_is_faster_than_its_array_or_any_of_its_channels(block):
    for seed in SEEDS[block::4]:
        found = simulate_case(random_case(seed))
        assert found.cycles[0] >= found.compute_cycles[0], seed
        assert found.cycles[0] >= found.busy_cycles[0].max(), seed
        assert (found.stalls >= 0).all(), seed
        assert found.stalls.sum() == found.cycles[0] - found.compute_cycles[0], seed


def test_no_channel_is_waited_for_longer_than_it_works():
    for seed in SEEDS:
        case = random_case(seed)
        found = simulate_case(case)
        waited = found.stalls[0, found.causes.index("final drain") + 1 :].reshape(-1, 3).sum(axis=1)
        assert (waited <= found.busy_cycles[0].sum(axis=1)).all(), seed


def test_the_array_works_once_for_each_multiply_accumulate_it_cannot_do_beside_another():
    for seed in SEEDS:
        case = random_case(seed)
        spatial = np.prod(case.mapping.spatial_x * case.mapping.spatial_y)
        computing = simulate_case(case).compute_cycles[0]
        assert computing >= case.layer.macs / spatial, seed
        if (case.mapping.tile_extents()[0, 0] == case.layer.dims).all():
            assert computing * spatial == case.layer.macs, seed


@pytest.mark.parametrize(
    "name", ["read_bits_per_cycle", "write_bits_per_cycle", "shared_bits_per_cycle"]
)
def test_more_bandwidth_never_makes_a_mapping_slower(name):
    for seed in SEEDS:
        case = random_case(seed)
        before = simulate_case(case).cycles[0]
        rates = getattr(case.hardware, name)
        for level in range(case.mapping.levels):
            wider = rates.copy()
            wider[0, level] *= 1.5
            assert cycles(case, **{name: wider}) <= before, (seed, level)


@pytest.mark.parametrize("name", ["latency_cycles", "issue_cycles", "fill_cycles"])
def test_less_waiting_never_makes_a_mapping_slower(name):
    for seed in SEEDS:
        case = random_case(seed)
        before = simulate_case(case).cycles[0]
        column = getattr(case.hardware, name)
        for place in np.ndindex(column.shape):
            shorter = column.copy()
            shorter[place] = max(0.0, shorter[place] - 2.0)
            assert cycles(case, **{name: shorter}) <= before, (seed, place)


def test_more_capacity_never_makes_a_mapping_slower():
    faster = 0
    for seed in SEEDS:
        case = random_case(seed)
        before = simulate_case(case).cycles[0]
        for place in np.ndindex(case.hardware.capacity_bits.shape[1:]):
            larger = case.hardware.capacity_bits.copy()
            larger[0][place] *= 20
            after = cycles(case, capacity_bits=larger)
            assert after <= before, (seed, place)
            faster += after < before
    assert faster > 20


def test_a_second_place_never_makes_a_mapping_slower():
    faster = 0
    for seed in SEEDS:
        case = random_case(seed)
        single = np.zeros(case.mapping.levels, dtype=bool)
        before = cycles(case, double_buffered=single)
        for level in range(1, case.mapping.levels):
            two = single.copy()
            two[level] = True
            after = cycles(case, double_buffered=two)
            assert after <= before, (seed, level)
            assert cycles(case, double_buffered=~single) <= after, (seed, level)
            faster += after < before
    assert faster > 50


def test_what_stays_on_the_chip_never_makes_a_mapping_slower():
    for seed in SEEDS:
        case = random_case(seed)
        moved = [
            simulate_case(Case(case.hardware, case.layer, case.mapping, arrive, stay)).cycles[0]
            for arrive, stay in ((False, False), (True, False), (False, True), (True, True))
        ]
        assert moved[3] <= min(moved[1], moved[2]) <= max(moved[1], moved[2]) <= moved[0], seed


def test_without_limits_a_layer_takes_its_computing_and_nothing_else():
    for seed in SEEDS:
        case = random_case(seed)
        free = {
            name: np.full_like(getattr(case.hardware, name), value)
            for name, value in {
                "read_bits_per_cycle": np.inf,
                "write_bits_per_cycle": np.inf,
                "shared_bits_per_cycle": np.inf,
                "latency_cycles": 0.0,
                "issue_cycles": 0.0,
                "fill_cycles": 0.0,
            }.items()
        }
        found = simulate_case(replace(case, hardware=replace(case.hardware, **free)))
        assert found.cycles[0] == found.compute_cycles[0], seed


def test_dram_moves_the_words_that_the_analytical_model_counts():
    """Where factors divide, windows do not overlap, and one word takes one cycle."""
    compared = 0
    for seed in range(2000, 2500):
        case = random_case(seed)
        levels = case.mapping.levels
        extents = case.mapping.tile_extents()[0, 0]
        if extents[6:].max() > 1 or not case.hardware.keeps[1:].any(axis=0).all():
            continue
        rates = np.full((1, levels), np.inf)
        rates[0, 0] = 8.0
        hardware = replace(
            case.hardware,
            read_bits_per_cycle=rates,
            write_bits_per_cycle=rates,
            shared_bits_per_cycle=np.full((1, levels), np.inf),
            word_bits=np.full((1, levels, 4), 8.0),
            issue_cycles=np.zeros((1, levels)),
            capacity_bits=np.full((1, levels, 3), np.inf),
            multicast=np.ones(levels, dtype=bool),
            reduces=np.ones(levels, dtype=bool),
        )
        layer = replace(case.layer, **{dim: int(n) for dim, n in zip(DIMS, extents)})
        zero = np.zeros(1, dtype=np.int64)
        counted = loop_nest.evaluate(
            hardware, [layer], case.mapping, zero, zero, zero, detail=True
        ).levels
        found = simulate_case(Case(hardware, layer, case.mapping))
        assert found.busy_cycles[0, 0, 0] == counted.total_reads[0, 0].sum(), seed
        assert found.busy_cycles[0, 0, 1] == counted.total_updates[0, 0].sum(), seed
        compared += 1
    assert compared > 100


def test_the_order_of_mappings_in_a_batch_does_not_matter():
    case = random_case(2001)
    twice = Mappings(
        *(
            np.concatenate([getattr(case.mapping, name)] * 2)
            for name in ("temporal", "spatial_x", "spatial_y", "order")
        )
    )
    one = simulate_case(case).cycles[0]
    assert simulate_case(replace(case, mapping=twice)).cycles[0] == one
