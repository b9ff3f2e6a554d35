"""What a run's file does not have any more: noted once, when all offers of the feed are counted."""

from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from models.modes import Scope
from models.staged import MATTERS, based
from models.suppliers import FeedRun

# Joined, not asked for offer by offer: no index of staging knows numbers, and either side may have a million rows.
_STAGED = """LEFT JOIN (SELECT supplier_sku AS staged_sku FROM staged_offer WHERE run_id = %(run)s) s ON s.staged_sku = o.supplier_sku"""
_UNSEEN = """LEFT JOIN (SELECT record_hash AS unseen FROM staged_unseen WHERE run_id = %(run)s) u ON u.unseen = o.record_hash"""


def note_absent(cursor: Cursor[Any], run: FeedRun, scope: Scope, policy: dict[str, Any]) -> dict[str, Any]:
    """Notes in staged_gone what is absent and matters, and counts what there is.

    `some`: whether the feed has any offer; `offered`, `sellable` (of those, with free stock), `gone`.
    """
    gone, joined = "false", ""
    if scope.whole and policy["absence"] != "keep":
        gone, joined = f"s.staged_sku IS NULL AND {MATTERS}", _STAGED
        if based(run):  # only what is new was staged: absent is whose record did not come up
            gone, joined = f"u.unseen IS NOT NULL AND {gone}", f"{_STAGED} {_UNSEEN}"
    cursor.execute("DELETE FROM staged_gone WHERE run_id = %s", [run.id])
    counted = cursor.connection.cursor(row_factory=dict_row).execute(
        f"""WITH there AS MATERIALIZED (
          SELECT count(*) AS offers, count(*) FILTER (WHERE o.state = 'offered') AS offered,
            count(*) FILTER (WHERE o.state = 'offered' AND o.free > 0) AS sellable, array_agg(o.id) FILTER (WHERE {gone}) AS gone
          FROM offer o {joined} WHERE o.feed_id = %(target)s),
        noted AS (
          INSERT INTO staged_gone (run_id, place, offer_id)
          SELECT %(run)s, %(staged)s + g.nth, g.id FROM there, unnest(gone) WITH ORDINALITY AS g(id, nth))
        SELECT offers > 0 AS some, offered, sellable, coalesce(cardinality(gone), 0) AS gone FROM there""",  # noqa: S608 - our own words
        {
            "run": run.id,
            "target": scope.target,
            "staged": (run.facts or {})["staged"],
            "absence": policy["absence"],
        },
    )
    found = counted.fetchone()
    assert found is not None
    return found
