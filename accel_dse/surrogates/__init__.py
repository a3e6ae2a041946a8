"""Surrogates: dataset -> cheap predictor."""
