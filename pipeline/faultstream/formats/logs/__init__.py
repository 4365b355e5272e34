"""Plain logs to error events: one file per format and one line in `FORMATS`."""

from typing import Final

from faultstream.formats.logs.format import Format
from faultstream.formats.logs.go import Go
from faultstream.formats.logs.java import Java
from faultstream.formats.logs.jsonlines import JsonLines
from faultstream.formats.logs.logfmt import Logfmt
from faultstream.formats.logs.nginx import Access, NginxError
from faultstream.formats.logs.node import Node
from faultstream.formats.logs.python import Python
from faultstream.formats.logs.syslog import Syslog

FORMATS: Final[tuple[Format, ...]] = (
    JsonLines(),
    Logfmt(),
    NginxError(),
    Access(),
    Go(),
    Java(),
    Python(),
    Node(),
    Syslog(),
)
"""Every format there is. For each line the first that knows it wins."""
