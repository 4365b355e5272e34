"""`faultstream broker`: the embedded broker alone, in the foreground."""

import signal
from typing import Final

import click

from faultstream.transport.embedded import BrokerError, EmbeddedBroker

PORT: Final = 9092


@click.command("broker")
@click.option(
    "--port", default=PORT, show_default=True, type=click.IntRange(0, 65535),
    help="On 127.0.0.1; 0 takes a free one.",
)  # fmt: skip
def command(port: int) -> None:
    """Run the embedded Kafka-protocol broker alone.

    It holds everything in memory: what is in it is gone when it stops.

    \b
    Example:  faultstream broker --port 9092
    """
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # read by sigtimedwait, none is missed
    broker = EmbeddedBroker(port)
    try:
        broker.start()
        click.echo(f"kafka ready at {broker.address}")
        while signal.sigtimedwait(signals, 1.0) is None:
            broker.check()
    except BrokerError as exc:
        raise click.ClickException(str(exc)) from exc
    finally:
        broker.stop()
