"""Training: configuration, the one loop, schedules, the three phases, run folders."""
