"""The moment a file's figures are true for: from its name, from a column, else from nowhere."""

from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from core.errors import Refused
from pipelines.feeds.as_of import AsOf, read_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27T08:30:00+02:00", datetime(2026, 11, 27, 8, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-11-27 08:30", datetime(2026, 11, 27, 8, 30, tzinfo=UTC)),
        ("20261127083059", datetime(2026, 11, 27, 8, 30, 59, tzinfo=UTC)),
        ("202611270830", datetime(2026, 11, 27, 8, 30, tzinfo=UTC)),
        ("20261127", datetime(2026, 11, 27, tzinfo=UTC)),
        (" 27.11.2026 ", datetime(2026, 11, 27, tzinfo=UTC)),
        ("202613990830", None),
        ("soon", None),
        ("", None),
    ],
)
def test_moments_as_they_are_written(text: str, moment: datetime | None) -> None:
    assert read_moment(text) == moment


def test_the_newest_of_a_column_counts() -> None:
    stated = AsOf({"column": "Stand"}, "f.csv")
    assert stated.moment is None
    for cells in (["2026-11-26", None, "n/a"], ["2026-11-27T01:00:00", "2026-11-25"]):
        stated.note(pd.DataFrame({"Stand": cells, "Titel": "x"}))
    stated.note(pd.DataFrame({"Titel": ["2030-01-01"]}))
    assert stated.moment == datetime(2026, 11, 27, 1, tzinfo=UTC)


def test_the_name_is_asked_for_what_the_pattern_matches() -> None:
    assert AsOf({"name_pattern": r"\d{8}"}, "liste-20261127-v2.csv").moment == datetime(2026, 11, 27, tzinfo=UTC)  # fmt: skip
    assert AsOf({"name_pattern": r"\d{8}"}, "liste.csv").moment is None
    assert AsOf(None, "liste-20261127.csv").moment is None
    with pytest.raises(Refused, match=r"as_of\.name_pattern"):
        AsOf({"name_pattern": "("}, "f.csv")
