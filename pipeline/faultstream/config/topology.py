"""Reads topology.yaml into a Topology, or says everything that is wrong with it."""

from importlib.resources import files
from pathlib import Path

import msgspec
import yaml

from faultstream.config.errors import ConfigError
from faultstream.core.policy import Topology


def load(path: Path | None = None) -> Topology:
    """The topology in `path`, by default the one that the package carries.

    Raises:
        ConfigError: with every problem that was found.
    """
    name = str(path) if path else "topology.yaml"
    try:
        text = (path or files("faultstream").joinpath("topology.yaml")).read_text("utf-8")
        return msgspec.convert(yaml.safe_load(text), Topology)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as exc:
        raise ConfigError(name, "", str(exc)) from exc
