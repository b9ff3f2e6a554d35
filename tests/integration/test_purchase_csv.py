"""The supplier's CSV file, out and in: every row has its verdict, and the same file again changes nothing."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.database import Database
from core.errors import Refused
from pipelines.orders.answer_rows import AnswerRow, answer_rows, safe
from pipelines.orders.purchase_csv import HEADER, Verdict, open_orders, take_answers
from pipelines.routes import ROUTES
from tests.integration.test_answers import snapshot
from tests.stepping import one, rows
from tests.trade import Trade


@pytest.fixture
def trade(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    monkeypatch.setenv("ENTREPOT_DATA", str(tmp_path))
    database = Database(database_url, ROUTES)
    yield Trade(database)
    database.close()


def exported(trade: Trade, supplier_id: int | None) -> list[dict[str, str]]:
    with trade.db.unit_of_work() as uow:
        return list(csv.DictReader(io.StringIO(open_orders(uow, supplier_id))))


def filled(*answered: dict[str, str]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, HEADER)
    writer.writeheader()
    writer.writerows(answered)
    return out.getvalue().encode()


def verdicts(trade: Trade, supplier_id: int | None, content: bytes) -> list[tuple[int, str, str]]:
    return [(v.row, v.verdict, v.message) for v in take_answers(trade.db, supplier_id, content)]


def test_the_file_has_what_is_open_and_no_formula(trade: Trade) -> None:
    norden, sueden = trade.supplier("Norden"), trade.supplier("Sueden")
    offer = trade.offer(norden, "10.005")
    with trade.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE offer SET supplier_sku = '=1+1'")
        uow.cursor().execute("UPDATE variant SET title = '@SUM(A1)'")
    trade.placed((offer, 3), (trade.offer(sueden), 1))
    (line,) = trade.line_ids(1)
    trade.want(1, 2, 1)
    (row,) = exported(trade, norden)
    assert tuple(row) == HEADER
    assert {name: value for name, value in row.items() if value} == {
        "reference": "EP-1", "line": str(line), "supplier_sku": "'=1+1", "title": "'@SUM(A1)", "quantity": "3", "to_cancel": "1",
        "unit_cost": "10.005", "currency": "EUR", "ship_name": "Ada Byron", "ship_street": "Torstr. 1", "ship_postcode": "10119",
        "ship_city": "Berlin", "ship_country": "DE", "state": "cancel_requested",
    }  # fmt: skip
    assert [row["reference"] for row in exported(trade, sueden)] == ["EP-2"]
    assert [row["reference"] for row in exported(trade, None)] == ["EP-1", "EP-2"]
    assert [safe(text) for text in ("+49", "-1", "\tx", "\rx", "A", "", "1")] == ["'+49", "'-1", "'\tx", "'\rx", "A", "", "1"]  # fmt: skip


def test_a_filled_file_is_taken_down_and_again_changes_nothing(trade: Trade) -> None:
    norden = trade.supplier()
    trade.placed((trade.offer(norden), 3), (trade.offer(norden), 1))
    trade.placed((trade.offer(norden), 1))
    trade.placed((trade.offer(norden), 1))
    first, second, third, fourth = exported(trade, norden)
    first |= {"confirmed": "Yes", "number": "N-1", "shipped": "2", "carrier": "DHL", "tracking": "-JD01"}
    second |= {"shipped": "1", "carrier": "DHL", "tracking": "-JD01"}
    third |= {"confirmed": "no", "reason": "Sold out."}
    content = filled(first, second, third, fourth)
    assert verdicts(trade, norden, content) == [
        (2, "taken", "EP-1 confirmed. EP-1 shipped."),
        (3, "taken", "EP-1 shipped."),
        (4, "taken", "EP-2 rejected."),
        (5, "empty", "It answers nothing."),
    ]
    assert [trade.po(n) for n in (1, 2, 3)] == ["accepted", "rejected", "placed"]
    assert trade.lines(1) == [("accepted", 3, 3, 2), ("shipped", 1, 1, 1)]
    assert rows(trade.db, "SELECT key, carrier, number FROM shipment") == [("csv:-JD01", "DHL", "-JD01")]
    assert one(trade.db, "SELECT external_number FROM purchase_order WHERE id = 1") == "N-1"
    before = snapshot(trade)
    assert [verdict for _, verdict, _ in verdicts(trade, norden, content)] == ["unchanged", "unchanged", "unchanged", "empty"]  # fmt: skip
    assert snapshot(trade) == before


def test_a_parcel_without_a_tracking_number_is_known_by_what_is_in_it(trade: Trade) -> None:
    norden = trade.supplier()
    trade.placed((trade.offer(norden), 3))
    one_piece = b"reference;shipped\nep-1;1\n"
    assert [v for _, v, _ in verdicts(trade, norden, one_piece)] == ["taken"]
    assert [v for _, v, _ in verdicts(trade, norden, one_piece)] == ["unchanged"]
    assert [v for _, v, _ in verdicts(trade, norden, b"reference;shipped;parcel\nEP-1;1;second\n")] == [
        "taken"
    ]
    assert trade.lines(1) == [("accepted", 3, 3, 2)]


def test_what_cannot_be_taken_is_told_row_by_row_and_the_rest_is_taken(trade: Trade) -> None:
    norden, sueden = trade.supplier("Norden"), trade.supplier("Sueden")
    trade.placed((trade.offer(norden), 2), (trade.offer(norden), 1))
    trade.placed((trade.offer(sueden), 1))
    first, second = trade.line_ids(1)
    content = f"""reference,line,confirmed,shipped,reason
EP-1,{first},maybe,,
EP-1,{first},,3,
EP-1,,,1,
EP-2,,yes,,
EP-99,,yes,,
EP-1,{first},no,,Broken
,,yes,,
EP-1,{second},,one,
EP-1,{second},,,,,,

EP-1,{first},,,,surplus
EP-1,,,0,
""".encode()
    found = verdicts(trade, norden, content)
    assert [(row, verdict) for row, verdict, _ in found] == [
        (2, "refused"), (3, "refused"), (4, "refused"), (5, "refused"), (6, "refused"), (7, "refused"), (8, "refused"),
        (9, "refused"), (10, "empty"), (12, "refused"), (13, "empty"),
    ]  # fmt: skip
    told = {row: message for row, _, message in found}
    assert "write yes or no" in told[2]
    assert "several lines" in told[3]  # one parcel with row 4, which names no line
    assert (
        told[5] == "Purchase order EP-2 is not there. It may have been removed, or the address is mistyped."
    )
    assert "EP-99 is not there" in told[6]
    assert "answered whole" in told[7]
    assert "whole number" in told[9]
    assert "6 cells" in told[12]
    assert [trade.po(n) for n in (1, 2)] == ["placed", "placed"], (
        "another supplier's order is not his to answer"
    )
    assert one(trade.db, "SELECT count(*) FROM shipment") == 0
    more = f"reference,line,shipped\nEP-1,{first},3\n".encode()
    assert "has 2 open, not 3" in verdicts(trade, norden, more)[0][2]
    both = f"reference,line,confirmed\nEP-1,{first},yes\nEP-1,{second},no\n".encode()
    assert [v for _, v, _ in verdicts(trade, norden, both)] == ["refused", "refused"]
    assert trade.po(1) == "placed"


def test_the_operator_answers_for_every_supplier(trade: Trade) -> None:
    trade.placed((trade.offer(trade.supplier()), 1))
    trade.placed((trade.offer(trade.supplier("Sueden")), 1))
    content = b"reference,confirmed\nEP-1,yes\nEP-2,yes\nEP-3,yes\n"
    assert [v for _, v, _ in verdicts(trade, None, content)] == ["taken", "taken", "refused"]
    assert [trade.po(n) for n in (1, 2)] == ["accepted", "accepted"]


def test_a_cancellation_is_answered_in_the_file(trade: Trade) -> None:
    norden = trade.supplier()
    trade.placed((trade.offer(norden), 1))
    trade.placed((trade.offer(norden), 1))
    trade.want(1, 0)
    trade.want(2, 0)
    content = b"reference,cancelled,reason\nEP-1,yes,\nEP-2,no,It is on its way.\n"
    assert [v for _, v, _ in verdicts(trade, norden, content)] == ["taken", "taken"]
    assert [trade.po(n) for n in (1, 2)] == ["cancelled", "accepted"]
    before = snapshot(trade)
    assert [v for _, v, _ in verdicts(trade, norden, content)] == ["unchanged", "unchanged"]
    assert snapshot(trade) == before


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "columns"),
        (b"reference,line\nEP-1,1\n", "columns"),
        (b"confirmed\nyes\n", "columns"),
        (b"reference,confirmed,confirmed\nEP-1,yes,no\n", "columns"),
        (b'reference,confirmed\n"EP-1,yes\n', "not_csv"),
        (b"reference,confirmed\n" + b"EP-1,yes\n" * 20_001, "too_large"),
        (b"x" * (10 * 1024 * 1024 + 1), "too_large"),
    ],
)
def test_a_file_that_is_none_is_refused_whole(content: bytes, rule: str) -> None:
    with pytest.raises(Refused) as error:
        answer_rows(content)
    assert error.value.rule == rule


def test_spreadsheets_of_the_west_are_read_as_well() -> None:
    content = "Reference\tConfirmed\tReason\nep-1\tnein\tGröße fehlt\n".encode("cp1252")
    assert answer_rows(content) == [AnswerRow(2, "EP-1", confirmed=False, reason="Größe fehlt")]


@given(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=5), max_size=8))
def test_whatever_stands_in_the_cells_each_row_is_answered(cells: list[list[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["reference", "line", "confirmed", "shipped"])
    writer.writerows(cells)
    kept = [row for row in cells if any(cell.strip() for cell in row)]
    try:
        found = answer_rows(out.getvalue().encode("utf-8", "surrogatepass"))
    except Refused as error:
        assert error.rule == "not_csv"
        return
    assert len(found) == len(kept)
    for row in found:
        assert row.fault or row.empty or row.confirmed is not None or row.shipped is not None


def test_a_verdict_says_which_row_it_is_of(trade: Trade) -> None:
    norden = trade.supplier()
    trade.placed((trade.offer(norden), 1))
    assert take_answers(trade.db, norden, b"reference,confirmed\nEP-1,yes\n") == [
        Verdict(2, "EP-1", "taken", "EP-1 confirmed.")
    ]


def test_a_part_is_cancelled_in_the_file_and_again_changes_nothing(trade: Trade) -> None:
    offer = trade.offer(trade.supplier())
    trade.placed((offer, 3))
    content = b"reference,cancelled\nEP-1,yes\n"
    assert [v.verdict for v in take_answers(trade.db, None, content)] == ["refused"], "nobody asked yet"
    trade.want(1, 1)
    for verdict in ("taken", "unchanged", "unchanged"):
        assert [v.verdict for v in take_answers(trade.db, None, content)] == [verdict]
    assert (trade.lines(1)[0][1:], trade.stock(offer)) == ((1, 1, 0), (4, 1, 0))
    assert trade.story(1).count("cancelled") == 1
