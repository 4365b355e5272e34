"""The brokers that everything else is tested on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faultstream.ops import child
from faultstream.transport.embedded import BrokerError, EmbeddedBroker, answers
from tests.kafka import ApacheKafka
from tests.until import until


def test_starts_on_a_free_port_and_stops() -> None:
    """After `start` the broker answers, after `stop` its port is free and its process gone."""
    with EmbeddedBroker() as broker:
        pid = broker.pid
        assert answers("127.0.0.1", broker.port)
    assert pid is not None
    assert broker.pid is None
    assert child.is_free(broker.port)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_taken_port_is_refused() -> None:
    """A port in use is said at once, with the mend."""
    with EmbeddedBroker() as broker, pytest.raises(BrokerError) as refused:
        EmbeddedBroker(broker.port).start()
    assert str(refused.value) == (
        f"port {broker.port} on 127.0.0.1 is taken: end what listens there, or choose another port"
    )


def test_dies_with_its_parent(tmp_path: Path) -> None:
    """The kernel ends the broker when the process that started it is killed with SIGKILL."""
    script = (
        "import time\n"
        "from faultstream.transport.embedded import EmbeddedBroker\n"
        "broker = EmbeddedBroker().start()\n"
        "print(broker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as out:
        pid = int(out.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), "the broker is gone")


def _is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.kafka
def test_apache_kafka_restarts_on_its_port(apache_kafka_node: ApacheKafka) -> None:
    """A restarted node has the same address."""
    address = apache_kafka_node.address
    apache_kafka_node.stop()
    assert not answers("127.0.0.1", apache_kafka_node.port)
    apache_kafka_node.start()
    assert apache_kafka_node.address == address
    assert answers("127.0.0.1", apache_kafka_node.port)
