"""What commands do to a breaker: they make it stricter for a time, never looser."""

from faultstream.client.circuit import Circuit
from faultstream.client.states import BreakerState


class OrderedCircuit(Circuit):
    """A circuit that can be held open, told to stand by for others, and tightened."""

    def open_for(self, for_ms: int, *, probes: int | None = None) -> bool:
        """Open for that long, then HALF_OPEN with `probes` calls (the usual number if None).

        Only ever stricter: a breaker that stays open for longer does so, a FORCED_OPEN one too.
        False when it is DISABLED or METRICS_ONLY, which somebody chose and which stays.
        """
        with self._lock:
            now = self.clock()
            until = now + for_ms / 1000
            self._pass_time(now)
            if self._state in {BreakerState.DISABLED, BreakerState.METRICS_ONLY}:
                return False
            if self._state is BreakerState.FORCED_OPEN:
                return True
            if self._state is BreakerState.OPEN:
                until = max(until, self._until)
            else:
                self._opened += 1
                self._change(BreakerState.OPEN)
            self._until = until
            self._ordered_until = until
            if probes is not None:
                self._probes = max(1, min(probes, self._limits.half_open_calls))
        self._tell()
        return True

    def stand_by(self, for_ms: int) -> None:
        """Stay OPEN past the end of `open_for` until `grant`, or for that long at most from now.

        For fleets: others probe first.
        """
        with self._lock:
            if self._state is BreakerState.OPEN:
                self._standby_until = self.clock() + for_ms / 1000
                self._ordered_until = max(self._ordered_until, self._standby_until)

    def grant(self, probes: int) -> None:
        """End `stand_by`: this breaker may probe with so many calls once its time is over."""
        with self._lock:
            if self._state is BreakerState.OPEN and self._standby_until:
                self._standby_until = 0.0
                self._ordered_until = self._until
                self._probes = max(1, min(probes, self._limits.half_open_calls))

    @property
    def period(self) -> int:
        """Grows with every change of the state."""
        return self._period

    @property
    def left_ms(self) -> int:
        """How long it stays OPEN at least, 0 in other states."""
        if self._state is not BreakerState.OPEN:
            return 0
        return max(0, round((self._until - self.clock()) * 1000))

    @property
    def held_ms(self) -> int:
        """How long a command still keeps it open, 0 when none does."""
        if self._state is not BreakerState.OPEN:
            return 0
        return max(0, round((self._ordered_until - self.clock()) * 1000))

    def tighten(self, failures: int, for_ms: int) -> None:
        """For that long `failures` calls are enough to judge by, if that is fewer than usual."""
        with self._lock:
            self._strict = (max(1, failures), self.clock() + for_ms / 1000)
            self._pass = None
