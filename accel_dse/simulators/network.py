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
    """`n` designs on a network of `u` distinct layers, with `f` candidate mappings each.

    A place of the network needs a layer in one of four ways: its inputs arrive on the chip or
    come from DRAM, its outputs stay there or go to DRAM. Arrays over ways end in `(2, 2)`, indexed
    by `arrives` and `stays`. Arrays over designs that work lead with `w`.

    Attributes:
        workload: the network.
        hardware: the designs.
        mapped: candidate mappings.
        goal: what a choice among them makes small.
        cycle_level: whether cycles are played, or the analytical model's.
    """

    workload: Workload
    hardware: Hardware
    mapped: mapper.Mapped
    goal: mapper.Goal
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
        for design, layer in np.argwhere(self.mapped.found == 0)[::-1]:
            reasons[design] = self.mapped.reason(
                design, layer, self.hardware, self.layers[layer].name
            )
        return tuple(reasons)

    @cached_property
    def works(self) -> Ints:
        """The designs that can run the network, `(w,)`."""
        return np.flatnonzero((self.mapped.found > 0).all(axis=1))

    @cached_property
    def rows(self) -> Ints:
        """Where `mapped.mappings` holds each candidate, `(w, u, f)`."""
        n, u = self.mapped.found.shape
        f = len(self.mapped.mappings) // (n * u)
        return np.arange(n * u * f).reshape(n, u, f)[self.works]

    @cached_property
    def counted(self) -> loop_nest.LoopNestResult:
        """Access counts of all candidates, one row for each element of `rows`, flattened."""
        w, u, f = self.rows.shape
        return loop_nest.evaluate(
            self.hardware,
            self.layers,
            self.mapped.mappings,
            np.repeat(self.works, u * f),
            np.tile(np.repeat(np.arange(u), f), w),
            # Rows beyond `found` repeat the first candidate.
            np.where(self._found, self.rows, self.rows[:, :, :1]).reshape(-1),
            detail=True,
        )

    @cached_property
    def _found(self) -> NDArray[np.bool_]:
        return np.arange(self.rows.shape[2]) < self.mapped.found[self.works][..., None]

    @cached_property
    def counts(self) -> loop_nest.LevelCounts:
        """Per level and tensor, what `counted` sums up."""
        counts = self.counted.levels
        if counts is None:
            raise AssertionError("detail was asked for")
        return counts

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """Whether each candidate can serve in each way, `(w, u, f, 2, 2)`.

        What arrives or stays lies whole in the outermost level on the chip that keeps inputs and
        outputs, spread over its instances, beside the tiles of what does not.
        """
        w, u, f = self.rows.shape
        fits = np.zeros((w, u, f, 2, 2), dtype=bool)
        fits[..., 0, 0] = self._found
        level = shared_level(self.hardware)
        if level is None:
            return fits
        hardware = self.hardware
        bits = hardware.word_bits[self.works, level][:, None, None]
        slots = 2 if hardware.double_buffered[level] else 1
        tiles = self.counts.tile_words[:, level].reshape(w, u, f, 3) * bits[..., :3] * slots
        instances = np.prod((hardware.fanout_x * hardware.fanout_y)[self.works, :level], axis=1)
        words = np.array([[layer.words(t) for t in TENSORS] for layer in self.layers])
        whole = words[:, None] * bits[..., :3] / instances[:, None, None, None]
        capacity = hardware.capacity_bits[self.works, level][:, None, None]
        one_store = hardware.partition[level, INPUTS] == hardware.partition[level, OUTPUTS]
        for arrives in (0, 1):
            for stays in (0, 1):
                need_in = whole[..., INPUTS] if arrives else tiles[..., INPUTS]
                need_out = whole[..., OUTPUTS] if stays else tiles[..., OUTPUTS]
                if one_store:
                    room = need_in + need_out <= capacity[..., INPUTS]
                else:
                    room = (need_in <= capacity[..., INPUTS]) & (need_out <= capacity[..., OUTPUTS])
                if arrives or stays:
                    fits[..., arrives, stays] = self._found & room
        return fits

    @cached_property
    def ways(self) -> tuple[Ints, Ints]:
        """Whether inputs arrive on the chip and whether outputs stay, 0 or 1, `(w, places)`."""
        able = np.asarray(self.fits.any(axis=2))
        arrives = np.zeros((len(self.works), len(self.places)), dtype=np.int64)
        stays = np.zeros_like(arrives)
        rows = np.arange(len(self.works))
        for k, place in enumerate(self.places[:-1]):
            if place.hands_over:
                here = able[rows, place.layer, arrives[:, k], 1]
                stays[:, k] = here & able[:, self.places[k + 1].layer, 1, 0]
                arrives[:, k + 1] = stays[:, k]
        return arrives, stays

    @cached_property
    def dram_bits(self) -> Floats:
        """DRAM traffic of one run of each candidate by tensor, `(w, u, f, 3)`."""
        w, u, f = self.rows.shape
        bits = np.repeat(self.hardware.word_bits[self.works, 0], u * f, axis=0)
        moved = self.counts.total_reads[:, 0] * bits[:, [0, 1, 3]]
        written = self.counts.total_updates[:, 0, OUTPUTS]
        words = [layer.words("outputs") for layer in self.layers]
        final = np.minimum(written, np.tile(np.repeat(words, f), w))
        moved[:, OUTPUTS] += final * bits[:, 2] + (written - final) * bits[:, 3]
        return np.asarray(moved.reshape(w, u, f, 3))

    @cached_property
    def _needed(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """Candidates that some place needs: design, layer, candidate, arrives, stays, `(t,)`."""
        w, u, _ = self.rows.shape
        asked = np.zeros((w, u, 2, 2), dtype=bool)
        arrives, stays = self.ways
        for k, place in enumerate(self.places):
            asked[np.arange(w), place.layer, arrives[:, k], stays[:, k]] = True
        design, layer, candidate, arriving, staying = np.nonzero(self.fits & asked[:, :, None])
        return design, layer, candidate, arriving, staying

    @cached_property
    def cycles(self) -> Floats:
        """Cycles of one run of each candidate in each way, infinite if not needed so,
        `(w, u, f, 2, 2)`.
        """
        table = np.full(self.fits.shape, np.inf)
        design, layer, candidate, arrives, stays = self._needed
        if self.cycle_level:
            table[self._needed] = timeline.simulate(
                self.hardware,
                self.layers,
                self.mapped.mappings,
                self.works[design],
                layer,
                self.rows[design, layer, candidate],
                arrives.astype(bool),
                stays.astype(bool),
            ).cycles
            return table
        shape = self.rows.shape
        inside = np.maximum(
            self.counts.compute_cycles, self.counts.level_cycles[:, 1:].max(axis=1)
        ).reshape(shape)[design, layer, candidate]
        bits = self._bits_left(self.dram_bits[design, layer, candidate], arrives, stays)
        rate = dram_bits_per_cycle(self.hardware)[self.works[design]]
        table[self._needed] = np.maximum(inside, np.ceil(bits / rate))
        return table

    @staticmethod
    def _bits_left(bits: Floats, arrives: Ints, stays: Ints) -> Floats:
        """DRAM traffic without what is on the chip."""
        saved = bits[..., INPUTS] * arrives + bits[..., OUTPUTS] * stays
        return np.asarray(bits.sum(axis=-1) - saved)

    @cached_property
    def chosen(self) -> Ints:
        """The candidate chosen for each layer in each way, `(w, u, 2, 2)`."""
        score = self.cycles
        if self.goal != "latency":
            energy = self.counted.energy_pj.reshape(self.rows.shape)[..., None, None]
            score = np.where(
                np.isfinite(score), energy * (1 if self.goal == "energy" else score), np.inf
            )
        return np.asarray(score.argmin(axis=2))

    def at(self, k: int) -> tuple[Ints, int, Ints, Ints, Ints]:
        """Index into `cycles` of what runs at place `k`; its arrays are `(w,)`."""
        arrives, stays = self.ways[0][:, k], self.ways[1][:, k]
        rows, layer = np.arange(len(self.works)), self.places[k].layer
        return rows, layer, self.chosen[rows, layer, arrives, stays], arrives, stays

    @cached_property
    def mapping_rows(self) -> Ints:
        """The row of `mapped.mappings` that runs at each place, `(w, places)`."""
        found = [
            self.rows[rows, layer, candidate]
            for rows, layer, candidate, _, _ in map(self.at, range(len(self.places)))
        ]
        return np.stack(found, axis=1)

    def cycles_at(self, k: int) -> Floats:
        """Cycles of one run at place `k`, `(w,)`."""
        return np.asarray(self.cycles[self.at(k)])

    def dram_bits_at(self, k: int) -> Floats:
        """DRAM traffic of one run at place `k`, `(w,)`."""
        rows, layer, candidate, arrives, stays = self.at(k)
        return self._bits_left(self.dram_bits[rows, layer, candidate], arrives, stays)

    def energy_pj_at(self, k: int) -> Floats:
        """Dynamic energy of one run at place `k`, `(w,)`."""
        rows, layer, candidate, _, _ = self.at(k)
        total = self.counted.energy_pj.reshape(self.rows.shape)[rows, layer, candidate]
        price = self.hardware.access_pj_per_bit[self.works, 0].mean(axis=1)
        saved = self.dram_bits[rows, layer, candidate].sum(axis=-1) - self.dram_bits_at(k)
        return np.asarray(total - saved * price)

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

    def metrics(self) -> Metrics:
        """The metrics of `accelerator.AcceleratorSimulator`, of `n` designs."""
        hardware, works = self.hardware, self.works
        cycles, dram_bits, energy = (column.copy() for column in self.vector_ops)
        for k, place in enumerate(self.places):
            cycles += place.count * self.cycles_at(k)
            dram_bits += place.count * self.dram_bits_at(k)
            energy += place.count * self.energy_pj_at(k)
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
