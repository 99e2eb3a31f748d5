"""The sweep: cells, trials, Ray Tune, resume."""
