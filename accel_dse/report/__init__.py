"""Showing a log: tables and figures."""
