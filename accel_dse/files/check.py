"""What can be said about a file without simulating anything."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from accel_dse.constraints import Constraint
from accel_dse.errors import DesignError, FileError
from accel_dse.files.document import read_yaml
from accel_dse.files.space_file import SpaceFile, find_space, load_space, read_space
from accel_dse.files.study_file import StudyFile, read_study
from accel_dse.sampling import MOST_VALUES


@dataclass(frozen=True)
class Check:
    """A file without mistakes, and how tight its space is.

    Attributes:
        space_file: the space.
        study_file: the study that names it, if the file is a study.
        draws: how many random designs the shares are of.
        share_valid: the share of designs, drawn without regard to constraints, that are valid.
        valid: how many designs are valid; None if that cannot be counted.
        rejections: each constraint and the share of the draws that break it, largest first.
    """

    space_file: SpaceFile
    study_file: StudyFile | None
    draws: int
    share_valid: float
    valid: int | None
    rejections: tuple[tuple[Constraint, float], ...]


def check(path_or_name: str | Path, *, draws: int = 100_000, seed: int = 0) -> Check:
    """Reads a space or study file, and looks at random designs of the space.

    Args:
        path_or_name: the path of a space or study file, or the name of a shipped space.
        draws: how many random designs to look at; fewer if they would not fit in memory.
        seed: of the draws.

    Raises:
        FileError: something in the file is wrong, or its space holds no valid design.
    """
    path, name = find_space(path_or_name)
    document = read_yaml(path, name=name)
    study = None
    if isinstance(document.data, dict) and "space" in document.data:
        study = read_study(document, path)
        file = load_space(study.space)
    else:
        file = read_space(document, path)
    space, rng = file.space, np.random.default_rng(seed)
    draws = min(draws, MOST_VALUES // len(space.parameters))
    try:
        refused = space.violated(space.draw_columns(draws, rng))
        space.feature_values(space.sample_columns(min(draws, 1000), rng))
        valid = space.count_valid()
    except DesignError as error:
        raise FileError(f"{file.document.name}: {error}", hint=error.hint) from error
    shares = zip(space.constraints, refused.mean(axis=0).tolist())
    return Check(
        space_file=file,
        study_file=study,
        draws=draws,
        share_valid=float((~refused.any(axis=1)).mean()),
        valid=valid,
        rejections=tuple(sorted(shares, key=lambda pair: -pair[1])),
    )
