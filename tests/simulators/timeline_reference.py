"""The machine of `accel_dse.simulators.timeline`, written down a second time: literally and slowly.

Every step is visited. Tiles are intervals of indices that the loop counters give; what a transfer
carries is found by looking at the tiles of all instances, before and after. Nothing is tabulated,
skipped or remembered.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from timeline_cases import Case

from accel_dse.workload import DIMS, RELEVANT, TENSORS

Interval = tuple[int, int]
"""First index and extent."""

Counters = dict[tuple[int, int], int]
"""Where the loop of a (level, dimension) is; 0 if it is not named."""

P, Q, R, S = range(4, 8)
AXES = ((P, R), (Q, S))
PARTIAL = 3


class Geometry:
    """Where tiles lie at each step."""

    def __init__(self, case: Case) -> None:
        self.levels = case.mapping.levels
        self.temporal = case.mapping.temporal[0].tolist()
        self.spatial = (case.mapping.spatial_x * case.mapping.spatial_y)[0].tolist()
        self.order = case.mapping.order[0].tolist()
        self.bounds = case.layer.dims
        self.scale = (1, 1, 1, 1, *case.layer.stride, *case.layer.dilation)

    def full(self, level: int, d: int) -> int:
        """What an unclipped tile spans."""
        inside = range(level, self.levels)
        return math.prod(self.temporal[i][d] * self.spatial[i][d] for i in inside)

    def stride(self, level: int, d: int) -> int:
        """What one iteration of a loop covers."""
        return self.spatial[level][d] * self.full(level + 1, d)

    def tile(self, level: int, d: int, at: Counters) -> Interval:
        """The first instance's tile."""
        start, extent = 0, self.bounds[d]
        for i in range(level):
            start += at.get((i, d), 0) * self.stride(i, d)
            extent = min(extent - at.get((i, d), 0) * self.stride(i, d), self.full(i + 1, d))
        return start, extent

    def trips(self, level: int, d: int, at: Counters) -> int:
        """Iterations of a loop, given where the loops outside it are."""
        return -(-self.tile(level, d, at)[1] // self.stride(level, d))

    def steps(self) -> Iterator[Counters]:
        """The counters of all loops but those of the innermost level, step by step."""
        loops = [(i, d) for i in range(self.levels - 1) for d in self.order[i]]
        loops = [(i, d) for i, d in loops if self.temporal[i][d] > 1]

        def nest(k: int, at: Counters) -> Iterator[Counters]:
            if k == len(loops):
                yield at
                return
            for index in range(self.trips(*loops[k], at)):
                yield from nest(k + 1, {**at, loops[k]: index})

        yield from nest(0, {})

    def instances(
        self, d: int, at: Counters, outer: int, inner: int
    ) -> list[tuple[tuple[int, ...], Interval]]:
        """Which instances of `inner` under the first of `outer` have work, and their tiles."""

        def under(level: int, place: tuple[int, ...], start: int, extent: int) -> list:
            if level == inner:
                return [(place, (start, extent))]
            begin = at.get((level, d), 0) * self.stride(level, d)
            tile = self.full(level + 1, d)
            left = min(extent - begin, self.stride(level, d))
            return [
                found
                for a in range(self.spatial[level][d])
                if left > a * tile
                for found in under(
                    level + 1, (*place, a), start + begin + a * tile, min(tile, left - a * tile)
                )
            ]

        return under(outer, (), *self.tile(outer, d, at))

    def window(self, level: int, axis: int, at: Counters) -> Interval:
        """Rows (axis 0) or columns (1) of the input in the first instance's tile."""
        return self._seen(axis, *(self.tile(level, d, at) for d in AXES[axis]))

    def _seen(self, axis: int, outputs: Interval, taps: Interval) -> Interval:
        p, r = AXES[axis]
        first = outputs[0] * self.scale[p] + taps[0] * self.scale[r]
        span = (outputs[1] - 1) * self.scale[p] + (taps[1] - 1) * self.scale[r] + 1
        return first, span

    def windows(self, axis: int, at: Counters, outer: int, inner: int) -> list[Interval]:
        """The same of all instances."""
        p, r = (self.instances(d, at, outer, inner) for d in AXES[axis])
        return [self._seen(axis, a, b) for (_, a), (_, b) in product(p, r)]

    def gaps(self, axis: int, outer: int, inner: int) -> bool:
        """Whether a level passed by steps through rows or columns."""
        return any(self.temporal[i][d] > 1 for i in range(outer + 1, inner) for d in AXES[axis])


@dataclass
class Link:
    """A level that keeps a tensor, as seen from the next one outside that does."""

    source: int
    target: int
    tensor: int
    double: bool
    resident: bool
    outside: "Link | None"
    used: int = 0
    freed: int = 0


class Reference:
    """Plays one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.hardware = case.hardware
        self.geometry = Geometry(case)
        self.now = 0
        self.channels: dict[tuple[int, str], int] = {}
        self.busy: dict[tuple[int, str], int] = {}
        self.computing = 0
        last = self.geometry.levels - 1
        self.sums_grow = any(t[d] > 1 for t in self.geometry.temporal for d in (3, R, S))
        self.chains: list[list[Link]] = []
        for t in range(3):
            chain: list[Link] = []
            for level in range(1, last + 1):
                if self.hardware.keeps[level, t]:
                    outside = chain[-1] if chain else None
                    source = outside.target if outside else 0
                    stays = (False, case.inputs_resident, case.outputs_resident)[t]
                    chain.append(
                        Link(source, level, t, self.has_two_places(level, t),
                             stays and outside is None, outside)
                    )  # fmt: skip
            self.chains.append(chain)
        self.innermost = [chain[-1].target if chain else 0 for chain in self.chains]

    def relevant(self, tensor: int) -> list[int]:
        return [d for d in range(8) if DIMS[d] in RELEVANT[TENSORS[tensor]]]

    def has_two_places(self, level: int, tensor: int) -> bool:
        """Whether two tiles of each tensor that ever gets another one fit beside each other."""
        geometry, hardware = self.geometry, self.hardware
        if not hardware.double_buffered[level]:
            return False
        bits = 0.0
        for t in range(3):
            shares = hardware.partition[level, t] == hardware.partition[level, tensor]
            if not hardware.keeps[level, t] or not shares:
                continue
            dims = self.relevant(t)
            extents = {d: geometry.full(level, d) for d in dims}
            words = math.prod(extents[d] for d in dims if t != 1 or d < P)
            if t == 1:
                for p, r in AXES:
                    words *= (
                        (extents[p] - 1) * geometry.scale[p]
                        + (extents[r] - 1) * geometry.scale[r]
                        + 1
                    )
            moves = any(geometry.temporal[i][d] > 1 for i in range(level) for d in dims)
            kind = PARTIAL if t == 2 and self.unfinished(level) else t
            bits += (2 if moves else 1) * words * hardware.word_bits[0, level, kind]
        return bits <= hardware.capacity_bits[0, level, tensor]

    def unfinished(self, level: int) -> bool:
        """Whether a level ever holds sums to which products are still to be added: in time, as
        they are handed in from inside more than once, or in space, by other instances.
        """
        geometry = self.geometry
        inside = next(
            (i for i in range(level + 1, geometry.levels) if self.hardware.keeps[i, 2]),
            geometry.levels,
        )
        if inside == geometry.levels:
            again = self.sums_grow
        else:
            loops = [(i, d) for i in range(inside) for d in geometry.order[i]]
            adds = [d in (3, R, S) for i, d in loops if geometry.temporal[i][d] > 1]
            again = any(a and not b for a, b in combinations(adds, 2))
        return again or any(
            geometry.spatial[i][d] > 1 and (i < level or not self.hardware.reduces[i])
            for i in range(inside)
            for d in (3, R, S)
        )

    def play(self) -> int:
        """The cycles of the layer."""
        before: Counters | None = None
        for at in self.geometry.steps():
            self.advance(before, at)
            self.compute(at)
            before = at
        end = self.now
        for link in reversed(self.chains[2]):
            if not link.resident:
                end = max(end, self.write_back(link, before, final=True))
        return end

    def advance(self, before: Counters | None, at: Counters) -> None:
        start = self.now
        fills = False
        for t in (0, 1):
            ready = 0
            for link in self.chains[t]:
                height, width = self.missing(link, before, at)
                if height * width == 0:
                    continue
                fills |= link.target == self.geometry.levels - 1
                if link.resident:
                    continue
                left = link.used if link is not self.chains[t][-1] else self.now
                place = link.freed if link.double else left
                link.freed = left
                sent = self.sent(link.source, link.target, t, at, height, width)
                ready = self.read(link, sent, self.got(link, at, height, width), t, place, ready)
            start = max(start, ready)
        changed = [
            link
            for link in self.chains[2]
            if before is None or self.place_of(link, before) != self.place_of(link, at)
        ]
        fills |= any(link.target == self.geometry.levels - 1 for link in changed)
        start = max(start, self.exchange([k for k in changed if not k.resident], before, at))
        self.now = start + (math.ceil(self.hardware.fill_cycles[0]) if fills else 0)

    def exchange(self, changed: list[Link], before: Counters | None, at: Counters) -> int:
        """Outputs: what leaves is written, what comes back is read."""
        if not changed:
            return 0
        reductions = [key for key in at if key[1] in (3, R, S)]
        fresh = all(at[key] == 0 for key in reductions)
        final = before is not None and all(
            before[key] == self.geometry.trips(*key, before) - 1 for key in reductions
        )
        ready = 0
        places = {link.target: link.freed for link in changed}
        if changed[0].double:
            ready = self.take(changed[0], at, fresh, places[changed[0].target], ready)
        for link in reversed(changed):
            done = 0 if before is None else self.write_back(link, before, final)
            if not link.double:
                places[link.target] = done
            link.freed = done
        for link in changed[1 if changed[0].double else 0 :]:
            ready = self.take(link, at, fresh, places[link.target], ready)
        return ready

    def take(self, link: Link, at: Counters, fresh: bool, place: int, source: int) -> int:
        if fresh:
            return max(place, source)
        got = self.got(link, at, 0, 0)
        sent = self.sent(link.source, link.target, 2, at, 0, 0, once=True)
        return self.read(link, sent, got, PARTIAL, place, source)

    def write_back(self, link: Link, at: Counters, final: bool) -> int:
        kind = 2 if final else PARTIAL
        sent = self.sent(link.source, link.target, 2, at, 0, 0)
        cycles = self.cycles(link, "write", kind, sent, self.got(link, at, 0, 0))
        innermost = link is self.chains[2][-1]
        done = self.occupy(link.source, "write", self.now if innermost else link.used, cycles)
        if link.outside:
            link.outside.used = max(link.outside.used, done)
        return done

    def read(self, link: Link, sent: float, got: float, kind: int, place: int, source: int) -> int:
        cycles = self.cycles(link, "read", kind, sent, got)
        done = self.occupy(link.source, "read", max(place, source), cycles)
        if link.outside:
            link.outside.used = max(link.outside.used, done)
        return done + math.ceil(self.hardware.latency_cycles[0, link.source])

    def cycles(self, link: Link, way: str, kind: int, sent: float, got: float) -> int:
        other = {"read": "write", "write": "read"}[way]
        bits = self.hardware.word_bits[0, :, kind]
        slower = max(
            sent * bits[link.source] / self.rate(link.source, way),
            got * bits[link.target] / self.rate(link.target, other),
        )
        return math.ceil(slower) + math.ceil(self.hardware.issue_cycles[0, link.source])

    def rate(self, level: int, way: str) -> float:
        own = getattr(self.hardware, f"{way}_bits_per_cycle")[0, level]
        return float(min(own, self.hardware.shared_bits_per_cycle[0, level]))

    def channel(self, level: int, way: str) -> tuple[int, str]:
        shared = np.isfinite(self.hardware.shared_bits_per_cycle[0, level])
        return level, "both" if shared else way

    def occupy(self, level: int, way: str, ready: int, cycles: int) -> int:
        channel = self.channel(level, way)
        done = max(self.channels.get(channel, 0), ready) + cycles
        self.channels[channel] = done
        self.busy[channel] = self.busy.get(channel, 0) + cycles
        return done

    def place_of(self, link: Link, at: Counters) -> list[Interval]:
        return [self.geometry.tile(link.target, d, at) for d in self.relevant(link.tensor)]

    def missing(self, link: Link, before: Counters | None, at: Counters) -> Interval:
        """Rows and columns that the tile before did not have; (1, 1) for any new weights."""
        geometry, level = self.geometry, link.target
        if link.tensor == 0:
            return (1, 1) if before is None or self.place_of(link, before) != self.place_of(
                link, at
            ) else (0, 0)  # fmt: skip
        new = [geometry.window(level, axis, at) for axis in (0, 1)]
        if before is None:
            return new[0][1], new[1][1]
        if any(geometry.tile(level, d, before) != geometry.tile(level, d, at) for d in (0, 1, 3)):
            return new[0][1], new[1][1]
        old = [geometry.window(level, axis, before) for axis in (0, 1)]
        missing = [
            len(set(range(a, a + m)) - set(range(b, b + n))) for (a, m), (b, n) in zip(new, old)
        ]
        if new[1] == old[1]:
            return missing[0], new[1][1]
        if new[0] == old[0]:
            return new[0][1], missing[1]
        return new[0][1], new[1][1]

    def got(self, link: Link, at: Counters, height: int, width: int) -> float:
        extents = [
            self.geometry.tile(link.target, d, at)[1]
            for d in self.relevant(link.tensor)
            if link.tensor != 1 or d < P
        ]
        return float(math.prod(extents) * (height * width if link.tensor == 1 else 1))

    def sent(
        self, outer: int, inner: int, tensor: int, at: Counters, height: int, width: int,
        *, once: bool = False,
    ) -> float:  # fmt: skip
        """Words that pass the channel of the first instance of `outer`."""
        geometry, hardware = self.geometry, self.hardware
        shares = hardware.reduces if tensor == 2 else hardware.multicast
        alone = [i - outer for i in range(outer, inner) if not shares[i]]
        words = 1.0
        splits = False
        for d in range(8):
            found = geometry.instances(d, at, outer, inner)
            splits |= any(geometry.spatial[i + outer][d] > 1 for i in alone)
            if d in self.relevant(tensor):
                if tensor != 1 or d < P:
                    words *= len({i for _, (a, n) in found for i in range(a, a + n)})
            elif not once:
                words *= len({tuple(place[i] for i in alone) for place, _ in found})
        if tensor == 1:
            for axis, lines in enumerate((height, width)):
                windows = geometry.windows(axis, at, outer, inner)
                each = len(windows) * lines
                span = max(a + n for a, n in windows) - min(a for a, _ in windows)
                span -= windows[0][1] - lines
                whole = splits or geometry.gaps(axis, outer, inner)
                words *= each if whole else min(each, span)
        return words

    def compute(self, at: Counters) -> None:
        """One step: the array, and the channels of the levels that feed it."""
        geometry, hardware = self.geometry, self.hardware
        last = geometry.levels - 1
        steps = math.prod(geometry.trips(last, d, at) for d in range(8))
        bits = {(i, way): 0.0 for i in range(last + 1) for way in ("read", "write")}
        for t in range(3):
            level = self.innermost[t]
            width = hardware.word_bits[0, level, PARTIAL if t == 2 else t]
            words = self.sent(level, geometry.levels, t, at, 1, 1) * steps
            for way in ("read",) if t < 2 else ("read", "write") if self.sums_grow else ("write",):
                bits[level, way] += words * width
        start, end = self.now, self.now + steps
        for level in range(last + 1):
            demands = [(bits[level, way], self.rate(level, way), way) for way in ("read", "write")]
            if np.isfinite(hardware.shared_bits_per_cycle[0, level]):
                (read, read_rate, _), (written, write_rate, _) = demands
                if read_rate == write_rate:
                    demands = [(read + written, read_rate, "read")]
                else:
                    demands = [(read / read_rate + written / write_rate, 1.0, "read")]
            for amount, rate, way in demands:
                cycles = math.ceil(amount / rate)
                if cycles > 0:
                    end = max(end, self.occupy(level, way, start, cycles))
        self.computing += steps
        self.now = end


def overcharges(case: Case) -> bool:
    """Whether the last instance of a split has less to do, and is charged like the others: where
    loops inside the split, or a second split, are crossed by one transfer.
    """
    temporal, spatial = case.mapping.temporal[0], (
        case.mapping.spatial_x * case.mapping.spatial_y
    )[0]  # fmt: skip
    cover = np.prod(temporal * spatial, axis=0)
    for d in np.flatnonzero(cover != case.layer.dims):
        for i in np.flatnonzero(spatial[:, d] > 1):
            if (temporal[i + 1 :, d] > 1).any() or (spatial[i + 1 :, d] > 1).any():
                return True
    return False
