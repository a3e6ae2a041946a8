"""What `accel-dse export` does."""

import json
from pathlib import Path
from typing import Any

from accel_dse.datasets.whole_files import refuse_existing
from accel_dse.errors import OptionError
from accel_dse.surrogates import export as exports
from accel_dse.surrogates import model_folder

FORMATS = ("onnx",)


def export(model: Path, form: str, out: Path, *, as_json: bool) -> None:
    """Exports a model, and says how far its answers are from the original's."""
    if form not in FORMATS:
        raise OptionError(f"--format: got {form!r}", hint=f"known: {', '.join(FORMATS)}")
    if out.suffix != ".onnx":
        raise OptionError(f"--out: {out}: the name must end in .onnx")
    refuse_existing(out)
    done = exports.to_onnx(model_folder.read(model), out)
    if as_json:
        content: dict[str, Any] = {
            "file": str(done.path),
            "designs": done.designs,
            "largest_relative_difference": done.difference,
        }
        print(json.dumps(content))
        return
    print(
        f"-> {done.path}: answers on {done.designs:,} random designs differ by "
        f"{done.difference:.1e} at most, relatively"
    )
