"""The shipped spaces can be searched: random designs work, reference designs work well."""

import numpy as np
import pytest

from accel_dse.files import load_space, names
from accel_dse.simulators.accelerator import AcceleratorSimulator
from accel_dse.template import bind, read_template
from accel_dse.workloads.load import load

WITH_HARDWARE = [name for name in names() if load_space(name).accelerator]

WORKS = {
    # Least and most of random designs that can run ResNet-18 and MobileNetV2.
    "edge": (0.1, 0.35),
    "eyeriss_168": (0.4, 0.97),
    "eyeriss_256": (0.4, 0.97),
}
"""Of the others, whose memories are all of a useful size, every design should work."""

BUSY = {
    # Least utilization of the reference designs on ResNet-18, batch 1.
    ("edge", "edge_tpu_like"): 0.15,
    ("eyeriss_168", "eyeriss"): 0.5,
    ("eyeriss_256", "eyeriss"): 0.4,
    ("gemmini", "gemmini_16"): 0.7,
    ("nvdla_like", "nv_large"): 0.4,
    ("nvdla_like", "nv_small"): 0.5,
    ("simba_like", "simba_chiplet"): 0.6,
    # Its weights pass once, at 34 GB/s, so no more than 34e9 x 155 MACs/weight / 46e12 = 11 %.
    ("tpu_like", "tpu_v1"): 0.015,
}


def simulator(name, **options):
    file = load_space(name)
    return file, AcceleratorSimulator(
        template=read_template(file.accelerator, file.space), **options
    )


@pytest.mark.parametrize("name", WITH_HARDWARE)
def test_what_a_space_says_of_itself_is_there(name):
    file = load_space(name)
    assert file.source
    assert file.references
    assert file.path.read_text().startswith("#")
    assert all(parameter.description for parameter in file.space.parameters)
    for reference in file.references.values():
        assert reference.description


@pytest.mark.parametrize("workload", ["resnet18", "mobilenet_v2"])
@pytest.mark.parametrize("name", WITH_HARDWARE)
def test_random_designs_work_or_say_why_not(name, workload):
    file, sim = simulator(name, fidelity="analytical", mapper_effort="low")
    designs = file.space.columns(file.space.sample(150, np.random.default_rng(3)))
    metrics = sim.simulate(load(workload), designs)
    least, most = WORKS.get(name, (0.99, 1))
    assert least <= np.mean([not reason for reason in metrics.infeasible]) <= most
    for reason in filter(None, metrics.infeasible):
        assert "needs" in reason


@pytest.mark.parametrize(("name", "reference"), BUSY)
def test_a_reference_design_is_as_busy_as_one_expects(name, reference):
    file, sim = simulator(name)
    design = file.references[reference].design
    row = sim.simulate(load("resnet18"), file.space.columns([design])).row(0)
    assert BUSY[name, reference] <= row["utilization"] <= 1


def test_every_reference_design_is_looked_at():
    found = {(n, reference) for n in WITH_HARDWARE for reference in load_space(n).references}
    assert found == set(BUSY)


@pytest.mark.parametrize("name", WITH_HARDWARE)
def test_every_corner_of_a_space_is_hardware(name):
    file, sim = simulator(name)
    designs = file.space.sample(400, np.random.default_rng(5))
    hardware = bind(sim.template, file.space.columns(designs))
    assert np.isfinite(hardware.area_mm2).all()
    assert (hardware.area_mm2 > 0).all()
    assert (hardware.macs >= 1).all()
    assert (hardware.static_w > 0).all()


@pytest.mark.parametrize("name", ["eyeriss_168", "eyeriss_256"])
def test_the_eyeriss_spaces_vary_how_compute_is_organized_and_not_how_much(name):
    file, sim = simulator(name)
    designs = file.space.sample(200, np.random.default_rng(6))
    hardware = bind(sim.template, file.space.columns(designs))
    assert (hardware.macs == int(name.rpartition("_")[2])).all()
    buffers = hardware.capacity_bits[:, 1, 1] * hardware.fanout_x[:, 0] * hardware.fanout_y[:, 0]
    assert buffers == pytest.approx(128 * 1024 * 8)
    words = sum(np.array([d[f"{t}_words"] for d in designs]) for t in ("input", "weight", "psum"))
    assert (words <= 220).all()
