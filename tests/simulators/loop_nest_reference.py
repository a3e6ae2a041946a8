"""The analytical model's counts, found by walking a loop nest step by step. Slow and plain.

What is walked is what the model means: a tile is fetched when a loop steps that is not inside the
innermost loop indexing the tensor; a step of the innermost loop of all fetches only what the tile
before did not have; tiles are clipped at the edge, and an instance without anything to do in some
dimension does nothing.
"""

from itertools import product

import numpy as np

from accel_dse.workload import DIMS, RELEVANT, TENSORS

INDEXES = np.array([[dim in RELEVANT[tensor] for dim in DIMS] for tensor in TENSORS])


class Walk:
    """One design, one layer, one mapping: factors `(L, 8)`, as in `Mappings`."""

    def __init__(self, hardware, layer, temporal, spatial, order):
        self.hardware, self.layer = hardware, layer
        self.levels = len(temporal)
        self.temporal, self.spatial = temporal, spatial
        self.extent = np.ones((self.levels + 1, 8), dtype=int)
        for i in range(self.levels - 1, -1, -1):
            self.extent[i] = self.extent[i + 1] * temporal[i] * spatial[i]
        self.loops = [
            (i, int(d)) for i in range(self.levels) for d in order[i] if temporal[i, d] > 1
        ]

    def tiles(self, level):
        """Yields `(path, step, tile)`: an instance, the loop indices, its tile `(8, 2)` or None."""
        loops = [loop for loop in self.loops if loop[0] < level]
        steps = list(product(*(range(self.temporal[loop]) for loop in loops)))
        splits = [(i, d) for i in range(level) for d in range(8) if self.spatial[i, d] > 1]
        for path in product(*(range(self.spatial[split]) for split in splits)):
            for step in steps:
                yield dict(zip(splits, path)), step, self._tile(level, loops, step, splits, path)

    def _tile(self, level, loops, step, splits, path):
        """What an instance's tile spans, clipped: start and end by dimension."""
        low = np.zeros(8, dtype=int)
        high = np.array(self.layer.dims)
        steps, places = dict(zip(loops, step)), dict(zip(splits, path))
        for i in range(level):
            for d in range(8):
                low[d] += steps.get((i, d), 0) * self.extent[i + 1, d] * self.spatial[i, d]
                low[d] += places.get((i, d), 0) * self.extent[i + 1, d]
                # A tile inside a clipped tile ends where that one ends, which is the layer's edge.
        high = np.minimum(high, low + self.extent[level])
        return None if (high <= low).any() else np.stack([low, high], axis=1)

    def box(self, tensor, tile):
        """What a tile covers of a tensor: `(start, end)` along each of its axes."""
        if TENSORS[tensor] != "inputs":
            return [tuple(tile[d]) for d in range(8) if INDEXES[tensor, d]]
        ranges = [tuple(tile[d]) for d in (0, 1, 3)]
        for axis in range(2):
            stride, dilation = self.layer.stride[axis], self.layer.dilation[axis]
            p, r = tile[4 + axis], tile[6 + axis]
            ranges.append(
                (p[0] * stride + r[0] * dilation, (p[1] - 1) * stride + (r[1] - 1) * dilation + 1)
            )
        return ranges

    def fetches(self, tensor, level):
        """Yields `(path, words)` of each fetch of each instance of `level`."""
        loops = [loop for loop in self.loops if loop[0] < level]
        movers = [k for k, (_, d) in enumerate(loops) if INDEXES[tensor, d]]
        first = len(loops) - 1 if level == self.levels else max(movers, default=-1)
        last_path, before = None, None
        for path, step, tile in self.tiles(level):
            if path != last_path:
                last_path, before = path, None
            if tile is None:
                continue
            box = self.box(tensor, tile)
            if before is None:
                yield path, size(box)
            else:
                stepped = next(k for k in range(len(step)) if step[k] != before[0][k])
                if stepped <= first:
                    slides = level < self.levels and stepped == len(loops) - 1
                    shared = overlap(box, before[1]) if slides else 0
                    yield path, size(box) - shared
            before = step, box

    def moved(self, tensor, outer, inner, *, only_first):
        """Words between `outer` and `inner`, of one instance of `outer` or of all."""
        hardware = self.hardware
        able = hardware.reduces if TENSORS[tensor] == "outputs" else hardware.multicast
        total = 0
        for path, words in self.fetches(tensor, inner):
            copies = any(
                place and outer <= i and able[i] and not INDEXES[tensor, d]
                for (i, d), place in path.items()
            )
            elsewhere = only_first and any(place and i < outer for (i, _), place in path.items())
            if not copies and not elsewhere:
                total += words
        return total

    def first_updates(self, level, *, only_first):
        """Outputs that an instance of `level` (or all of them) ever holds."""
        held = {}
        for path, _, tile in self.tiles(level):
            if tile is not None and not (only_first and any(path.values())):
                words = held.setdefault(tuple(path.items()), set())
                words.update(product(*(range(*ends) for ends in self.box(2, tile))))
        return sum(len(words) for words in held.values())

    def cycles(self):
        """Steps in which the first multiply-accumulate unit has something to do."""
        return sum(
            tile is not None and not any(path.values()) for path, _, tile in self.tiles(self.levels)
        )

    def instances(self, level):
        """Instances of `level` that ever have something to do."""
        return len({tuple(p.items()) for p, _, tile in self.tiles(level) if tile is not None})

    def counts(self):
        """`reads`, `fills`, `updates` and the same with `total_`, by level and tensor."""
        found = {
            name: np.zeros((self.levels, 3))
            for kind in ("reads", "fills", "updates")
            for name in (kind, f"total_{kind}")
        }
        for tensor in range(3):
            kept = [i for i in range(self.levels) if self.hardware.keeps[i, tensor]]
            for outer, inner in zip(kept, [*kept[1:], self.levels]):
                for prefix, first in (("", True), ("total_", False)):
                    asked = self.moved(tensor, outer, inner, only_first=first)
                    asked_for = "updates" if tensor == 2 else "reads"
                    found[prefix + asked_for][outer, tensor] = asked
                    if inner < self.levels:
                        moved = self.moved(tensor, inner, inner, only_first=first)
                        found[prefix + "fills"][inner, tensor] = moved
        for level in range(self.levels):
            if self.hardware.keeps[level, 2]:
                for prefix, first in (("", True), ("total_", False)):
                    begun = self.first_updates(level, only_first=first)
                    found[prefix + "reads"][level, 2] = found[prefix + "updates"][level, 2] - begun
                    if level > 0:
                        found[prefix + "fills"][level, 2] -= begun
        return found


def size(box):
    """Words in a box."""
    return int(np.prod([end - start for start, end in box]))


def overlap(box, other):
    """Words that two boxes share."""
    return int(np.prod([max(0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in zip(box, other)]))
