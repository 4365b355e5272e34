"""`python -m faultstream` and the command `faultstream`."""

import sys


def run() -> None:
    """Runs the command line, or says what to install: the client alone comes without it."""
    try:
        from faultstream.cli import main  # noqa: PLC0415  (not there in a client-only install)
    except ModuleNotFoundError as exc:
        if exc.name != "click":
            raise
        sys.exit("the command line is not installed: pip install 'faultstream[pipeline,embedded]'")
    main(prog_name="faultstream")


if __name__ == "__main__":
    run()
