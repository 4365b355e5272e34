"""Scenario files: what is read, and what is refused with which words."""

from pathlib import Path
from typing import get_args

import pytest

from faultstream.config.errors import ConfigError
from faultstream.config.source import Source
from faultstream.simulate import catalogue, reading
from faultstream.simulate.fleet import above, expand
from faultstream.simulate.kinds import KINDS
from faultstream.simulate.scenario import IncidentKind

GOOD = """\
version: 1
name: small
hours: 4
services:
  web: {layer: api, depends_on: [db], copies: 3, noise: {validation: 1.0}}
  db:  {layer: infrastructure, copies: 2}
"""


@pytest.mark.parametrize("name", reading.packaged())
def test_packaged(name: str) -> None:
    """Every scenario in the package is valid."""
    assert reading.load(name).name == name


def test_zoo_has_all() -> None:
    """The zoo draws every kind of incident there is, more than twenty."""
    kinds = {draw.kind for draw in reading.load("zoo").draws}
    assert kinds == set(KINDS) == set(get_args(IncidentKind))
    assert len(kinds) > 20


def test_copies() -> None:
    """Copies depend on copies, counted round where the dependency has fewer."""
    fleet = expand(reading.judge(Source("small.yaml", GOOD)))
    assert list(fleet) == ["web-1", "web-2", "web-3", "db-1", "db-2"]
    assert fleet["web-3"].depends_on == ("db-1",)
    assert above(fleet, "db-1") == [("web-1", "db-1"), ("web-3", "db-1")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hours: 4", "hours: 0", ("small.yaml:3: hours: wrong value; must be a number above 0.0 "
         "and at most 168.0; got 0")),
        ("name: small", "nam: small", "small.yaml:2: nam: unknown setting. Did you mean name?"),
        ("[db]", "[dbb]", ("small.yaml:5: services.web.depends_on[0]: no such service; got 'dbb'. "
         "Did you mean db?")),
        ("validation:", "validatio:", ("small.yaml:5: services.web.noise.validatio: no such error; "
         "got 'validatio'. Did you mean validation?")),
        ("copies: 2}", "depends_on: [web]}", ("small.yaml:5: services.web.depends_on: a loop: "
         "web > db > web")),
        ("hours: 4", 'hours: 4\nincidents: [{kind: burst, at: "04:00"}]',
         "small.yaml:4: incidents[0].at: too late; must be before the end at 4 h; got 04:00"),
        ("hours: 4", 'hours: 4\nerrors: {e: {type: E, messages: ["{x}"]}}',
         ("small.yaml:4: errors.e.messages[0]: wrong placeholder; must be text with {n}, {id}, "
         "{ms}, {host} or {other}; got '{x}'")),
    ],
)  # fmt: skip
def test_refused(old: str, new: str, message: str) -> None:
    """What is wrong is said with its line, its bound and the likeliest mend."""
    with pytest.raises(ConfigError) as raised:
        reading.judge(Source("small.yaml", GOOD.replace(old, new)))
    assert message in str(raised.value).splitlines()


def test_no_such_file(tmp_path: Path) -> None:
    """A name that is neither a file nor in the package names those that are."""
    with pytest.raises(ConfigError, match="Did you mean zoo"):
        reading.load("zooo")
    with pytest.raises(ConfigError, match="no such file"):
        reading.load(tmp_path / "x.yaml")


def test_messages_fill_in() -> None:
    """Every message of the catalogue can be filled in."""
    for spec in catalogue.ERRORS.values():
        for message in spec.messages:
            assert message.format(n=1, id="a", ms=2, host="h", other="o")
