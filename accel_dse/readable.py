"""Numbers and values as all tables show them."""

from typing import Any


def number(value: float) -> str:
    """Four significant digits, with separators: `0.001234`, `26.98`, `1,234,000`."""
    if value == 0 or 1e-4 <= abs(value) < 1e4:
        return f"{value:.4g}"
    if 1e4 <= abs(value) < 1e12:
        return f"{float(f'{value:.4g}'):,.0f}"
    return f"{value:.3e}"


def plain(value: Any) -> str:
    """Any value of a design or a metric."""
    if isinstance(value, tuple | list):
        return " ".join(map(plain, value))
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if type(value) is int and value >= 10_000 else str(value)
