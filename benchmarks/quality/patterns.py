"""What detection finds of planted incidents, and what it opens on an ordinary day.

    python benchmarks/quality/patterns.py [--seeds 101..104]

The same as `faultstream simulate zoo --score` and `faultstream simulate busy-day --score`; one
seed of either takes a minute or more. The data is simulated: it shows that the detectors do what
they say, not how often such incidents happen. The seeds by default are kept for judging.
"""

import sys

from faultstream.cli.simulate import command


def main() -> None:
    seeds = sys.argv[2] if sys.argv[1:2] == ["--seeds"] else "101..104"
    for name in ("zoo", "busy-day"):
        command.main([name, "--score", "--seeds", seeds, "--jobs", "2"], standalone_mode=False)
        print()


if __name__ == "__main__":
    main()
