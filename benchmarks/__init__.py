"""Measurements that take long: speed beside peers, and the results that the docs show. Run by hand, not by tests."""
