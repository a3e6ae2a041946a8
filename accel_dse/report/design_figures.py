"""A design as figures: its roofline, and where time and energy go, layer by layer; its timeline."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from accel_dse.readable import number
from accel_dse.report.figures import ACCEPTED, HATCHES, INK, PALETTE, STYLE, Picture

Floats = NDArray[np.float64]
Told = Mapping[str, Any]
"""What `inside.inside` says of a design that works on a network."""

MARKERS = ("o", "s", "^", "D", "P", "X", "*", "p", "v")
"""A shape for each bound of a roofline."""

MOST_CAUSES = 6
"""Causes of waiting with a color of their own; the rest share one."""

MOST_NAMES = 70
"""Layers named below the bars; of more, every second, third, ..."""

WORKS, MOVES, OPERANDS, MORE = "array works", "transfer", "operands stream", "more steps, not drawn"


def design(told: Told, title: str) -> Figure:
    """Roofline, energy by component, and time and energy of each layer.

    Args:
        told: of the design; `layers`, and where the simulator has them `peak` and `energy`.
        title: above the panels.
    """
    import matplotlib as mpl

    energy = told.get("energy")
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12)
        figure = Picture(figsize=(10.5, 11.5 if energy else 8.5), layout=layout)
        figure.suptitle(title, x=0.012, ha="left", fontsize=11)
        axes = figure.subplot_mosaic(
            "rp\ntt\nee" if energy else "r\nt", height_ratios=(5, 4, 4) if energy else (5, 4)
        )
        roofline(axes["r"], told)
        stacked(axes["t"], *time_by_layer(told), "cycles", "Time by layer")
        if energy:
            by_component(axes["p"], energy)
            names = [row["layer"] for row in told["layers"][: len(energy["layers"])]]
            parts = dict(zip(energy["components"], 1e3 * np.array(energy["layers"]).T))
            stacked(axes["e"], names, parts, "energy, uJ", "Energy by layer and component")
    return figure


def roofline(axes: Axes, told: Told) -> None:
    """MACs a cycle of each layer over its MACs a byte of DRAM traffic, under the machine's roof."""
    rows = [row for row in told["layers"] if row["macs"] > 0 and row["dram_bytes"] > 0]
    axes.set_title("Roofline")
    axes.set_xlabel("MACs a byte of DRAM traffic")
    axes.set_ylabel("MACs a cycle")
    if not rows:
        axes.text(0.5, 0.5, "no layer both multiplies and moves data", ha="center",
                  transform=axes.transAxes, color="#666666")  # fmt: skip
        return
    x = np.array([row["macs"] / row["dram_bytes"] for row in rows])
    y = np.array([row["macs"] / row["cycles"] for row in rows])
    size = 25 + 190 * np.array([row["share"] for row in rows]) / max(row["share"] for row in rows)
    bound = np.array([row["bottleneck"] for row in rows])
    for k, name in enumerate(dict.fromkeys(bound)):
        mine = bound == name
        axes.scatter(
            x[mine], y[mine], size[mine], color=PALETTE[k % len(PALETTE)], alpha=0.75,
            marker=MARKERS[k % len(MARKERS)], edgecolor="#333333", lw=0.6,
            label=f"bound by {name}", zorder=3,
        )  # fmt: skip
    low, high, top = x.min() / 1.6, x.max() * 1.6, y.max()
    if peak := told.get("peak"):
        macs, bytes_ = peak["macs_per_cycle"], peak["dram_bytes_per_cycle"]
        at = np.geomspace(low, high, 200)
        roof = f"roof: {number(macs)} MACs, {number(bytes_)} bytes a cycle"
        axes.plot(at, np.minimum(macs, at * bytes_), color=INK, lw=1.8, label=roof)
        top = macs
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(y.min() / 1.6, top * 1.6))
    for axis, far in ((axes.xaxis, high / low), (axes.yaxis, top / y.min())):
        axis.set_major_locator(LogLocator(subs=(1.0,) if far > 1000 else (1.0, 2.0, 5.0)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    legend = axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.17), ncols=2, fontsize=7)
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([36.0])


def by_component(axes: Axes, energy: Told) -> None:
    """Energy of the whole network by component, the largest above."""
    sums = np.array(energy["layers"]).sum(axis=0)
    parts = dict(zip(energy["components"], sums.tolist()))
    parts |= {"not a multiply": energy["vector_mj"], "leakage and clock": energy["static_mj"]}
    ordered = sorted(parts.items(), key=lambda item: item[1])
    total = sum(parts.values())
    names, values = [name for name, _ in ordered], np.array([value for _, value in ordered])
    axes.barh(names, values, height=0.7, color=ACCEPTED)
    for place, value in enumerate(values):
        axes.text(value, place, f" {value / (total or 1.0):.0%}", va="center", fontsize=8)
    axes.set_xlim(0, 1.15 * values.max())
    axes.set_title("Energy by component")
    axes.set_xlabel(f"mJ, of {number(total)} in all")
    axes.grid(visible=False, axis="y")


def time_by_layer(told: Told) -> tuple[list[str], dict[str, Floats]]:
    """Names of the layers, and the cycles of each that went to each cause.

    Where causes overlap, as in the analytical model, all cycles of a layer count for the largest.
    """
    rows = told["layers"]
    cycles = np.array([row["cycles"] for row in rows])
    runs = np.array([row["runs"] for row in rows])
    causes = list(dict.fromkeys(cause for row in rows for cause in row["waits"]))
    spent = {
        cause: runs * np.array([row["waits"].get(cause, 0.0) for row in rows]) for cause in causes
    }
    told_all = np.array([bool(row["waits"]) for row in rows])
    whole = sum(spent.values(), np.zeros(len(rows)))
    if (np.abs(whole - cycles)[told_all] > 0.01 * cycles[told_all] + 1).any():
        bounds = [row["bottleneck"] for row in rows]
        of = {f"bound by {b}": np.array([b == one for one in bounds]) * cycles for b in bounds}
        return [row["layer"] for row in rows], of
    works = spent.pop("compute", np.zeros(len(rows)))
    waits = sorted(spent, key=lambda cause: -spent[cause].sum())
    parts = {WORKS: works} | {f"waits: {cause}": spent[cause] for cause in waits[:MOST_CAUSES]}
    parts["other waits"] = sum((spent[cause] for cause in waits[MOST_CAUSES:]), 0.0 * cycles)
    parts["not a multiply"] = np.where(told_all, 0.0, cycles)
    return [row["layer"] for row in rows], parts


def stacked(
    axes: Axes, names: Sequence[str], parts: Mapping[str, Floats], unit: str, title: str
) -> None:
    """A bar for each of `names`, made of the `parts` that are not nothing."""
    places = np.arange(len(names))
    bottom = np.zeros(len(names))
    shown = [(name, values) for name, values in parts.items() if values.sum() > 0]
    for k, (name, values) in enumerate(shown):
        axes.bar(
            places, values, 0.85, bottom, color=PALETTE[k % len(PALETTE)],
            hatch=HATCHES[k % len(HATCHES)], edgecolor="white", linewidth=0, label=name,
        )  # fmt: skip
        bottom = bottom + values
    step = -(-len(names) // MOST_NAMES)
    axes.set_xticks(places[::step], [_short(name) for name in names[::step]], rotation=90)
    axes.tick_params(axis="x", labelsize=6.5, length=0)
    axes.set_xlim(-0.7, len(names) - 0.3)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_ylabel(unit)
    axes.set_title(title, pad=_legend_above(axes, len(shown)) if len(shown) > 1 else 6)


def timeline(told: Told, title: str) -> Figure:
    """What the array and each channel do when, in the layers that take longest.

    Args:
        told: of the design; has `timelines`.
        title: above the panels.
    """
    import matplotlib as mpl

    shown = told["timelines"]
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        layout = ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12)
        lanes = sum(len(one["lanes"]) for one in shown)
        figure = Picture(figsize=(10.5, 1.3 + 0.8 * len(shown) + 0.26 * lanes), layout=layout)
        figure.suptitle(title, x=0.012, ha="left", fontsize=11)
        ratios = [len(one["lanes"]) for one in shown]
        column = figure.subplots(len(shown), 1, height_ratios=ratios, squeeze=False)[:, 0]
        looks = _looks([event for one in shown for event in one["events"]])
        for axes, one in zip(column, shown):
            lanes_of(axes, one, looks)
        for name, (color, hatch) in looks.items():
            column[0].bar(0, 0, color=color, hatch=hatch, edgecolor="white", lw=0, label=name)
        column[0].set_title(shown[0]["layer"], pad=_legend_above(column[0], len(looks)))
    return figure


def lanes_of(axes: Axes, one: Told, looks: Mapping[str, tuple[str, str]]) -> None:
    """One layer: a lane for the array, and one for each channel; waits by their cause."""
    lanes, events = one["lanes"], one["events"]
    more = [event for event in events if event[2] == "repeats"]
    end = more[0][3] + min(more[0][4], 0.06 * more[0][3] + 1) if more else one["cycles"]
    spans: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for lane, text, kind, start, cycles in events:
        if cycles:
            spans.setdefault((lane, _named(kind, text)), []).append((start, cycles))
    for (lane, name), busy in spans.items():
        color, hatch = looks.get(name) or OTHERS["other waits"]
        axes.broken_barh(busy, (lane - 0.38, 0.76), facecolor=color, hatch=hatch,
                         edgecolor="white", linewidth=0.25)  # fmt: skip
    axes.set_yticks(range(len(lanes)), lanes)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_xlim(0, end)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    part = f": the first {number(more[0][3])} of {number(one['cycles'])}" if more else ""
    axes.set_xlabel(f"cycles{part}", labelpad=1)
    axes.set_title(one["layer"])


ACTS = {
    WORKS: (PALETTE[0], ""),
    MOVES: (PALETTE[2], "///"),
    OPERANDS: ("#a8d5c5", ""),
    MORE: ("#d0d0d0", ""),
}
"""Color and hatch of what is no wait."""

WAITS = (
    ("#d55e00", "xxx"), ("#e69f00", ""), ("#cc79a7", "\\\\\\"), ("#f0e442", "..."),
    ("#56b4e9", "---"), ("#7a7a7a", ""), ("#222222", "///"),
)  # fmt: skip
"""The same of the causes of waiting, the longest first; the rest share one."""

OTHERS = {"other waits": ("#f7c9a8", "")}


def _looks(events: Sequence[Sequence[Any]]) -> dict[str, tuple[str, str]]:
    """What there is in some timelines, and how it is drawn: the same in all of them."""
    cycles: dict[str, int] = {}
    for _, name, kind, _, length in events:
        cycles[_named(kind, name)] = cycles.get(_named(kind, name), 0) + length
    waits = sorted((n for n in cycles if n not in ACTS and cycles[n]), key=lambda n: -cycles[n])
    looks = {name: look for name, look in ACTS.items() if name in cycles}
    return looks | dict(zip(waits, WAITS)) | (OTHERS if len(waits) > len(WAITS) else {})


def _legend_above(axes: Axes, entries: int, columns: int = 5) -> int:
    """Puts a legend between title and axes; the room that it takes, in points."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(entries, columns),
                borderpad=0, fontsize=7)  # fmt: skip
    return 9 + 13 * -(-entries // columns)


def _named(kind: str, name: str) -> str:
    acts = {"step": WORKS, "transfer": MOVES, "operands": OPERANDS, "repeats": MORE}
    return acts.get(kind) or f"waits: {name}"


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
