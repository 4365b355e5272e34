"""Apache Kafka itself for the tests: one node, KRaft, loopback, jars by Maven into .cache/kafka.

FAULTSTREAM_KAFKA_JARS names a folder of jars that is used instead of fetching them.
"""

import os
import shutil
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final, Self

from faultstream.ops import child
from faultstream.transport.embedded import answers

VERSION: Final = "4.1.0"
CACHE: Final = Path(__file__).resolve().parent.parent / ".cache" / "kafka"

_POM: Final = f"""<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>io.faultstream</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""

_JVM: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class KafkaAbsentError(RuntimeError):
    """Apache Kafka cannot be run on this machine; the message says what is missing."""


def jars() -> Path:
    """The folder with Kafka's jars; fetched once (about 100 MB) when it is not there.

    Raises:
        KafkaAbsentError: no Java, or no jars and no Maven, or Maven failed.
    """
    if shutil.which("java") is None:
        raise KafkaAbsentError("java is not installed")
    given = os.environ.get("FAULTSTREAM_KAFKA_JARS")
    if given:
        if not list(Path(given).glob("kafka_2.13-*.jar")):
            raise KafkaAbsentError(f"FAULTSTREAM_KAFKA_JARS={given}: no kafka_2.13-*.jar in there")
        return Path(given)
    folder = CACHE / f"jars-{VERSION}"
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise KafkaAbsentError("neither Kafka's jars nor mvn are there to fetch them")
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "pom.xml").write_text(_POM)
    fresh = CACHE / f"fetching-{os.getpid()}"
    command = ["mvn", "-q", "-B", "-f", str(CACHE / "pom.xml"), "dependency:copy-dependencies"]
    done = subprocess.run(
        [*command, f"-DoutputDirectory={fresh}"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise KafkaAbsentError(f"mvn failed: {(done.stdout + done.stderr)[-500:]}")
    fresh.rename(folder)
    return folder


class ApacheKafka:
    """One node. `stop` and `start` keep the data and the port: that is a broker restart."""

    def __init__(self, folder: Path) -> None:
        """`folder` gets configuration, data and log; it should be empty."""
        self._folder = folder
        self._jars = jars()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = child.free_port()
        self._controller_port = child.free_port()
        self._format()

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id, None when it is stopped."""
        return None if self._process is None else self._process.pid

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start and wait until it answers (about 3 s).

        Raises:
            RuntimeError: it ended, or gave no answer in time; with the end of its log.
        """
        log = self._folder / "kafka.log"
        with log.open("ab") as out:
            self._process = child.spawn(self._java("kafka.Kafka"), stdout=out, name="Kafka")
        deadline = time.monotonic() + timeout_s
        while not answers("127.0.0.1", self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Apache Kafka did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """A clean shutdown (SIGTERM, killed after 20 s)."""
        if self._process is not None:
            child.stop(self._process, grace_s=20)
            self._process = None

    def kill(self) -> None:
        """SIGKILL: a crash of the broker."""
        if self._process is not None:
            child.kill(self._process)
            self._process = None

    def _java(self, main: str, *arguments: str) -> list[str]:
        config = str(self._folder / "server.properties")
        java = ["java", *_JVM, "-cp", f"{self._jars}/*", main]
        return [*java, *(arguments or (config,))]

    def _format(self) -> None:
        (self._folder / "server.properties").write_text(self._properties())
        cluster = uuid.uuid4()
        subprocess.run(
            self._java(
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={_base64_id(cluster)}",  # the id may begin with a dash
                "--config",
                str(self._folder / "server.properties"),
            ),
            check=True,
            capture_output=True,
            timeout=60,
        )

    def _properties(self) -> str:
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self._folder / "log",
            "num.network.threads": 2,
            "num.io.threads": 2,
            "num.partitions": 1,
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "log.cleaner.dedupe.buffer.size": 16_777_216,
            "message.max.bytes": 16_777_216,
            "replica.fetch.max.bytes": 16_777_216,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def _base64_id(value: uuid.UUID) -> str:
    """Kafka's text form of a UUID: URL-safe base64 without padding."""
    return urlsafe_b64encode(value.bytes).decode().rstrip("=")
