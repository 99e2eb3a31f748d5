"""What a sweep writes down: trials, cells, the journal and the folder of a trial."""
