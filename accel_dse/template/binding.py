"""A template's expressions computed for `n` designs at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.errors import DesignError, DseError
from accel_dse.expressions import Expression
from accel_dse.hardware import UNLIMITED, WORDS, Hardware
from accel_dse.template.costs import Costs, cost
from accel_dse.template.description import Level, Macs, Template
from accel_dse.template.fields import check_value
from accel_dse.workload import DIMS, TENSORS

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]

MOST_COPIES = 2**31
"""More instances of one level than any chip has."""


def bind(template: Template, designs: Columns) -> Hardware:
    """The hardware of `n` designs.

    Args:
        template: what is built.
        designs: parameter name -> array of shape `(n,)`, or `(n, k)` if structured.

    Raises:
        DesignError: an expression has no value for a design, or one that no hardware can have: a
            capacity, a bandwidth or a number of copies that is not positive, half an instance.
    """
    return _Binding(template, designs).hardware()


class _Binding:
    """One evaluation of a template's expressions for `n` designs."""

    def __init__(self, template: Template, designs: Columns) -> None:
        self.template = template
        self.n = len(next(iter(designs.values()))) if designs else 1
        self.columns: dict[str, NDArray[Any]] = dict(designs)
        for name, expression in template.derived.items():
            self.columns[name] = self._evaluate(expression, f"derived.{name}")

    def _evaluate(self, expression: Expression, where: str) -> Floats:
        try:
            found = np.asarray(expression.evaluate(self.columns), dtype=np.float64)
        except DseError as error:
            raise DesignError(f"accelerator.{where}: {error}", hint=error.hint) from error
        return np.broadcast_to(found, (self.n,)).astype(np.float64)

    def value(
        self, expression: Expression, where: str, *, positive: bool = False, whole: bool = False
    ) -> Floats:
        """The value for each design, `(n,)`; `where` is its key in the section."""
        array = self._evaluate(expression, where)
        wrong = (array < 0) | (positive & (array == 0)) | (whole & (array != np.floor(array)))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            given = ", ".join(f"{name}={self.columns[name][row]}" for name in expression.names)
            try:
                check_value(float(array[row]), positive=positive, whole=whole)
            except DseError as error:
                raise DesignError(
                    f"accelerator.{where}: {expression.text!r} {error} for {given or 'any design'}"
                ) from None
        return array

    def rate(self, expression: Expression | None, where: str) -> Floats:
        """Bits per cycle of an expression in bytes per cycle; unlimited if there is none."""
        if expression is None:
            return np.full(self.n, UNLIMITED)
        return 8 * self.value(expression, where, positive=True)

    def hardware(self) -> Hardware:
        template = self.template
        levels = template.levels
        inside: list[tuple[str, Level | Macs]] = [
            *((f"levels.{level.name}", level) for level in levels[1:]),
            ("macs", template.macs),
        ]
        receivers = [each for _, each in inside]
        fanout_x, fanout_y = (
            np.stack([self._copies(each, where, axis) for where, each in inside], axis=1)
            for axis in (0, 1)
        )
        capacity, partition = self._capacities()
        rates = {key: self._rates(key) for key in ("read", "write", "shared")}
        clock = self.value(template.clock_ghz, "clock_ghz", positive=True)
        costs = self._costs(fanout_x * fanout_y, capacity, rates, clock)
        return Hardware(
            levels=tuple(level.name for level in levels),
            keeps=np.array([[t in level.keeps for t in TENSORS] for level in levels]),
            partition=partition,
            multicast=np.array([each.multicast for each in receivers]),
            reduces=np.array([each.reduces for each in receivers]),
            double_buffered=np.array([level.double_buffered for level in levels]),
            loops_allowed=np.array([[d in level.loops for d in DIMS] for level in levels]),
            unroll_x=np.array([[d in each.unroll[0] for d in DIMS] for each in receivers]),
            unroll_y=np.array([[d in each.unroll[1] for d in DIMS] for each in receivers]),
            hardwired=np.array([each.hardwired for each in receivers]),
            whole=np.stack([self._whole(level) for level in levels], axis=1),
            capacity_bits=capacity,
            word_bits=np.stack([self._word_bits(level) for level in levels], axis=1),
            fanout_x=fanout_x,
            fanout_y=fanout_y,
            read_bits_per_cycle=rates["read"],
            write_bits_per_cycle=rates["write"],
            shared_bits_per_cycle=rates["shared"],
            latency_cycles=self._of_levels("latency"),
            issue_cycles=self._of_levels("issue"),
            fill_cycles=self.value(template.macs.fill, "macs.fill"),
            program_entries=self._program_entries(),
            program_level=self._program_level(),
            access_pj_per_bit=costs.access_pj_per_bit,
            network_pj_per_bit=costs.network_pj_per_bit,
            mac_pj=costs.mac_pj,
            static_w=costs.static_w,
            area_mm2=costs.area_mm2,
            level_mm2=costs.level_mm2,
            macs_mm2=costs.macs_mm2,
            clock_ghz=clock,
            vector_operations_per_cycle=self.value(
                template.vector_lanes, "vector_lanes", positive=True
            ),
        )

    def _costs(
        self,
        fanout: NDArray[np.int64],
        capacity: Floats,
        rates: Mapping[str, Floats],
        clock: Floats,
    ) -> Costs:
        instances = np.concatenate(
            [np.ones((self.n, 1)), np.cumprod(fanout.astype(np.float64), axis=1)], axis=1
        )
        if (instances > MOST_COPIES).any():
            raise DesignError(
                f"accelerator: {instances.max():.3g} multiply-accumulate units are more than 2^31"
            )
        return cost(
            self.template,
            instances,
            capacity,
            rates,
            clock,
            self._of_levels("logic_mm2"),
            self.value(self.template.logic_mm2, "logic_mm2"),
        )

    def _copies(self, each: Level | Macs, where: str, axis: int) -> NDArray[np.int64]:
        place = f"{where}.copies.{'xy'[axis]}"
        copies = self.value(each.copies[axis], place, positive=True, whole=True)
        if (copies > MOST_COPIES).any():
            raise DesignError(f"accelerator.{place}: {copies.max():.3g} is more than 2^31")
        return copies.astype(np.int64)

    def _rates(self, key: str) -> Floats:
        return np.stack(
            [
                self.rate(getattr(level, key), f"levels.{level.name}.bandwidth.{key}")
                for level in self.template.levels
            ],
            axis=1,
        )

    def _of_levels(self, key: str) -> Floats:
        return np.stack(
            [
                self.value(getattr(level, key), f"levels.{level.name}.{key}")
                for level in self.template.levels
            ],
            axis=1,
        )

    def _word_bits(self, level: Level) -> Floats:
        precision = self.template.precision
        columns = []
        for kind in WORDS:
            own = level.word_bits.get(kind)
            columns.append(
                np.full(self.n, float(getattr(precision, kind)))
                if own is None
                else self.value(own, f"levels.{level.name}.word_bits.{kind}", positive=True)
            )
        return np.stack(columns, axis=1)

    def _whole(self, level: Level) -> NDArray[np.bool_]:
        table = np.zeros((self.n, len(DIMS)), dtype=bool)
        for dim, condition in level.whole.items():
            where = f"levels.{level.name}.whole.{dim}"
            table[:, DIMS.index(dim)] = self.value(condition, where) != 0
        return table

    def _capacities(self) -> tuple[Floats, NDArray[np.int64]]:
        levels = self.template.levels
        capacity = np.full((self.n, len(levels), len(TENSORS)), UNLIMITED)
        partition = np.zeros((len(levels), len(TENSORS)), dtype=np.int64)
        for i, level in enumerate(levels):
            where = f"levels.{level.name}.capacity_bytes"
            for group, store in enumerate(level.stores):
                bits = 8 * self.value(store.capacity_bytes, where, positive=True)
                for tensor in store.tensors:
                    capacity[:, i, TENSORS.index(tensor)] = bits
                    partition[i, TENSORS.index(tensor)] = group
        return capacity, partition

    def _program_entries(self) -> Floats:
        program = self.template.program
        if program is None:
            return np.full(self.n, UNLIMITED)
        entries = self.value(program.entries, "program.entries", positive=True)
        return np.floor(
            entries / self.value(program.per_transfer, "program.per_transfer", positive=True)
        )

    def _program_level(self) -> int:
        program = self.template.program
        names = [level.name for level in self.template.levels]
        return -1 if program is None else names.index(program.level)
