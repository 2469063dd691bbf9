"""Benchmarks: published tables, dnalm's own runs beside them, and how comparable the two are."""
