"""`faultstream watch`: errors out of log files, metric records and Prometheus addresses."""

import glob
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from faultstream import wire
from faultstream.cli.watching import Naming, Target, Watching
from faultstream.client import Reporter
from faultstream.client.reporter import DEFAULT_TOPIC
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.core.event import DEFAULT_ENVIRONMENT, ErrorEvent
from faultstream.formats.metrics import Scrape
from faultstream.ops.clock import now_ms

POLL_S: Final = 0.2
METRICS: Final = (
    "*error*", "*fail*", "*timeout*", "*latency*", "*_seconds_mean", "*queue*", "*lag*", "*usage*",
)  # fmt: skip
_SCRAPE_TIMEOUT_S: Final = 5.0
_SCRAPE_BYTES: Final = 16 * 1024 * 1024


class Printed:
    """Events as JSON Lines on standard output."""

    def publish(self, event: ErrorEvent) -> None:
        """Print it."""
        click.echo(wire.encode_event(event))

    def flush(self) -> bool:
        """Printed is safe enough."""
        return True


class Published:
    """Events to Kafka, by a Reporter that folds nothing. Waits while Kafka is away."""

    def __init__(self, reporter: Reporter, stop: threading.Event) -> None:
        self._reporter = reporter
        self._stop = stop
        self._lost = False

    def publish(self, event: ErrorEvent) -> None:
        """Hand it over; when there is no room, wait until there is."""
        while not self._reporter.forward(event):
            if self._stop.is_set():
                self._lost = True  # the positions stay where they are, so it is read again
                return
            self._reporter.flush(1.0)

    def flush(self) -> bool:
        """Whether all is in Kafka, within a few seconds."""
        return self._reporter.flush(5.0) and not self._lost


@click.command("watch")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option(
    "--service",
    default="{stem}",
    show_default=True,
    help="Service; {stem}, {name} and {parent} stand for parts of the path.",
)
@click.option("--service-field", default="", help="JSON field that names the service.")
@click.option("--topic", default=DEFAULT_TOPIC, show_default=True)
@click.option("--environment", default=DEFAULT_ENVIRONMENT, show_default=True)
@click.option("--layer", default="", help="Layer of the services, as in topology.yaml.")
@click.option("--from-start", is_flag=True, help="Read files that are new to it from their start.")
@click.option("--once", is_flag=True, help="End when all that is there was read.")
@click.option("--dry-run", is_flag=True, help="Print the events instead of publishing them.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where positions are kept.  [default: watch.json in the data folder]",
)
@click.option(
    "--timezone", default="", help="Zone of times that name none.  [default: this host's]"
)
@click.option(
    "--scrape",
    "addresses",
    multiple=True,
    metavar="URL",
    help="Prometheus text to read every --every seconds; may be repeated.",
)
@click.option("--every", type=click.FloatRange(min=0.1), default=15.0, show_default=True)
@click.option("--metric", "only", multiple=True, metavar="GLOB",
              help=f"Scraped metrics to judge.  [default: {', '.join(METRICS)}]")  # fmt: skip
def command(
    files: Sequence[str],
    *,
    service: str,
    service_field: str,
    topic: str,
    environment: str,
    layer: str,
    from_start: bool,
    once: bool,
    dry_run: bool,
    state: Path | None,
    timezone: str,
    addresses: Sequence[str],
    every: float,
    only: Sequence[str],
) -> None:
    """Follow log files and metrics, and publish the errors in them as events.

    Knows Python, Java, Node, Go, nginx, access logs, syslog, logfmt and JSON lines. Starts at the
    end of files that it sees for the first time. A FILE may be a quoted pattern. With --dry-run no
    positions are kept unless --state says where. SIGTERM and SIGINT end it in order.

    \b
    Example:  faultstream watch --service orders /var/log/orders.log
              faultstream watch --dry-run --once --from-start '/var/log/*.log'
    """
    settings = Settings.from_env()
    naming = Naming(service, service_field, environment, layer, socket.gethostname())
    _check(files, addresses, naming, once=once)
    if state is None and not dry_run:
        state = settings.data / "watch.json"
    stop = threading.Event()
    reporter: Reporter | None = None
    target: Target = Printed()
    if not dry_run:
        reporter = Reporter(
            "faultstream-watch",
            brokers=settings.brokers,
            environment=environment,
            topic=topic,
            fold_ms=0,
        )
        target = Published(reporter, stop)
    try:
        watching = Watching(
            files, target, naming=naming, zone=_zone(timezone), state=state, from_start=from_start,
            clock=now_ms,
        )  # fmt: skip
    except ValueError as exc:
        raise ConfigError(str(state), "", str(exc), mend="Remove it, or name another") from exc
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scrapes = {address: Scrape() for address in addresses}
    _run(watching, stop, scrapes, once=once, every=every, only=only or METRICS)
    safe = watching.commit()
    watching.close()
    if reporter is not None:
        reporter.close()
        what = "event" if watching.published == 1 else "events"
        done = "published" if safe else "read, not all of them published"
        click.echo(f"{watching.published} {what} {done}", err=True)
    for reason, count in watching.refused.items():
        click.echo(f"left out {count}: {reason}", err=True)
    if not safe:
        raise ConnectionError(f"Kafka at {settings.brokers}; what was not sent is read again")


def _run(
    watching: Watching,
    stop: threading.Event,
    scrapes: dict[str, Scrape],
    *,
    once: bool,
    every: float,
    only: Sequence[str],
) -> None:
    due = 0.0
    while not stop.is_set():
        if scrapes and time.monotonic() >= due:
            due = time.monotonic() + every
            for address, scrape in scrapes.items():
                _scrape(watching, address, scrape, only)
        busy = watching.step(last=False)
        if once and not busy:
            watching.step(last=True)
            return
        watching.commit()
        if not busy:
            stop.wait(POLL_S)


def _scrape(watching: Watching, address: str, scrape: Scrape, only: Sequence[str]) -> None:
    try:
        # The scheme was checked to be HTTP.
        with urllib.request.urlopen(address, timeout=_SCRAPE_TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read(_SCRAPE_BYTES).decode("utf-8", "replace")
        watching.measured(scrape.read(text, now_ms()), _service(address), only)
    except (OSError, ValueError) as exc:
        failed = ErrorEvent(
            service=_service(address),
            error_type="ScrapeFailed",
            message=f"{address}: {exc}",
            operation="scrape",
            time=now_ms(),
        )
        watching.tell(failed, _service(address))


def _service(address: str) -> str:
    return address.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _check(files: Sequence[str], addresses: Sequence[str], naming: Naming, *, once: bool) -> None:
    """Exit code 1 when all is to be read once and there is nothing to read."""
    if not files and not addresses:
        raise click.UsageError("nothing to watch: give a FILE or --scrape URL")
    for address in addresses:
        if not address.startswith(("http://", "https://")):
            raise click.UsageError(f"--scrape: expected http:// or https://, got {address!r}")
    try:
        naming.service_of(Path("a.log"))
    except (KeyError, IndexError, ValueError) as exc:
        raise click.UsageError(f"--service: {{stem}}, {{name}} and {{parent}} only: {exc}") from exc
    missing = 0
    for pattern in files:
        if not Path(pattern).exists() and not glob.glob(pattern):  # noqa: PTH207 - as in `watching`
            click.echo(f"no file matches {pattern!r}{'' if once else ' so far'}", err=True)
            missing += 1
    if once and missing and missing == len(files) and not addresses:
        raise click.exceptions.Exit(1)


def _zone(name: str) -> tzinfo:
    if not name:
        try:
            with Path("/etc/localtime").open("rb") as file:
                return ZoneInfo.from_file(file)
        except (OSError, ValueError):
            return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise click.UsageError(f"--timezone: no such zone: {name!r}") from exc
