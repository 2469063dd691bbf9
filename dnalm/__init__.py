"""DNA language models for a biology lab: train, compare, explain, scan."""
