"""One instance of a fleet, as a process: python fleet_member.py BROKER PREFIX INSTANCE FOLDER.

Calls its dependency all the time through a breaker that commands steer. The dependency works while
the file `works` is there. Every call that gets through is noted in the file `calls`, the state of
the breaker in a file of the instance's name.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from faultstream.client import CircuitBreaker, Executor, steer

KEY = b"0123456789abcdef"


def main() -> None:
    """Run until the file `stop` is there."""
    broker, prefix, instance, folder = *sys.argv[1:4], Path(sys.argv[4])
    breaker = CircuitBreaker("db", open_ms=300, half_open_calls=2)
    executor = Executor(
        "orders",
        keys={"k1": KEY},
        brokers=broker,
        instance=instance,
        commands_topic=f"{prefix}.commands",
        results_topic=f"{prefix}.results",
    )
    steer(executor, breaker=breaker)

    def call() -> None:
        note = os.open(folder / "calls", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        works = (folder / "works").exists()
        os.write(note, f"{instance} {'worked' if works else 'failed'}\n".encode())
        os.close(note)
        if not works:
            raise ConnectionError("away")

    with executor:
        while not (folder / "stop").exists():
            if executor.stats().ready and (folder / "begin").exists():
                with contextlib.suppress(RuntimeError, ConnectionError):
                    breaker.call(call)
            state = breaker.state.value if executor.stats().ready else "starting"
            fresh = folder / f"{instance}.new"
            fresh.write_text(state, "utf-8")
            fresh.replace(folder / instance)
            time.sleep(0.01)


if __name__ == "__main__":
    main()
