"""A network on mapped designs: layers added up, and what stays on the chip between them.

Each distinct layer is played once for each way in which it may occur: with its inputs already on
the chip or not, with its outputs left there or not. Which activations stay on the chip is then
chosen for the network as a whole.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from accel_dse.hardware import Hardware
from accel_dse.metrics import Metrics
from accel_dse.simulators import loop_nest, mapper, timeline
from accel_dse.simulators.mapper import shared_level
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


def ways_asked(workload: Workload) -> NDArray[np.bool_]:
    """In which ways each of `u` distinct layers may occur: see `mapper.Mapped.ways`, `(u, 4)`."""
    asked = np.zeros((len(workload.unique()), 2, 2), dtype=bool)
    arrives = False
    for place in places(workload):
        asked[place.layer, : 1 + arrives, : 1 + place.hands_over] = True
        arrives = place.hands_over
    return asked.reshape(-1, 4)


@dataclass(frozen=True, eq=False)
class Played:
    """`n` designs on a network of `u` distinct layers, with `f` candidate mappings each at most.

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
        return tuple(
            self.mapped.reason(i, layer, self.hardware, self.layers[layer].name)
            if layer >= 0
            else ""
            for i, layer in enumerate(self.mapped.failed().tolist())
        )

    @cached_property
    def works(self) -> Ints:
        """The designs that can run the network, `(w,)`."""
        return np.flatnonzero(self.mapped.failed() < 0)

    @cached_property
    def _found(self) -> NDArray[np.bool_]:
        """Which candidates there are, `(w, u, f)`."""
        found = self.mapped.found[self.works]
        return np.arange(found.max(initial=1)) < found[..., None]

    @cached_property
    def rows(self) -> Ints:
        """The row of `mapped.mappings` of each candidate; the first again where there are fewer
        than `f`, `(w, u, f)`.
        """
        number = np.where(self._found, np.arange(self._found.shape[2]), 0)
        return np.asarray(self.mapped.first[self.works][..., None] + number)

    @cached_property
    def fits(self) -> NDArray[np.bool_]:
        """Whether each candidate is one for each way, `(w, u, f, 2, 2)`."""
        ways = self.mapped.ways[self.rows][..., None] >> np.arange(4) & 1
        return np.asarray((ways & self._found[..., None]).reshape(*self.rows.shape, 2, 2) > 0)

    @cached_property
    def _counted(self) -> tuple[Floats, Floats, Floats]:
        """Cycles by the analytical model, pJ and DRAM bits of each candidate, `(w, u, f)` each."""
        design, layer, candidate = np.nonzero(self._found)
        counted = loop_nest.evaluate(
            self.hardware,
            self.layers,
            self.mapped.mappings,
            self.works[design],
            layer,
            self.rows[design, layer, candidate],
        )
        columns = counted.cycles, counted.energy_pj, counted.dram_read_bits
        tables = np.full((3, *self.rows.shape), np.inf)
        for table, column in zip(tables, columns):
            table[design, layer, candidate] = column
        return tables[0], tables[1], tables[2]

    @cached_property
    def cycles(self) -> Floats:
        """Cycles of one run of each candidate in each way, infinite if it is none for that way,
        `(w, u, f, 2, 2)`. The analytical model's are those of way 0 in all.
        """
        table = np.full(self.fits.shape, np.inf)
        at = np.nonzero(self.fits)
        design, layer, candidate, arrives, stays = at
        if self.cycle_level:
            table[at] = timeline.simulate(
                self.hardware,
                self.layers,
                self.mapped.mappings,
                self.works[design],
                layer,
                self.rows[design, layer, candidate],
                arrives.astype(bool),
                stays.astype(bool),
            ).cycles
        else:
            table[at] = self._counted[0][design, layer, candidate]
        return table

    @cached_property
    def chosen(self) -> Ints:
        """The candidate chosen for each layer in each way, `(w, u, 2, 2)`."""
        cycles = self.cycles
        energy = np.where(np.isfinite(cycles), self._counted[1][..., None, None], np.inf)
        first, second = cycles, energy
        if self.goal == "energy":
            first, second = second, first
        elif self.goal == "edp":
            first, second = cycles * energy, cycles
        best = first == first.min(axis=2, keepdims=True)
        return np.asarray(np.where(best, second, np.inf).argmin(axis=2))

    def _of_chosen(self, table: Floats) -> Floats:
        """A column of the chosen ones, `(w, u, 2, 2)`, of a table `(w, u, f, 2, 2)`."""
        return np.asarray(np.take_along_axis(table, self.chosen[:, :, None], axis=2)[:, :, 0])

    @cached_property
    def chosen_rows(self) -> Ints:
        """The row of `mapped.mappings` of what is chosen, `(w, u, 2, 2)`."""
        w, u, _ = self.rows.shape
        at = np.ogrid[:w, :u]
        return np.asarray(self.rows[at[0][..., None, None], at[1][..., None, None], self.chosen])

    @cached_property
    def counts(self) -> loop_nest.LevelCounts:
        """What the chosen ones access, by level and tensor: a row for each element of
        `chosen_rows`, flattened.
        """
        w, u = self.chosen_rows.shape[:2]
        counts = loop_nest.evaluate(
            self.hardware,
            self.layers,
            self.mapped.mappings,
            np.repeat(self.works, u * 4),
            np.tile(np.repeat(np.arange(u), 4), w),
            self.chosen_rows.reshape(-1),
            detail=True,
        ).levels
        if counts is None:
            raise AssertionError("detail was asked for")
        return counts

    @cached_property
    def costs(self) -> tuple[Floats, Floats, Floats]:
        """Cycles, DRAM bits and dynamic pJ of one run of each layer in each way, `(w, u, 2, 2)`
        each; infinite cycles where a way is not possible.

        What is on the chip already, or stays there, is not moved from or to DRAM.
        """
        shape = self.chosen.shape
        cycles = self._of_chosen(self.cycles)
        energy = self._of_chosen(
            np.broadcast_to(self._counted[1][..., None, None], self.fits.shape)
        )
        w, u = shape[:2]
        bits = np.repeat(self.hardware.word_bits[self.works, 0], u * 4, axis=0)
        by_tensor = self.counts.total_reads[:, 0] * bits[:, [0, 1, 3]]
        written = self.counts.total_updates[:, 0, OUTPUTS]
        words = np.array([float(layer.words("outputs")) for layer in self.layers])
        final = np.minimum(written, np.tile(np.repeat(words, 4), w))
        by_tensor[:, OUTPUTS] += final * bits[:, 2] + (written - final) * bits[:, 3]
        by_tensor = by_tensor.reshape(*shape, 3)
        saved = by_tensor[..., INPUTS] * np.array([[0, 0], [1, 1]])
        saved = saved + by_tensor[..., OUTPUTS] * np.array([[0, 1], [0, 1]])
        dram = by_tensor.sum(axis=-1) - saved
        price = self.hardware.access_pj_per_bit[self.works, 0].mean(axis=1)
        if not self.cycle_level:
            counts = self.counts
            inside = np.maximum(counts.compute_cycles, counts.level_cycles[:, 1:].max(axis=1))
            rate = dram_bits_per_cycle(self.hardware)[self.works][:, None, None, None]
            possible = np.where(np.isfinite(cycles), 0.0, np.inf)
            cycles = np.maximum(inside.reshape(shape), np.ceil(dram / rate)) + possible
        return cycles, dram, energy - saved * price[:, None, None, None]

    @cached_property
    def ways(self) -> tuple[Ints, Ints]:
        """Whether inputs arrive on the chip and whether outputs stay, 0 or 1, `(w, places)`.

        Chosen so that the network costs least by the goal (the sum of its layers' products for
        `edp`), and of equals so that more stays.
        """
        cycles, _, energy = self.costs
        score = {"latency": cycles, "energy": energy + np.where(np.isfinite(cycles), 0, np.inf)}
        cost = score.get(self.goal, cycles * energy)
        w, count = len(self.works), len(self.places)
        best = np.zeros((w, 2))  # of all places from k on, by whether inputs arrive at k
        stay = np.zeros((count, w, 2), dtype=np.int64)
        for k in range(count - 1, -1, -1):
            place = self.places[k]
            leaves = cost[:, place.layer, :, 0] * place.count + best[:, :1]
            stays = np.full((w, 2), np.inf)
            if place.hands_over:
                stays = cost[:, place.layer, :, 1] + best[:, 1:]
            stay[k] = stays <= leaves
            best = np.minimum(stays, leaves)
        arrives = np.zeros((w, count + 1), dtype=np.int64)
        for k in range(count):
            arrives[:, k + 1] = stay[k][np.arange(w), arrives[:, k]]
        return arrives[:, :-1], arrives[:, 1:]

    def at(self, k: int) -> tuple[Ints, int, Ints, Ints]:
        """Index into a table `(w, u, 2, 2)` of what runs at place `k`; its arrays are `(w,)`."""
        return (
            np.arange(len(self.works)),
            self.places[k].layer,
            self.ways[0][:, k],
            self.ways[1][:, k],
        )

    @cached_property
    def mapping_rows(self) -> Ints:
        """The row of `mapped.mappings` that runs at each place, `(w, places)`."""
        return np.stack([self.chosen_rows[self.at(k)] for k in range(len(self.places))], axis=1)

    def cycles_at(self, k: int) -> Floats:
        """Cycles of one run at place `k`, `(w,)`."""
        return np.asarray(self.costs[0][self.at(k)])

    def dram_bits_at(self, k: int) -> Floats:
        """DRAM traffic of one run at place `k`, `(w,)`."""
        return np.asarray(self.costs[1][self.at(k)])

    def energy_pj_at(self, k: int) -> Floats:
        """Dynamic energy of one run at place `k`, `(w,)`."""
        return np.asarray(self.costs[2][self.at(k)])

    def count_row_at(self, k: int) -> Ints:
        """The row of `counts` of what runs at place `k`, `(w,)`."""
        rows, layer, arrives, stays = self.at(k)
        return np.asarray(((rows * len(self.layers) + layer) * 2 + arrives) * 2 + stays)

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


def dram_bits_per_cycle(hardware: Hardware) -> Floats:
    """What DRAM can move in a cycle, reading or writing, `(n,)`."""
    return np.minimum(
        hardware.shared_bits_per_cycle[:, 0],
        np.minimum(hardware.read_bits_per_cycle[:, 0], hardware.write_bits_per_cycle[:, 0]),
    )
