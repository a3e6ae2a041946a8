"""What people write: space and study files, in YAML."""

from accel_dse.files.check import Check, check
from accel_dse.files.document import Document, parse_yaml, read_yaml
from accel_dse.files.space_file import Reference, SpaceFile, load_space, names
from accel_dse.files.study_file import StudyFile, load_study

__all__ = [
    "Check",
    "Document",
    "Reference",
    "SpaceFile",
    "StudyFile",
    "check",
    "load_space",
    "load_study",
    "names",
    "parse_yaml",
    "read_yaml",
]
