"""A network on mapped designs: layers added up, and what stays on the chip between them.

Each distinct layer is counted once for each design, and played once for each way in which it
occurs: with its inputs already on the chip or not, with its outputs left there or not.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.hardware import Hardware
from accel_dse.metrics import Metrics
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.workload import TENSORS, Layer, Workload

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INPUTS, OUTPUTS = TENSORS.index("inputs"), TENSORS.index("outputs")


@dataclass(frozen=True)
class Place:
    """One run (or several in a row) of a distinct layer in the network.

    Attributes:
        layer: index of the distinct layer.
        count: runs in a row.
        hands_over: whether the next place reads exactly what this one writes.
    """

    layer: int
    count: int
    hands_over: bool


def places(workload: Workload) -> tuple[Place, ...]:
    """The network's layers in order, by distinct layer."""
    index = {layer.shape: j for j, layer in enumerate(workload.unique())}
    layers = workload.layers
    return tuple(
        Place(
            index[layer.shape],
            layer.count,
            layer.count == 1 and after is not None and after.follows and after.count == 1,
        )
        for layer, after in zip(layers, (*layers[1:], None))
    )


@dataclass(frozen=True, eq=False)
class Played:
    """`n` designs on a network of `u` distinct layers, each mapped.

    Attributes:
        workload: the network.
        hardware: the designs.
        mapped: candidate mappings.
        chosen: which row of `mapped.mappings` each design and layer uses, -1 if none, `(n, u)`.
        cycle_level: whether cycles are played, or the analytical model's.
    """

    workload: Workload
    hardware: Hardware
    mapped: mapper.Mapped
    chosen: Ints
    cycle_level: bool

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The distinct layers."""
        return self.workload.unique()

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The network in order."""
        return places(self.workload)

    @cached_property
    def infeasible(self) -> tuple[str, ...]:
        """Why each design cannot run the network; "" if it can."""
        reasons = [""] * len(self.hardware)
        for design, layer in np.argwhere(self.chosen < 0)[::-1]:
            reasons[design] = self.mapped.reason(
                design, layer, self.hardware, self.layers[layer].name
            )
        return tuple(reasons)

    @cached_property
    def works(self) -> Ints:
        """The designs that can run the network, `(w,)`."""
        return np.flatnonzero((self.chosen >= 0).all(axis=1))

    @cached_property
    def counted(self) -> loop_nest.LoopNestResult:
        """Access counts of the working designs and all layers, row `w * u + j`."""
        u = len(self.layers)
        return loop_nest.evaluate(
            self.hardware,
            self.layers,
            self.mapped.mappings,
            np.repeat(self.works, u),
            np.tile(np.arange(u), len(self.works)),
            self.chosen[self.works].reshape(-1),
            detail=True,
        )

    @cached_property
    def stays(self) -> NDArray[np.bool_]:
        """Whether the outputs of each place stay on the chip for the next one, `(w, places)`.

        They do if, beside the tiles that either layer works on, the whole tensor fits in the
        outermost level on the chip that keeps inputs and outputs, spread over its instances.
        """
        hardware, w = self.hardware, len(self.works)
        stays = np.zeros((w, len(self.places)), dtype=bool)
        level = shared_level(hardware)
        if level is None:
            return stays
        counts = self.counted.levels
        assert counts is not None
        tiles = counts.tile_words.reshape(w, len(self.layers), len(hardware.levels), 3)[:, :, level]
        bits = hardware.word_bits[self.works, level]
        capacity = hardware.capacity_bits[self.works, level]
        one_store = hardware.partition[level, INPUTS] == hardware.partition[level, OUTPUTS]
        instances = np.prod((hardware.fanout_x * hardware.fanout_y)[self.works, :level], axis=1)
        working = 2.0 if hardware.double_buffered[level] else 1.0
        for k, place in enumerate(self.places[:-1]):
            if not place.hands_over:
                continue
            after = self.places[k + 1].layer
            held = self.layers[place.layer].words("outputs") * bits[:, OUTPUTS] / instances
            beside = tiles[:, place.layer, INPUTS] * bits[:, INPUTS] * working
            beside_after = tiles[:, after, OUTPUTS] * bits[:, OUTPUTS] * working
            if not one_store:
                beside = beside_after = np.zeros(w)
            stays[:, k] = (held + beside <= capacity[:, OUTPUTS]) & (
                held + beside_after <= capacity[:, INPUTS]
            )
        return stays

    @cached_property
    def arrives(self) -> NDArray[np.bool_]:
        """Whether the inputs of each place are on the chip already, `(w, places)`."""
        return np.concatenate([np.zeros((len(self.works), 1), bool), self.stays[:, :-1]], axis=1)

    @cached_property
    def dram_bits(self) -> Floats:
        """DRAM traffic of one run of each layer by tensor, residents not deducted, `(w, u, 3)`."""
        counts = self.counted.levels
        assert counts is not None
        hardware, u = self.hardware, len(self.layers)
        bits = np.repeat(hardware.word_bits[self.works, 0], u, axis=0)
        moved = counts.total_reads[:, 0] * bits[:, [0, 1, 3]]
        written = counts.total_updates[:, 0, OUTPUTS]
        final = np.minimum(
            written, np.tile([layer.words("outputs") for layer in self.layers], len(self.works))
        )
        moved[:, OUTPUTS] += final * bits[:, 2] + (written - final) * bits[:, 3]
        return moved.reshape(len(self.works), u, 3)

    @cached_property
    def cycles(self) -> Floats:
        """Cycles of one run at each place, `(w, places)`."""
        w, found = len(self.works), np.zeros((len(self.works), len(self.places)))
        if self.cycle_level:
            return self._played_cycles(found)
        counts = self.counted.levels
        assert counts is not None
        u = len(self.layers)
        inner = np.maximum(counts.compute_cycles, counts.level_cycles[:, 1:].max(axis=1)).reshape(
            w, u
        )
        for k, place in enumerate(self.places):
            bits = self._dram_bits_at(k)
            found[:, k] = np.maximum(
                inner[:, place.layer],
                np.ceil(bits / dram_bits_per_cycle(self.hardware)[self.works]),
            )
        return found

    def _played_cycles(self, found: Floats) -> Floats:
        """Plays every layer in each way in which some place needs it."""
        kinds: dict[tuple[int, bool, bool], NDArray[np.bool_]] = {}
        for k, place in enumerate(self.places):
            for arrives in (False, True):
                for stays in (False, True):
                    these = (self.arrives[:, k] == arrives) & (self.stays[:, k] == stays)
                    if these.any():
                        key = (place.layer, arrives, stays)
                        kinds[key] = kinds.get(key, np.zeros(len(self.works), bool)) | these
        if not kinds:
            return found
        design = np.concatenate([np.flatnonzero(these) for these in kinds.values()])
        sizes = [int(these.sum()) for these in kinds.values()]
        layer, arrives, stays = (np.repeat(column, sizes) for column in zip(*kinds))
        played = timeline.simulate(
            self.hardware,
            self.layers,
            self.mapped.mappings,
            self.works[design],
            layer,
            self.chosen[self.works[design], layer],
            arrives,
            stays,
        ).cycles.astype(np.float64)
        table = np.zeros((len(self.works), len(self.layers), 2, 2))
        table[design, layer, arrives.astype(int), stays.astype(int)] = played
        rows = np.arange(len(self.works))
        for k, place in enumerate(self.places):
            found[:, k] = table[
                rows, place.layer, self.arrives[:, k].astype(int), self.stays[:, k].astype(int)
            ]
        return found

    def _dram_bits_at(self, k: int) -> Floats:
        """DRAM traffic of one run at place `k`, residents deducted, `(w,)`."""
        bits = self.dram_bits[:, self.places[k].layer]
        saved = bits[:, INPUTS] * self.arrives[:, k] + bits[:, OUTPUTS] * self.stays[:, k]
        return np.asarray(bits.sum(axis=1) - saved)

    @cached_property
    def vector_ops(self) -> tuple[Floats, Floats, Floats]:
        """Cycles, DRAM bits and pJ of everything that does not multiply, `(w,)` each.

        An operation works at the rate of the vector lanes or of the DRAM; its operands stay on
        the chip if they fit, together, in the outermost level that keeps inputs and outputs.
        """
        hardware, works = self.hardware, self.works
        cycles, moved, energy = (np.zeros(len(works)) for _ in range(3))
        level = shared_level(hardware)
        room = np.zeros(len(works))
        if level is not None:
            instances = np.prod((hardware.fanout_x * hardware.fanout_y)[works, :level], axis=1)
            room = hardware.capacity_bits[works, level, OUTPUTS] * instances
        for op in self.workload.vector_ops:
            bits_in = op.reads * hardware.word_bits[works, 0, 1]
            bits_out = op.writes * hardware.word_bits[works, 0, 2]
            outside = (bits_in + bits_out) > room
            at = np.where(outside, 0, 0 if level is None else level)
            price = hardware.access_pj_per_bit[works, at]
            time = np.maximum(
                op.operations / hardware.vector_operations_per_cycle[works],
                outside * (bits_in + bits_out) / dram_bits_per_cycle(hardware)[works],
            )
            cycles += op.count * np.ceil(time)
            moved += op.count * outside * (bits_in + bits_out)
            energy += op.count * (bits_in * price[:, 0] + bits_out * price[:, 2])
        return cycles, moved, energy

    def energy_pj(self, k: int) -> Floats:
        """Dynamic energy of one run at place `k`, `(w,)`."""
        layer = self.places[k].layer
        total = self.counted.energy_pj.reshape(len(self.works), len(self.layers))[:, layer]
        price = self.hardware.access_pj_per_bit[self.works, 0].mean(axis=1)
        saved = self.dram_bits[:, layer].sum(axis=1) - self._dram_bits_at(k)
        return np.asarray(total - saved * price)

    def metrics(self) -> Metrics:
        """The metrics of `accelerator.AcceleratorSimulator`, of `n` designs."""
        hardware, works = self.hardware, self.works
        cycles, dram_bits, energy = (column.copy() for column in self.vector_ops)
        for k, place in enumerate(self.places):
            cycles += place.count * self.cycles[:, k]
            dram_bits += place.count * self._dram_bits_at(k)
            energy += place.count * self.energy_pj(k)
        seconds = cycles / (hardware.clock_ghz[works] * 1e9)
        energy_mj = energy * 1e-9 + hardware.static_w[works] * seconds * 1e3
        found = {
            "latency_ms": seconds * 1e3,
            "latency_cycles": cycles,
            "energy_mj": energy_mj,
            "edp": energy_mj * seconds * 1e3,
            "area_mm2": hardware.area_mm2[works],
            "power_w": energy_mj * 1e-3 / seconds,
            "dram_bytes": dram_bits / 8,
            "utilization": self.workload.macs / (hardware.macs[works] * cycles),
        }
        values = {}
        for name, column in found.items():
            values[name] = np.full(len(hardware), np.nan)
            values[name][works] = column
        return Metrics(values, self.infeasible)


def shared_level(hardware: Hardware) -> int | None:
    """The outermost level on the chip that keeps inputs and outputs, if there is one."""
    both = hardware.keeps[1:, INPUTS] & hardware.keeps[1:, OUTPUTS]
    return int(np.argmax(both)) + 1 if both.any() else None


def dram_bits_per_cycle(hardware: Hardware) -> Floats:
    """What DRAM can move in a cycle, reading or writing, `(n,)`."""
    return np.minimum(
        hardware.shared_bits_per_cycle[:, 0],
        np.minimum(hardware.read_bits_per_cycle[:, 0], hardware.write_bits_per_cycle[:, 0]),
    )
