"""docs/feeds.md explains every verdict there is, and nothing that there is not."""

import re
from pathlib import Path

from pipelines.feeds.verdicts import NOTES, QUARANTINES, REJECTS

PAGE = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text("utf-8")


def explained(heading: str) -> list[str]:
    table = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.M)


def test_every_verdict_is_explained_once() -> None:
    assert explained("rejected as") == list(REJECTS)
    assert explained("quarantined as") == list(QUARANTINES)
    assert explained("note on an accepted record") == list(NOTES)
