"""Series: learned limits on real series of measured values (NAB).

A detection is a row where a crossing of the learned limit begins, on either side, in any way; one
setting for all files, the one that `faultstream watch` has. The published figures of the peers have
each the threshold that suits it best, which flatters them.
"""

from collections.abc import Sequence
from typing import Any, Final

from faultstream.core.limits import Limits
from faultstream.quality import nab
from faultstream.quality.section import Section, Table, Task
from faultstream.quality.spread import Span, redrawn, span, without_one
from faultstream.simulate.goals import above

FOLDERS: Final = ("realAWSCloudwatch", "realTraffic")
_QUIET: Final = "artificialNoAnomaly"
PEERS: Final = (
    ("windowed Gaussian", 31.2, 64.3),
    ("Twitter ADVec", 38.5, 57.7),
    ("HTM", 73.4, 82.5),
    ("ARTime", 69.5, 86.9),
)


def detect(rows: list[dict[str, str]]) -> nab.Series:
    """The times, and where a crossing begins."""
    limits = Limits()
    found = []
    for row in rows:
        crossing = limits.judge("", float(row["value"]), either=True)
        found.append(crossing is not None and not crossing.lasting)
    return [row["timestamp"] for row in rows], found


def _spread(scores: dict[str, nab.Score], windows: dict[str, list[Any]]) -> tuple[Span, Span]:
    """Where the score of a folder lies with one file left out, and with files drawn anew.

    A draw without any window, in which nothing can be scored, counts as one of nothing found.
    """

    def figure(names: Sequence[str]) -> float:
        drawn = dict(enumerate(names))
        found = nab.corpus(
            {str(at): scores[name] for at, name in drawn.items()},
            {str(at): windows[name] for at, name in drawn.items()},
        )
        return 0.0 if found is None else found

    names = list(scores)
    return without_one(names, figure), redrawn(names, figure)


def measure(task: Task) -> Section:
    """NAB scores by folder, windows hit, and detections where nothing is wrong."""
    windows = task.data.json("series", "labels", "combined_windows.json")
    found: dict[str, dict[str, nab.Score]] = {}
    for folder in (*FOLDERS, _QUIET):
        found[folder] = {}
        for path in sorted(task.data.path("series", "data", folder).glob("*.csv.gz")):
            name = f"{folder}/{path.name.removesuffix('.gz')}"
            rows = task.data.table("series", "data", folder, path.name)
            found[folder][name] = nab.score(detect(rows), windows[name])
        task.tell(f"series: {folder}")
    scores = {folder: nab.corpus(found[folder], windows) for folder in FOLDERS}
    spreads = {
        folder: _spread(found[folder], windows) for folder in FOLDERS if len(found[folder]) > 1
    }
    hits = {
        folder: (
            sum(one.hit for one in found[folder].values()),
            sum(one.windows for one in found[folder].values()),
        )
        for folder in FOLDERS
    }
    quiet = sum(one.said for one in found[_QUIET].values())
    worst = sorted(
        ((one.raw, name, one) for many in found.values() for name, one in many.items() if one.said),
        key=lambda item: item[:2],
    )[: task.shown]
    ours = tuple("-" if scores[one] is None else f"{scores[one]:.1f}" for one in FOLDERS)
    peers = [(name, f"{aws:.1f}", f"{traffic:.1f}") for name, aws, traffic in PEERS]
    return Section(
        says="Learned limits on real series (NAB score, standard profile; 100 is perfect).",
        figures={
            "scores": scores,
            "windows_hit": {name: hit for name, (hit, _) in hits.items()},
            "windows": {name: count for name, (_, count) in hits.items()},
            "detections_without_anomaly": quiet,
            "without_one_file": {name: one for name, (one, _) in spreads.items()},
            "intervals": {name: other for name, (_, other) in spreads.items()},
            "peers": {name: dict(zip(FOLDERS, rest, strict=True)) for name, *rest in PEERS},
            "worst": [
                {"file": name, "raw": raw, "hit": one.hit, "windows": one.windows, "said": one.said}
                for raw, name, one in worst
            ],
        },
        tables=[
            Table(
                columns=("", "AWS", "Traffic"),
                rows=[
                    ("ours", *ours),
                    *(
                        (
                            words,
                            *(
                                span(spreads[one][at] if one in spreads else None, 0)
                                for one in FOLDERS
                            ),
                        )
                        for at, words in enumerate(("without any one file", "95 % interval"))
                    ),
                    *peers,
                ],
            ),
            Table(
                title="worst files",
                columns=("file", "points", "hit", "windows", "said"),
                rows=[
                    (name, f"{raw:.2f}", str(one.hit), str(one.windows), str(one.said))
                    for raw, name, one in worst
                ],
            ),
        ],
        notes=[f"detections in series without anomalies: {quiet}"],
        goals=[
            above(f"NAB {name}", scores[name], max(best), digits=1)
            for name, best in zip(
                FOLDERS, zip(*(rest for _, *rest in PEERS), strict=True), strict=True
            )
        ],
    )
