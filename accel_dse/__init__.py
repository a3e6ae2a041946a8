"""Explore the design of hardware accelerators."""

__version__ = "0.1.0"
