"""Accelerators described as data: what a template says, how it is read, how it meets designs."""

from accel_dse.template.binding import bind
from accel_dse.template.description import Template
from accel_dse.template.reader import read_template

__all__ = ["Template", "bind", "read_template"]
