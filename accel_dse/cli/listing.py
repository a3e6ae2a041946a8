"""What `accel-dse list` does."""

import json
from collections.abc import Callable
from inspect import getdoc
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from accel_dse import plugins
from accel_dse.errors import DseError
from accel_dse.files import load_space, names
from accel_dse.readable import number
from accel_dse.workloads import load


def show(kind: str, *, as_json: bool) -> None:
    """Prints everything of that kind."""
    rows = LISTS[kind]() if kind in LISTS else _plugins(kind)
    folders = [Path(row["folder"]).parent for row in rows if "folder" in row]
    if as_json:
        print(json.dumps(rows, indent=2, default=str))
        return
    if not rows:
        print(f"no {kind} yet")
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    shown = [{name: value for name, value in row.items() if name != "folder"} for row in rows]
    for i, (name, value) in enumerate(shown[0].items()):
        is_number = isinstance(value, int | float)
        side: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(name, justify=side, no_wrap=i == 0, overflow="fold")
    for row in shown:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)
    if folders:
        print(f"\neach is a folder in {folders[0]}")  # in one piece, to be copied


def _spaces() -> list[dict[str, Any]]:
    rows = []
    for name in names():
        file = load_space(name)
        rows.append(
            {
                "space": name,
                "parameters": len(file.space.parameters),
                "designs": file.space.size,
                "references": list(file.references),
                "source": file.source,
            }
        )
    return rows


def _workloads() -> list[dict[str, Any]]:
    rows = []
    for name in load.names():
        network = load.load(name)
        rows.append(
            {
                "workload": name,
                "layers": sum(layer.count for layer in network.layers),
                "distinct": len(network.unique()),
                "million MACs": round(network.macs / 1e6, 3),
                "million weights": round(network.weights / 1e6, 3),
                "source": network.source,
            }
        )
    return rows


def _plugins(kind: Any) -> list[dict[str, Any]]:
    rows = []
    for name in plugins.known(kind):
        try:
            cls = plugins.load(kind, name)
        except DseError as error:
            rows.append({kind[:-1]: name, "what it does": f"({error})", "options": {}})
            continue
        options = {
            option.name: None if option.default is plugins.REQUIRED else option.default
            for option in plugins.options(cls).values()
        }
        what = (getdoc(cls) or "").partition("\n\n")[0].replace("\n", " ")
        rows.append({kind[:-1]: name, "what it does": what, "options": options})
    return rows


def _stubs() -> list[dict[str, Any]]:
    """Programs to copy and change, to plug in a simulator."""
    package = Path(__file__).parents[1]
    inside = package / "simulator_stubs"  # where a wheel has them
    folder = inside if inside.is_dir() else package.parent / "simulator_stubs"
    rows = []
    for readme in sorted(folder.glob("*/README.md")):
        title = readme.read_text(encoding="utf-8").partition("\n")[0]
        row = {"stub": readme.parent.name, "simulator": title.lstrip("# ")}
        rows.append({**row, "folder": str(readme.parent)})
    return rows


LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "spaces": _spaces,
    "workloads": _workloads,
    "stubs": _stubs,
}


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(k if v is None else f"{k}={v}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, int):
        return f"{value:,}"
    return number(value) if isinstance(value, float) else str(value)
