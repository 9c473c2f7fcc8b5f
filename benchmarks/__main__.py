"""`python -m benchmarks` prints what was measured."""

from benchmarks.speed import main

main()
