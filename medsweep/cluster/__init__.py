"""All of Ray: hosts, groups of workers, the pool, the trial as Tune runs it."""
