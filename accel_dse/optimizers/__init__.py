"""Optimizers: trials -> designs. One method in a file."""
