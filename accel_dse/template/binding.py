"""A template's expressions computed for `n` designs at once: the hardware, and what it costs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError
from accel_dse.expressions import Expression
from accel_dse.hardware import UNLIMITED, Hardware
from accel_dse.template.description import MEMORIES, Level, Macs, Template
from accel_dse.workload import DIMS, TENSORS

Columns = Mapping[str, NDArray[Any]]


def bind(template: Template, designs: Columns) -> Hardware:
    """The hardware of `n` designs.

    Args:
        template: what is built.
        designs: parameter name -> array of shape `(n,)`, or `(n, k)` if structured.

    Raises:
        DesignError: an expression has no value for a design, or a capacity, a bandwidth or a
            number of copies is not positive.
    """
    return _Binding(template, designs).hardware()


class _Binding:
    """One evaluation of a template's expressions for `n` designs."""

    def __init__(self, template: Template, designs: Columns) -> None:
        self.template = template
        self.n = len(next(iter(designs.values()))) if designs else 1
        self.columns: dict[str, NDArray[Any]] = dict(designs)
        for name, expression in template.derived.items():
            self.columns[name] = self.value(expression, f"derived.{name}")

    def value(
        self, expression: Expression, where: str, *, at_least: float = 0.0
    ) -> NDArray[np.float64]:
        found = np.asarray(expression.evaluate(self.columns), dtype=np.float64)
        array = np.broadcast_to(found, (self.n,)).astype(np.float64)
        if not (array >= at_least).all():
            row = int(np.flatnonzero(~(array >= at_least))[0])
            raise DesignError(
                f"accelerator.{where}: {expression.text!r} is {array[row]:g}, "
                f"but must be at least {at_least:g}"
            )
        return array

    def rate(self, expression: Expression | None, where: str) -> NDArray[np.float64]:
        """Bits per cycle of an expression in bytes per cycle; unlimited if there is none."""
        if expression is None:
            return np.full(self.n, UNLIMITED)
        bits = 8 * self.value(expression, where)
        if not (bits > 0).all():
            raise DesignError(f"accelerator.{where}: a bandwidth must be positive")
        return bits

    def hardware(self) -> Hardware:
        template, n = self.template, self.n
        levels = template.levels
        inside: list[Level | Macs] = [*levels[1:], template.macs]
        fanout = np.stack(
            [
                [
                    self.value(level.copies[axis], "copies", at_least=1).astype(np.int64)
                    for level in inside
                ]
                for axis in (0, 1)
            ]
        ).transpose(0, 2, 1)
        instances = np.concatenate(
            [np.ones((n, 1)), np.cumprod(fanout[0] * fanout[1], axis=1)], axis=1
        )
        word_bits = np.stack([self._word_bits(level) for level in levels], axis=1)
        capacity, partition = self._capacities()
        costs = _Costs(self, instances, word_bits, capacity, partition)
        return Hardware(
            levels=tuple(level.name for level in levels),
            keeps=np.array([[t in level.keeps for t in TENSORS] for level in levels]),
            partition=partition,
            multicast=np.array([level.multicast for level in inside]),
            reduces=np.array([level.reduces for level in inside]),
            double_buffered=np.array([level.double_buffered for level in levels]),
            loops_allowed=np.array([[d in level.loops for d in DIMS] for level in levels]),
            unroll_x=np.array([[d in level.unroll[0] for d in DIMS] for level in inside]),
            unroll_y=np.array([[d in level.unroll[1] for d in DIMS] for level in inside]),
            hardwired=np.array([level.hardwired for level in inside]),
            whole=np.stack([self._whole(level) for level in levels], axis=1),
            capacity_bits=capacity,
            word_bits=word_bits,
            fanout_x=np.ascontiguousarray(fanout[0]),
            fanout_y=np.ascontiguousarray(fanout[1]),
            read_bits_per_cycle=self._table("read"),
            write_bits_per_cycle=self._table("write"),
            shared_bits_per_cycle=self._table("shared"),
            latency_cycles=self._plain("latency"),
            issue_cycles=self._plain("issue"),
            fill_cycles=self.value(template.macs.fill, "macs.fill"),
            program_entries=self._program_entries(),
            program_level=self._program_level(),
            access_pj_per_bit=costs.access_pj_per_bit,
            network_pj_per_bit=costs.network_pj_per_bit,
            mac_pj=costs.mac_pj,
            static_w=costs.static_w,
            area_mm2=costs.area_mm2,
            clock_ghz=self.value(template.clock_ghz, "clock_ghz"),
            vector_operations_per_cycle=self.value(
                template.vector_lanes, "vector_lanes", at_least=1e-9
            ),
        )

    def _table(self, attribute: str) -> NDArray[np.float64]:
        return np.stack(
            [
                self.rate(getattr(level, attribute), f"levels.{level.name}.bandwidth.{attribute}")
                for level in self.template.levels
            ],
            axis=1,
        )

    def _plain(self, attribute: str) -> NDArray[np.float64]:
        return np.stack(
            [
                self.value(getattr(level, attribute), f"levels.{level.name}.{attribute}")
                for level in self.template.levels
            ],
            axis=1,
        )

    def _word_bits(self, level: Level) -> NDArray[np.float64]:
        precision = self.template.precision
        columns = []
        for kind in ("weights", "inputs", "outputs", "partial_sums"):
            own = level.word_bits.get(kind)
            columns.append(
                np.full(self.n, float(getattr(precision, kind)))
                if own is None
                else self.value(own, f"levels.{level.name}.word_bits.{kind}", at_least=1)
            )
        return np.stack(columns, axis=1)

    def _whole(self, level: Level) -> NDArray[np.bool_]:
        table = np.zeros((self.n, len(DIMS)), dtype=bool)
        for dim, condition in level.whole.items():
            table[:, DIMS.index(dim)] = self.value(condition, f"levels.{level.name}.whole") != 0
        return table

    def _capacities(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        levels = self.template.levels
        capacity = np.full((self.n, len(levels), 3), UNLIMITED)
        partition = np.zeros((len(levels), 3), dtype=np.int64)
        for i, level in enumerate(levels):
            for group, (tensors, expression) in enumerate(level.capacity_bytes.items()):
                where = f"levels.{level.name}.capacity_bytes"
                bits = 8 * self.value(expression, where)
                if not (bits > 0).all():
                    raise DesignError(f"accelerator.{where}: a capacity must be positive")
                for tensor in tensors:
                    capacity[:, i, TENSORS.index(tensor)] = bits
                    partition[i, TENSORS.index(tensor)] = group
        return capacity, partition

    def _program_entries(self) -> NDArray[np.float64]:
        program = self.template.program
        if program is None:
            return np.full(self.n, UNLIMITED)
        entries = self.value(program.entries, "program.entries")
        return np.floor(
            entries / self.value(program.per_transfer, "program.per_transfer", at_least=1e-9)
        )

    def _program_level(self) -> int:
        program = self.template.program
        names = [level.name for level in self.template.levels]
        return -1 if program is None else names.index(program.level)


class _Costs:
    """Area, energy and static power of a binding, from the technology table."""

    def __init__(
        self,
        binding: _Binding,
        instances: NDArray[np.float64],
        word_bits: NDArray[np.float64],
        capacity: NDArray[np.float64],
        partition: NDArray[np.int64],
    ) -> None:
        template, n = binding.template, binding.n
        technology = template.technology
        count = len(template.levels)
        clock = binding.value(template.clock_ghz, "clock_ghz")
        self.access_pj_per_bit = np.zeros((n, count, 3))
        stored = np.zeros((n, count))
        logic = np.zeros((n, count))
        clocked = np.zeros(n)
        self.static_w = np.zeros(n)
        for i, level in enumerate(template.levels):
            own = binding.value(level.logic_mm2, f"levels.{level.name}.logic_mm2")
            logic[:, i] = own * instances[:, i]
            if level.memory not in MEMORIES:
                dram = technology.dram(level.memory)
                self.access_pj_per_bit[:, i] = dram.pj_per_bit
                peak = binding.rate(level.shared or level.read, f"levels.{level.name}.bandwidth")
                rate = np.where(np.isfinite(peak), peak / 8 * clock, 0.0)
                stored[:, i] = technology.dram_interface_mm2(level.memory, rate)
                continue
            width = _port_bits(binding, level)
            for group in range(len(level.capacity_bytes)):
                member = next(
                    t
                    for t, name in enumerate(TENSORS)
                    if name in level.keeps and partition[i, t] == group
                )
                bits = capacity[:, i, member]
                store = technology.sram if level.memory == "sram" else technology.register_file
                cost = store(bits, np.minimum(width, bits))
                stored[:, i] += cost.area_mm2 * instances[:, i]
                if level.memory == "registers":
                    clocked += cost.area_mm2 * instances[:, i]
                else:
                    self.static_w += cost.leakage_w * instances[:, i]
                share = 1.0 / len(level.capacity_bytes)
                self.access_pj_per_bit[:, i, 0] += share * cost.read_pj_per_bit
                self.access_pj_per_bit[:, i, 1:] += share * cost.write_pj_per_bit[:, None]
        mac = technology.mac(template.precision)
        self.mac_pj = np.broadcast_to(mac.energy_pj, (n,)).astype(np.float64)
        macs_mm2 = mac.area_mm2 * instances[:, count]
        macs_mm2 = macs_mm2 + technology.control_mm2(macs_mm2)
        shared = binding.value(template.logic_mm2, "logic_mm2")
        self.static_w += technology.logic_static_w(
            clocked + logic.sum(axis=1) + macs_mm2 + shared, clock
        )
        area = stored + logic
        inside = np.concatenate([area[:, 1:], macs_mm2[:, None]], axis=1)
        spanned = np.cumsum(inside[:, ::-1], axis=1)[:, ::-1] / instances[:, :count]
        self.network_pj_per_bit = technology.network_pj_per_bit(spanned)
        self.area_mm2 = area.sum(axis=1) + macs_mm2 + shared


def _port_bits(binding: _Binding, level: Level) -> NDArray[np.float64]:
    """The width of a level's port: what it must deliver in a cycle, 64 bits if unlimited."""
    rates = [
        binding.rate(expression, f"levels.{level.name}.bandwidth")
        for expression in (level.read, level.write, level.shared)
        if expression is not None
    ]
    return np.maximum.reduce(rates) if rates else np.full(binding.n, 64.0)
