"""Every error this package raises on purpose.

DseError
├── FileError        a declarative file is wrong: which file, which line and key, and why
├── DesignError      a design does not belong to its space, or a space makes no sense
├── WorkloadError    a network cannot be read or described
├── SimulatorError   the simulator itself failed (an infeasible design is a result, not an error)
│   └── SimulatorTimeoutError  it did not answer in time
├── OptionError      an option, a metric or a plug-in name that does not exist or does not fit
│   └── BoundsError  an option that is a number is beyond its bounds
└── LogError         the trial log cannot be trusted, or belongs to another problem
"""


class DseError(Exception):
    """Base class. The command line prints message and `hint` and exits 2, without a traceback."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class FileError(DseError):
    """A declarative file is wrong."""


class DesignError(DseError):
    """A design does not belong to its space, or a space holds no valid design."""


class WorkloadError(DseError):
    """A network cannot be read or described."""


class SimulatorError(DseError):
    """The simulator itself failed."""


class SimulatorTimeoutError(SimulatorError):
    """The simulator did not answer in time."""


class LogError(DseError):
    """The trial log cannot be trusted, or belongs to another problem."""


class OptionError(DseError):
    """An option, a metric or a plug-in name that does not exist or does not fit."""


class BoundsError(OptionError):
    """An option that is a number is beyond its bounds.

    Attributes:
        option: its name.
        low, high: the least and the greatest value that it may have.
    """

    def __init__(self, message: str, *, option: str, low: float, high: float) -> None:
        super().__init__(message)
        self.option, self.low, self.high = option, low, high
