"""`python -m dnalm`: the command line, for processes that start others."""

from dnalm.cli import main

main()
