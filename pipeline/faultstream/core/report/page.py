"""Page: a report as one HTML file that needs nothing else, reads in the dark and prints well."""

from html import escape
from typing import Any, Final

from markdown_it import MarkdownIt

_STYLE: Final = """\
:root { color-scheme: light dark; --line: light-dark(#d5d8dc, #454c55); --head: light-dark(#f4f6f7, #22272e); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: break-word; background: light-dark(#ffffff, #15191e); color: light-dark(#1c2833, #d8dee6); }
h1, h2 { line-height: 1.25; } h2 { margin-top: 2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--head); } thead tr:not(:has(th:not(:empty))) { display: none; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; background: var(--head); }
td[style*=right] { white-space: nowrap; } td code { overflow-wrap: anywhere; }
code { padding: .1em .25em; } pre { padding: .75rem; overflow-x: auto; white-space: pre-wrap; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; }
svg > rect:first-of-type { fill: transparent; } svg path { stroke: currentColor; stroke-opacity: .5; }
@media print { :root { color-scheme: light; } body { margin: 0; max-width: none; font-size: 11pt; }
  h2 { break-after: avoid; } tr, svg, pre { break-inside: avoid; } table { display: table; } }
"""  # noqa: E501 - a stylesheet
_SAFE: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded and no script runs, whatever was reported."""


def page(markdown: str, picture: str = "") -> str:
    """The page of a report; `picture`, an SVG, stands where the report has an image. HTML in the
    report is text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")

    def image(_: Any, *__: Any) -> str:
        return picture

    reader.add_render_rule("image", image)
    body = reader.render(markdown)
    title = escape(markdown.partition("\n")[0].lstrip("# ").replace("\\", ""))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_SAFE}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )
