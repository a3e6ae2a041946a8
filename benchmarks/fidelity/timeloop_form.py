"""Reads Timeloop's descriptions of architectures, problems and mappings as ours.

Timeloop keeps an architecture as a tree of named levels, a problem as projections of loop
dimensions onto tensors, a mapping as loops and bypasses by level. Nothing here knows the names of
the levels or of the dimensions: both are read from the description.

Source: Timeloop documentation and `src/model/buffer.cpp`, `src/mapping/parser.cpp`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accel_dse.hardware import UNLIMITED, Hardware
from accel_dse.mapping import Mappings
from accel_dse.workload import DIMS, TENSORS, Layer

Tree = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Level:
    """One storage level, or the multiply-accumulate units, over all instances.

    Attributes:
        name: what the architecture calls it.
        instances: how many there are in all.
        mesh_x: how many of them lie along x.
        words: capacity of one instance; unlimited for DRAM.
        word_bits: of one word.
        read, write, shared: words per cycle of one instance.
    """

    name: str
    instances: int
    mesh_x: int
    words: float = UNLIMITED
    word_bits: int = 8
    read: float = UNLIMITED
    write: float = UNLIMITED
    shared: float = UNLIMITED


@dataclass(frozen=True)
class Shape:
    """Which of our dimensions and coefficients a problem's names stand for.

    Attributes:
        dims: its dimension -> index into `DIMS`.
        tensors: its data space -> index into `TENSORS`.
        strides: its coefficient of P or Q -> (0 or 1, default).
        dilations: its coefficient of R or S -> (0 or 1, default).
    """

    dims: Mapping[str, int]
    tensors: Mapping[str, int]
    strides: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    dilations: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def layer(self, name: str, problem: Mapping[str, int]) -> Layer:
        """The layer of a problem's bounds and coefficients."""
        bounds = {DIMS[index]: int(problem.get(dim, 1)) for dim, index in self.dims.items()}
        window = {"stride": [1, 1], "dilation": [1, 1]}
        for label, names in (("stride", self.strides), ("dilation", self.dilations)):
            for coefficient, (axis, default) in names.items():
                window[label][axis] = int(problem.get(coefficient, default))
        pairs = {label: (pair[0], pair[1]) for label, pair in window.items()}
        return Layer(name=name, **bounds, **pairs)


def read_shape(description: Tree) -> Shape:
    """Reads which dimension is which from how they project onto the tensors.

    Raises:
        ValueError: a problem that our loop nest cannot express.
    """
    spaces = {space["name"]: space for space in description["data-spaces"]}
    tensors = _tensors(spaces)
    indexes = {
        tensors[name]: [[term[0] for term in rank] for rank in space["projection"]]
        for name, space in spaces.items()
    }
    defaults = {item["name"]: item["default"] for item in description.get("coefficients", [])}
    strides: dict[str, tuple[int, int]] = {}
    dilations: dict[str, tuple[int, int]] = {}
    dims: dict[str, int] = {}
    for rank in spaces[_name(tensors, "inputs")]["projection"]:
        if len(rank) == 2:
            axis = len(dims) // 2
            for dim, *coefficient in rank:
                moves = any(dim in terms for terms in indexes[TENSORS.index("outputs")])
                dims[dim] = DIMS.index("PQ"[axis] if moves else "RS"[axis])
                for name in coefficient:
                    (strides if moves else dilations)[name] = (axis, defaults[name])
    slots = {"WIO": ["G"], "WO": ["K"], "WI": ["C"], "IO": ["N", "P", "Q"]}
    if not dims and len(_spanning(indexes, description["dimensions"], "IO")) == 1:
        slots["IO"] = ["P"]
    for dim in description["dimensions"]:
        if dim not in dims:
            signature = "".join(
                letter for t, letter in enumerate("WIO") if any(dim in r for r in indexes[t])
            )
            free = [s for s in slots.get(signature, []) if DIMS.index(s) not in dims.values()]
            if not free:
                raise ValueError(f"problem dimension {dim!r} indexes {signature}: no loop for it")
            dims[dim] = DIMS.index(free[0])
    return Shape(dims, tensors, strides, dilations)


def _tensors(spaces: Mapping[str, Tree]) -> dict[str, int]:
    """Which data space is which operand: outputs are read-write, inputs slide or are named so."""
    outputs = [name for name, space in spaces.items() if space.get("read-write")]
    others = [name for name in spaces if name not in outputs]
    if len(outputs) != 1 or len(others) != 2:
        raise ValueError(f"expected one read-write tensor and two others, got {list(spaces)}")
    sliding = [n for n in others if any(len(rank) > 1 for rank in spaces[n]["projection"])]
    inputs = (sliding or [n for n in others if n.lower().startswith("in")] or others[:1])[0]
    weights = next(name for name in others if name != inputs)
    return {weights: 0, inputs: 1, outputs[0]: 2}


def _name(tensors: Mapping[str, int], tensor: str) -> str:
    return next(name for name, index in tensors.items() if index == TENSORS.index(tensor))


def _spanning(indexes: Mapping[int, list[list[str]]], dims: Sequence[str], where: str) -> list[str]:
    """Dimensions that index exactly the tensors whose letters are in `where`."""
    return [
        dim
        for dim in dims
        if where
        == "".join(letter for t, letter in enumerate("WIO") if any(dim in r for r in indexes[t]))
    ]


def read_architecture(description: Tree) -> tuple[Level, ...]:
    """Storage levels outermost first, then the multiply-accumulate units."""
    tree = description.get("architecture", description)
    levels: list[Level] = []
    for root in tree["subtree"]:
        _walk(root, 1, levels)
    return tuple(levels)


def _walk(node: Tree, instances: int, levels: list[Level]) -> None:
    """Adds the levels of `node` and below it, of which there are `instances`."""
    instances *= _copies(node["name"])
    for item in node.get("local", []):
        levels.append(_level(item, instances * _copies(item["name"])))
    for child in node.get("subtree", []):
        _walk(child, instances, levels)


def _copies(name: str) -> int:
    """How many `name[first..last]` are."""
    found = re.search(r"\[(\d+)\.\.(\d+)\]$", name)
    return int(found[2]) - int(found[1]) + 1 if found else 1


def _level(item: Tree, instances: int) -> Level:
    attributes = {key.replace("-", "_"): v for key, v in item.get("attributes", {}).items()}
    word_bits = int(attributes.get("datawidth", attributes.get("word_bits", 8)))
    block = int(attributes.get("block_size", 1))
    words = UNLIMITED
    if "entries" in attributes:
        words = float(attributes["entries"])
    elif "depth" in attributes:
        words = float(attributes["depth"] * block)
    elif "sizeKB" in attributes:
        words = float(attributes["sizeKB"] * 1024 * 8 / word_bits)
    half = float(attributes.get("bandwidth", UNLIMITED)) / 2
    return Level(
        name=re.sub(r"\[.*\]$", "", item["name"]),
        instances=instances,
        mesh_x=int(attributes.get("meshX", instances)),
        words=words,
        word_bits=word_bits,
        read=float(attributes.get("read_bandwidth", half)),
        write=float(attributes.get("write_bandwidth", half)),
        shared=float(attributes.get("shared_bandwidth", UNLIMITED)),
    )


def hardware(
    levels: Sequence[Level],
    energies_pj: Mapping[str, Mapping[str, float]],
    keeps: Sequence[Sequence[bool]],
) -> Hardware:
    """One design of these levels.

    Args:
        levels: storage levels outermost first, then the multiply-accumulate units.
        energies_pj: level -> energy of one `read`, `write` (a fill) and `update` of a word; of
            one `compute` for the units.
        keeps: which tensors each storage level keeps, `(L, 3)`.
    """
    storage, units = levels[:-1], levels[-1]
    count = len(storage)
    bits = np.array([level.word_bits for level in storage], dtype=np.float64)
    fan_x = [b.mesh_x // a.mesh_x for a, b in pairwise(levels)]
    fan = [b.instances // a.instances for a, b in pairwise(levels)]
    energy = np.array(
        [[energies_pj[a.name][k] for k in ("read", "write", "write")] for a in storage]
    )
    anything = np.ones((count, 8), dtype=bool)
    return Hardware(
        levels=tuple(level.name for level in storage),
        keeps=np.array(keeps, dtype=bool),
        partition=np.zeros((count, 3), dtype=np.int64),
        multicast=np.ones(count, dtype=bool),
        reduces=np.ones(count, dtype=bool),
        double_buffered=np.zeros(count, dtype=bool),
        loops_allowed=anything,
        unroll_x=anything,
        unroll_y=anything,
        hardwired=np.zeros((count, 2), dtype=bool),
        whole=np.zeros((1, count, 8), dtype=bool),
        capacity_bits=np.array([[[a.words * a.word_bits] * 3 for a in storage]]),
        word_bits=np.repeat(bits[None, :, None], 4, axis=2),
        fanout_x=np.array([fan_x]),
        fanout_y=np.array([[f // x for f, x in zip(fan, fan_x)]]),
        read_bits_per_cycle=np.array([[a.read * a.word_bits for a in storage]]),
        write_bits_per_cycle=np.array([[a.write * a.word_bits for a in storage]]),
        shared_bits_per_cycle=np.array([[a.shared * a.word_bits for a in storage]]),
        latency_cycles=np.zeros((1, count)),
        issue_cycles=np.zeros((1, count)),
        fill_cycles=np.zeros(1),
        program_entries=np.full(1, UNLIMITED),
        program_level=-1,
        access_pj_per_bit=(energy / bits[:, None])[None],
        network_pj_per_bit=np.zeros((1, count)),
        mac_pj=np.array([float(energies_pj[units.name]["compute"])]),
        static_w=np.zeros(1),
        area_mm2=np.zeros(1),
        level_mm2=np.zeros((1, count)),
        macs_mm2=np.zeros(1),
        clock_ghz=np.ones(1),
        vector_operations_per_cycle=np.zeros(1),
    )


def read_keeps(
    levels: Sequence[Level], shape: Shape, mapping: Tree
) -> tuple[tuple[bool, ...], ...]:
    """Which tensors each storage level keeps under `mapping`, `(L, 3)`."""
    keeps = []
    for level in levels[:-1]:
        names = mapping[level.name].get("keep")
        kept = {shape.tensors[name] for name in names} if names is not None else {0, 1, 2}
        keeps.append(tuple(t in kept for t in range(3)))
    return tuple(keeps)


def read_mapping(levels: Sequence[Level], shape: Shape, mapping: Tree) -> Mappings:
    """One mapping: factors and permutations by level, permutations innermost loop first."""
    count = len(levels) - 1
    factors = np.ones((3, 1, count, 8), dtype=np.int64)
    order = np.zeros((1, count, 8), dtype=np.int64)
    for i, level in enumerate(levels[:-1]):
        loops = mapping[level.name]
        outermost_first = [shape.dims[dim] for dim in reversed(loops["perm"])]
        order[0, i] = outermost_first + [d for d in range(8) if d not in outermost_first]
        for dim, factor in loops["temporal"].items():
            factors[0, 0, i, shape.dims[dim]] = factor
        along_x = loops.get("sperm", "")[: loops.get("split", 0)]
        for dim, factor in loops.get("spatial", {}).items():
            factors[1 if dim in along_x else 2, 0, i, shape.dims[dim]] = factor
    return Mappings(factors[0], factors[1], factors[2], order)


def stack(mappings: Sequence[Mappings]) -> Mappings:
    """Several batches as one."""
    return Mappings(
        *(
            np.concatenate([getattr(m, name) for m in mappings])
            for name in ("temporal", "spatial_x", "spatial_y", "order")
        )
    )


def read_neighbors(levels: Sequence[Level], shape: Shape, mapping: Tree) -> NDArray[np.int64]:
    """How each level lays its instances out, outermost dimension first, `(1, L, 8)`."""
    along = np.zeros((1, len(levels) - 1, 8), dtype=np.int64)
    for i, level in enumerate(levels[:-1]):
        dims = [shape.dims[dim] for dim in reversed(mapping[level.name].get("sperm", ""))]
        along[0, i] = [d for d in range(8) if d not in dims] + dims
    return along
