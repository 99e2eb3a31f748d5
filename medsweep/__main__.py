"""`python -m medsweep`."""

from medsweep.cli import main

main()
