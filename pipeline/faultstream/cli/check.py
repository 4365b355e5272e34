"""`faultstream check`: validates the configuration, connects to nothing."""

import os
from pathlib import Path

import click

from faultstream.config.environment import misspelt
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import Report, examine
from faultstream.core.policy import Topology
from faultstream.core.report.text import counted


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 2 for warnings too.")
def command(file: Path | None, strict: bool) -> None:
    """Validate topology.yaml and the environment without connecting anywhere.

    FILE is the topology; by default FAULTSTREAM_TOPOLOGY, or else the one in the package. Exits
    with 0 when everything can be used, else with 2 and one line for each problem.

    \b
    Example:  faultstream check topology.yaml
    """
    settings, wrong_settings = _settings()
    report = examine(file or (settings.topology if settings else None))
    channels = report.topology.channels if report.topology is not None else {}
    warnings = [*report.warnings, *misspelt(os.environ, {one.url_env for one in channels.values()})]
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    for problem in report.problems:
        click.echo(f"error: {problem}", err=True)
    for problem in wrong_settings.problems if wrong_settings else ():
        click.echo(f"error: {problem}", err=True)
    if report.topology is None or settings is None or (strict and warnings):
        raise click.exceptions.Exit(2)
    click.echo(_summary(report, report.topology, len(warnings)))


def _settings() -> tuple[Settings | None, ConfigError | None]:
    try:
        return Settings.from_env(), None
    except ConfigError as exc:
        return None, exc


def _summary(report: Report, topology: Topology, warnings: int) -> str:
    manual = [name for name, layer in topology.layers.items() if not layer.automatic]
    dangerous = [name for name, one in topology.strategies.items() if one.danger == "high"]
    approval = ", ".join([*(f"layer {name}" for name in manual), *dangerous])
    lines = [
        f"{report.file}: ok" + (f", {counted(warnings, 'warning')}" if warnings else ""),
        (
            f"  {len(topology.topics)} topics, "
            f"{sum(topic.partitions for topic in topology.topics.values())} partitions"
        ),
        (
            f"  {len(topology.layers)} layers, {len(topology.services)} services, "
            f"{len(topology.routes)} routes over {len(topology.strategies)} strategies"
        ),
        f"  needs approval: {approval or 'nothing'}",
    ]
    if topology.guards.paused or topology.guards.dry_run:
        lines.append("  recovery is " + ("paused" if topology.guards.paused else "a dry run"))
    return "\n".join(lines)
