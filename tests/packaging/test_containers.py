"""docker-compose.yml: valid by the compose specification, and what operators rely on."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
WORKERS = ("detect", "respond", "record", "notify")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return found


def validated(file: Path) -> int:
    """Exit code of the check against the specification's own schema."""
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*check, str(file)], capture_output=True, check=False).returncode


def test_the_file_follows_the_compose_specification(tmp_path: Path) -> None:
    """The specification's schema takes it, and would refuse a mistake."""
    assert validated(FILE) == 0
    bad = tmp_path / "docker-compose.yml"
    text = FILE.read_text("utf-8")
    assert "restart: unless-stopped" in text
    bad.write_text(text.replace("restart: unless-stopped", "restart: [unless-stopped]"))
    assert validated(bad) == 1


def test_every_worker_has_a_service(services: dict[str, Any]) -> None:
    """One service per worker, all of one image, started after the topics exist."""
    for worker in WORKERS:
        assert services[worker]["command"] == ["worker", worker]
        assert services[worker]["image"] == "faultstream:local"
        needed = services[worker]["depends_on"]["topics"]
        assert needed == {"condition": "service_completed_successfully"}


def test_servers_are_healthy_before_they_are_used(services: dict[str, Any]) -> None:
    """Whatever is waited for has a health check."""
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], (name, other)


def test_ports_are_bound_to_loopback(services: dict[str, Any]) -> None:
    """Nothing listens to other machines unless an operator says so."""
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_stands_in_the_file(services: dict[str, Any]) -> None:
    """Passwords and keys come from the environment and have no default."""
    secrets = [
        value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name or name.endswith("_KEY") or name == "FAULTSTREAM_CLICKHOUSE"
    ]
    assert len(secrets) == 6
    assert all(":?set " in secret or secret == "${GRAFANA_PASSWORD:-}" for secret in secrets)


def test_the_gateway_is_optional(services: dict[str, Any]) -> None:
    """Only with its profile; its tokens come from the environment, and without any it does not
    start, for it listens beyond its own machine."""
    gateway = services["gateway"]
    assert gateway["profiles"] == ["gateway"]
    given = gateway["environment"]
    for name in ("TOKENS", "READERS", "OPERATORS"):
        variable = f"FAULTSTREAM_GATEWAY_{name}"
        assert given[variable] == f"${{{variable}:-}}"
    listen = {"FAULTSTREAM_GATEWAY_LISTEN": given["FAULTSTREAM_GATEWAY_LISTEN"]}
    with pytest.raises(ConfigError, match="FAULTSTREAM_GATEWAY_TOKENS: missing"):
        Settings.from_env(listen)


def test_prometheus_finds_the_workers(services: dict[str, Any]) -> None:
    """It asks each where it shows its metrics, which is beyond its own container; health checks ask
    the same port."""
    file = ROOT / "docs" / "operations" / "prometheus" / "prometheus.yml"
    (workers,) = yaml.safe_load(file.read_text("utf-8"))["scrape_configs"]
    assert workers["static_configs"] == [{"targets": [f"{worker}:9100" for worker in WORKERS]}]
    for worker in WORKERS:
        given = services[worker]["environment"]
        assert (given["FAULTSTREAM_METRICS_HOST"], given["FAULTSTREAM_METRICS_PORT"]) == (
            "0.0.0.0",  # noqa: S104
            "9100",
        )
        assert "127.0.0.1:9100/-/ready" in services[worker]["healthcheck"]["test"][-1]


def test_what_is_mounted_is_there(services: dict[str, Any]) -> None:
    """Files and folders of the checkout that containers see exist, and named volumes are made."""
    whole = yaml.safe_load(FILE.read_text("utf-8"))
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (
                (ROOT / source).exists() if source.startswith(".") else source in whole["volumes"]
            )
    assert (ROOT / whole["configs"]["topology"]["file"]).exists()


def test_grafana_is_optional(services: dict[str, Any]) -> None:
    """Only with its profile, like Prometheus, and not without a password."""
    assert services["prometheus"]["profiles"] == ["grafana"]
    assert services["grafana"]["profiles"] == ["grafana"]
    assert "set GRAFANA_PASSWORD" in services["grafana"]["entrypoint"][-1]
