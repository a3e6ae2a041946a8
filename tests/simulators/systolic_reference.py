"""SCALE-Sim v3's memory model, one request at a time: slow, plain, and nothing else.

The oracle of `test_systolic.py`: what `accel_dse.simulators.systolic` skips over, this walks
through. Written from the behavior of SCALE-Sim 3.0.0 (github.com/scalesim-project/SCALE-Sim).
"""

from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np

NOTHING = -1
"""An empty place in a demand line: no lane there, or a tap beyond the input's edge."""


@dataclass(frozen=True)
class Conv:
    """A convolution, or with `h = P = M`, `f = 1` a matrix multiply; `h`, `w` may cut windows."""

    h: int
    w: int
    r: int
    s: int
    c: int
    k: int
    p: int
    q: int
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    n: int = 1

    def inputs(self) -> np.ndarray:
        """Address of the input that output pixel `i` reads at tap `j`, `(pixels, taps)`."""
        n, p, q, r, s, c = np.ogrid[: self.n, : self.p, : self.q, : self.r, : self.s, : self.c]
        row = p * self.stride[0] + r * self.dilation[0]
        column = q * self.stride[1] + s * self.dilation[1]
        address = np.where(
            (row < self.h) & (column < self.w),
            ((n * self.h + row) * self.w + column) * self.c + c,
            NOTHING,
        )
        return address.reshape(self.n * self.p * self.q, self.r * self.s * self.c)

    def weights(self) -> np.ndarray:
        """Address of each weight, `(taps, filters)`."""
        return np.arange(self.r * self.s * self.c * self.k).reshape(-1, self.k)


def padded(block: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """`block` in the upper left of `(rows, columns)`, nothing elsewhere."""
    out = np.full((rows, columns), NOTHING)
    out[: block.shape[0], : block.shape[1]] = block
    return out


def skewed(block: np.ndarray, before: int, lines: int) -> np.ndarray:
    """Lane `c` of `block` delayed by `before + c` lines, in `lines` lines."""
    out = np.full((lines, block.shape[1]), NOTHING)
    for c in range(block.shape[1]):
        out[before + c : before + c + len(block), c] = block[:, c]
    return out


def diagonals(stack: np.ndarray) -> list[int]:
    """`stack` read along its diagonals, lowest lane first, without the empty places."""
    rows, lanes = np.indices(stack.shape)
    order = np.lexsort((lanes.ravel(), (rows + lanes).ravel()))
    flat = stack.ravel()[order]
    return [int(a) for a in flat if a != NOTHING]


@dataclass
class Streams:
    """What the array asks for, line by line, and the order in which a buffer prefetches it."""

    ifmap: np.ndarray
    filter: np.ndarray
    ofmap: np.ndarray
    ifmap_fetch: list[int]
    filter_fetch: list[int]
    ifmap_slots: int
    filter_slots: int


def streams(layer: Conv, dataflow: str, R: int, C: int) -> Streams:
    """The demand of `layer` on an R x C array."""
    a, b = layer.inputs(), layer.weights()
    M, K = a.shape
    N = b.shape[1]
    out = np.arange(M * N).reshape(M, N)
    ifmap, weight, ofmap = [], [], []

    def blocks(matrix: np.ndarray, size: int) -> list[np.ndarray]:
        return [matrix[:, i : i + size] for i in range(0, matrix.shape[1], size)]

    def lanes(matrix: np.ndarray, width: int) -> np.ndarray:
        return padded(matrix, len(matrix), width)

    if dataflow == "os":
        lines = R + C + K - 2
        for columns in range(0, N, C):
            for rows in range(0, M, R):
                ifmap.append(skewed(lanes(a[rows : rows + R].T, R), 0, lines))
                weight.append(skewed(lanes(b[:, columns : columns + C], C), 0, lines))
                tile = padded(out[rows : rows + R, columns : columns + C], R, C)
                ofmap.append(skewed(tile[::-1], K - 1, lines))
        stack_a = np.concatenate([lanes(block, R) for block in blocks(a.T, R)])
        stack_b = np.concatenate([lanes(block, C) for block in blocks(b, C)])
        fetch_a, fetch_b = diagonals(stack_a), diagonals(stack_b)
    else:
        still, moving, result = (b, a, out) if dataflow == "ws" else (a.T, b.T, out.T)
        T, S = len(moving), still.shape[1]
        lines = 2 * R + C + T - 2
        loaded, streamed = (weight, ifmap) if dataflow == "ws" else (ifmap, weight)
        for columns in range(0, S, C):
            for rows in range(0, K, R):
                tile = padded(still[rows : rows + R, columns : columns + C], R, C)
                loaded.append(padded(tile[::-1], lines, C))
                streamed.append(skewed(lanes(moving[:, rows : rows + R], R), R, lines))
                tile = lanes(result[:, columns : columns + C], C)
                ofmap.append(skewed(tile, 2 * R - 1, lines))
        stack_still = np.concatenate([lanes(block, C) for block in blocks(still, C)])
        stack_moving = np.concatenate([lanes(block, R) for block in blocks(moving, R)])
        fetches = (
            [int(x) for x in stack_still.ravel() if x != NOTHING],
            diagonals(stack_moving),
        )
        stack_a, stack_b = (
            (stack_moving, stack_still) if dataflow == "ws" else (stack_still, stack_moving)
        )
        fetch_a, fetch_b = fetches[::-1] if dataflow == "ws" else fetches
    return Streams(
        *(np.concatenate(part) for part in (ifmap, weight, ofmap)),
        fetch_a,
        fetch_b,
        stack_a.size,
        stack_b.size,
    )


@dataclass
class Prefetcher:
    """A read buffer under limited bandwidth: a window of sets that slides over the fetch order."""

    fetch: list[int]
    slots: int
    size: int
    bandwidth: int
    sets: list[set[int]] = field(default_factory=list)
    start: int = 0
    words: int = 0
    ready: int = -1

    def __post_init__(self) -> None:
        active = ceil(self.size / 2)
        each = ceil(self.size / 100)
        self.sets = [
            set(self.fetch[i * each : (i + 1) * each]) for i in range(len(self.fetch) // each + 1)
        ]
        self.active = min(ceil(active / each), len(self.sets))
        self.step = min(ceil((self.size - active) / each), len(self.sets) - self.active)
        self.lines = ceil((self.size - active) / self.bandwidth)
        first = min(ceil(active / self.bandwidth), ceil(self.slots / self.bandwidth))
        self.words, self.first = first * self.bandwidth, -first

    def holds(self, address: int) -> bool:
        n = len(self.sets)
        return any(address in self.sets[(self.start + i) % n] for i in range(self.active))

    def stall(self, line: np.ndarray, cycle: int) -> int:
        """Cycles that the array waits for `line`; negative if it came with time to spare."""
        offset = 1
        for address in line:
            while address != NOTHING and not self.holds(address):
                self.start = (self.start + self.step) % len(self.sets)
                self.words += self.lines * self.bandwidth
                self.ready += self.lines + 1
                wait = self.ready - (cycle + offset)
                offset += wait + max(wait, 0)
        return offset - 1

    def finish(self) -> None: ...


@dataclass
class Cache:
    """A read buffer with unlimited bandwidth: forgets everything each time half of it is full."""

    size: int
    held: set[int] = field(default_factory=set)
    words: int = 0
    seen: int | None = None
    flushes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.set_size = self.size // 100
        self.capacity = 50 * self.set_size

    def stall(self, line: np.ndarray, cycle: int) -> int:
        if self.seen is None and max(line) != NOTHING:
            self.seen = cycle
        for address in line:
            if address != NOTHING and address not in self.held:
                self.held.add(address)
                self.words += 1
                if len(self.held) == self.capacity:
                    self.held.clear()
                    self.flushes.append(cycle)
        return 0

    def finish(self) -> None:
        if self.flushes:
            self.first = (self.seen or 0) - ceil(self.capacity / 10)
            self.ready = self.flushes[-1] + 1
        else:
            self.first = -ceil(ceil(len(self.held) / self.set_size) * self.set_size / 10)
            self.ready = -1


@dataclass
class Drain:
    """The write buffer: half of it is written back whenever less than half is free."""

    size: int
    bandwidth: int
    queue: list[int] = field(default_factory=list)
    filling: int = 0
    busy_until: int = 0
    words: int = 0
    first: int | None = None
    last: int = 0

    def __post_init__(self) -> None:
        self.free = self.size
        self.half = self.size - ceil(self.size / 2)

    def stall(self, line: np.ndarray, cycle: int) -> int:
        now = cycle
        for address in line:
            if address == NOTHING:
                continue
            self.filling += 1
            self.free -= 1
            if self.filling == self.bandwidth:
                self.close()
            if now < self.busy_until:
                if self.free <= 0:
                    now = self.busy_until
            elif self.free < self.size - self.half:
                self.close()
                self.write_back(now)
        return now - cycle

    def close(self) -> None:
        if self.filling:
            self.queue.append(self.filling)
        self.filling = 0

    def write_back(self, now: int) -> None:
        count = min(ceil(self.half / self.bandwidth), len(self.queue))
        lines, self.queue = self.queue[:count], self.queue[count:]
        # Only the last line's empty places are known to be empty.
        words = (count - 1) * self.bandwidth + lines[-1]
        self.words += words
        self.free += words
        self.busy_until = now + count - 1
        self.first = now if self.first is None else self.first
        self.last = max(self.last, self.busy_until)

    def finish(self, now: int) -> None:
        self.close()
        while self.queue:
            self.write_back(now)
            now = self.busy_until + 1


def replay(
    layer: Conv,
    dataflow: str,
    R: int,
    C: int,
    words: tuple[int, int, int],
    bandwidth: tuple[float, float, float],
) -> dict[str, int]:
    """One layer; `words` and `bandwidth` of the ifmap, filter and ofmap buffers."""
    s = streams(layer, dataflow, R, C)
    readers: list[Prefetcher | Cache]
    if bandwidth[0] == inf:
        readers = [Cache(words[0]), Cache(words[1])]
        drain = Drain(words[2], C)
    else:
        readers = [
            Prefetcher(s.ifmap_fetch, s.ifmap_slots, words[0], int(bandwidth[0])),
            Prefetcher(s.filter_fetch, s.filter_slots, words[1], int(bandwidth[1])),
        ]
        drain = Drain(words[2], int(bandwidth[2]))
    stalls = 0
    for i, (ifmap, weight, ofmap) in enumerate(zip(s.ifmap, s.filter, s.ofmap)):
        cycle = i + stalls
        write = drain.stall(ofmap, cycle)
        stalls += max(readers[0].stall(ifmap, cycle), readers[1].stall(weight, cycle), write)
    total = cycle + write
    drain.finish(total)
    for reader in readers:
        reader.finish()
    return {
        "cycles": total,
        "stall_cycles": stalls,
        "ifmap_dram_words": readers[0].words,
        "filter_dram_words": readers[1].words,
        "ofmap_dram_words": drain.words,
        "ifmap_dram_start_cycle": readers[0].first,
        "ifmap_dram_stop_cycle": readers[0].ready,
        "filter_dram_start_cycle": readers[1].first,
        "filter_dram_stop_cycle": readers[1].ready,
        "ofmap_dram_start_cycle": drain.first,
        "ofmap_dram_stop_cycle": drain.last,
    }
