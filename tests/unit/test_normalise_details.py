"""What only some records have, and feeds that tell only stock or only prices."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.feeds.normalise import normalise

TEXT = (
    "sku;title;price;cost;per;moq;org;from;amount;english;where;map;until;color\n"
    "A;Lampe;12,50;100;1000;5;Germany;10|1;90|100;<i>Lamp</i>;DE AT;11,00;27.11.2026;red\n"
    "B;Tisch;3;5;0;;;x;2;;WORLD;;;\n"
)
FIELDS: dict[str, Any] = {
    "cost_basis": {"from": ["per"]}, "minimum": {"from": ["moq"]}, "origin": {"from": ["org"]}, "map_price": {"from": ["map"]},
    "titles": {"pairs": [[{"value": "eng"}, "english"]]}, "territory": {"from": ["where"]}, "valid_to": {"from": ["until"]},
    "cost_tiers": {"pairs": [["from", "amount"]]}, "attributes": None, "options": None,
}  # fmt: skip
NAMES = (
    "titles",
    "cost",
    "cost_basis",
    "cost_tiers",
    "map_price",
    "minimum",
    "origin",
    "territory",
    "valid_to",
)


def read(tmp_path: Path, text: str, **mapping: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(accepted offers, answers)."""
    file = tmp_path / "feed.csv"
    file.write_text(text.replace("|", "\x1f"))
    batches = list(normalise(file, mapping=mapping).batches())
    offers = pd.concat([batch.offers for batch in batches], ignore_index=True).to_dict("records")
    answers = [one for batch in batches for one in batch.answers.to_dict("records")]
    return _named(offers), _named(answers)


def _named(rows: list[dict[Hashable, Any]]) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in rows]


def test_every_detail_is_typed_and_costs_are_for_one_piece(tmp_path: Path) -> None:
    offers, answers = read(tmp_path, TEXT, fields=FIELDS)
    assert [tuple(offer[name] for name in NAMES) for offer in offers] == [
        ({"en": "Lamp"}, "0.10", "1000", [[1, "0.10"], [10, "0.09"]], "11.00", 5, "DE", ["AT", "DE"], "2026-11-27"),
        (None, "5", "0", None, None, None, None, None, None),
    ]  # fmt: skip
    assert [one["notes"] for one in answers] == [[], ["cost_above_price", "value_ignored"]]


def test_a_title_by_language_is_a_title(tmp_path: Path) -> None:
    fields = {"titles": {"pairs": [["code", "text"]]}, "title": None}
    offers, _ = read(
        tmp_path, "sku;price;code;text\nA;1;ger|eng|xx;Lampe|Lamp|?\nB;2;de;Tisch\n", fields=fields
    )
    assert [(one["title"], one["titles"]) for one in offers] == [
        ("Lampe", {"de": "Lampe", "en": "Lamp"}),
        ("Tisch", {"de": "Tisch"}),
    ]


@pytest.mark.parametrize(
    ("mode", "reasons", "known"),
    [
        ("full", [["missing_title"], ["not_a_number"], ["missing_price"]], {"title", "price", "stock"}),
        ("stock-only", [[], [], ["missing_stock"]], {"title", "stock"}),
        ("price-only", [[], ["not_a_number"], ["missing_price"]], {"title", "price"}),
    ],
)
def test_a_feed_of_part_of_the_facts_asks_only_for_its_own(
    tmp_path: Path, mode: str, reasons: list[list[str]], known: set[str]
) -> None:
    text = "sku;title;price;stock\nA;;1,50;3\nB;Lamp;soon;0\nC;Desk;;\nD;Bed;2,00;7\n"
    offers, answers = read(tmp_path, text, policy={"mode": mode})
    assert [one["reasons"] for one in answers] == [*reasons, []]
    assert {name for name in ("title", "price", "stock") if offers[-1][name] is not None} == known
