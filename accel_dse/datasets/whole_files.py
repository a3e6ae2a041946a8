"""Files that are whole or not there at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accel_dse.errors import FileError


@contextmanager
def written_at_once(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A place to write a file or a folder to, which becomes `path` if all goes well.

    Raises:
        FileError: `path` is there already (unless `replace`), or cannot be written.
    """
    refuse_existing(path, replace=replace)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        os.replace(draft, path)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def refuse_existing(path: Path, *, replace: bool = False) -> None:
    """Raises FileError if there is something at `path` and it may not be replaced."""
    if path.exists() and not replace:
        raise FileError(f"{path}: exists already", hint="name another, or move it away")
