"""Plans a staged run: what would change among the feed's offers, and whether a person must look first."""

from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused
from models.events import FeedStaged, RunApproved
from models.runs import held, policy_of
from models.staged import (
    COMPARED,
    DIFFERS,
    MATTERS,
    POLICY,
    PRICE_CHANGES,
    STATED,
    absent,
    another_is_taken,
    emptied,
    unchanged,
)
from models.suppliers import Feed, FeedRun


def plan(event: FeedStaged, db: Database) -> None:
    """Stores the plan; within its limits the run goes on by itself, else it waits with the sentences that say why."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        if run.state != "staged" or another_is_taken(uow.cursor(), run) or emptied(uow, run, feed):
            return
        counts = count(uow.cursor(), run, feed)
        broken = beyond_limits(counts, policy_of(run, {**POLICY, **feed.policy}))
        limits = [*held(uow.session, run), *(run.facts or {}).get("breaks", []), *broken]
        run.plan = {
            **counts,
            "examples": examples(uow.cursor(), run),
            "limits": limits,
            "asks": asks(counts, feed),
        }
        if limits:
            run.state = "waiting"
        else:
            approve(uow, run, feed)


def approve(uow: UnitOfWork, run: FeedRun, feed: Feed) -> None:
    """Lets a planned run pass. Raises Refused where it is in no state for that, by now: two may approve at once."""
    uow.session.flush()
    uow.session.refresh(run, with_for_update={"key_share": True})
    if run.state not in ("staged", "waiting"):
        raise Refused(f"Run {run.id} is {run.state}: only a waiting run can be approved.", rule="wrong_state")
    run.state = "approved"
    uow.emit(RunApproved(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))


def count(cursor: Cursor[Any], run: FeedRun, feed: Feed) -> dict[str, Any]:
    """How many offers the run would make, change, leave and miss; which fields change; how stock and price move."""
    policy = policy_of(run, {**POLICY, **feed.policy})
    fields = ", ".join(
        f"count(*) FILTER (WHERE o.id IS NOT NULL AND o.{name} IS DISTINCT FROM s.{name}) AS f_{name}"
        for name in COMPARED
    )
    row = (
        dict_cursor(cursor)
        .execute(
            f"""SELECT count(*) AS staged, count(*) FILTER (WHERE o.id IS NULL) AS new,
              count(*) FILTER (WHERE o.id IS NOT NULL AND {DIFFERS}) AS changed,
              count(*) FILTER (WHERE s.cost IS NULL) AS without_cost,
              count(*) FILTER (WHERE s.currency IS NULL) AS without_currency,
              count(*) FILTER (WHERE o.free > 0 AND {STATED} = 0) AS to_zero,
              count(*) FILTER (WHERE {PRICE_CHANGES}) AS price_changes,
              {fields}
            FROM staged_offer s LEFT JOIN offer o ON o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku
            WHERE s.run_id = %(run)s""",
            {"feed": feed.id, "run": run.id, "assumed": policy["assumed_stock"], "as_of": run.as_of},
        )
        .fetchone()
    )
    assert row is not None
    before = (
        dict_cursor(cursor)
        .execute(
            f"""SELECT count(*) AS offered, count(*) FILTER (WHERE free > 0) AS sellable,
             count(*) FILTER (WHERE {MATTERS} AND {absent(run)}) AS gone
           FROM offer o WHERE feed_id = %(feed)s AND state = 'offered'""",
            {"feed": feed.id, "run": run.id, "absence": policy["absence"]},
        )
        .fetchone()
    )
    assert before is not None
    row["staged"] += unchanged(run)
    changed = {name: row.pop(f"f_{name}") for name in COMPARED}
    return {
        **row, **before, "unchanged": row["staged"] - row["new"] - row["changed"],
        "fields": {name: number for name, number in changed.items() if number},
    }  # fmt: skip


def beyond_limits(counts: dict[str, Any], policy: dict[str, Any]) -> list[str]:
    """Pure: the sentences for each guard rail that a plan breaks; none on a feed's first run."""
    before = counts["offered"]
    if not before:
        return []
    sentences = []
    if counts["staged"] * 100 < policy["min_offers_percent"] * before:
        sentences.append(
            f"The file has {counts['staged']} usable offers where there were {before}: fewer than {policy['min_offers_percent']} %."
        )
    if counts["price_changes"] * 100 > policy["max_price_changes_percent"] * before and before >= 10:
        sentences.append(
            f"{counts['price_changes']} of {before} offers change their price: more than {policy['max_price_changes_percent']} %."
        )
    lost = counts["to_zero"] + counts["gone"]
    if counts["sellable"] >= 10 and lost * 100 > policy["max_zero_stock_percent"] * counts["sellable"]:
        sentences.append(
            f"{lost} of {counts['sellable']} offers in stock would have none: more than {policy['max_zero_stock_percent']} %."
        )
    return sentences


def asks(counts: dict[str, Any], feed: Feed) -> list[str]:
    """Pure: what the hub must be told before these offers can be sold."""
    sentences = []
    if counts["without_cost"]:
        sentences.append(
            f"{counts['without_cost']} offers have no cost. Retail prices are not taken for cost: say what you ask of sellers,"
            f" `entrepot feed set {feed.id} --cost-from price --cost-minus 30`."
        )
    if counts["without_currency"]:
        sentences.append(f"The file names no currency: say it, `entrepot feed set {feed.id} --currency EUR`.")
    return sentences


def examples(cursor: Cursor[Any], run: FeedRun, number: int = 10) -> list[dict[str, Any]]:
    """A few of the changes, the greatest moves of price first: {"supplier_sku", "title", "fields": {name: [from, to]}}."""
    rows = (
        dict_cursor(cursor)
        .execute(
            """SELECT s.supplier_sku, s.title, o.cost::text AS old_cost, s.cost::text AS new_cost, o.price::text AS old_price,
             s.price::text AS new_price, o.stock AS old_stock, s.stock AS new_stock, o.title AS old_title, s.title AS new_title
           FROM staged_offer s JOIN offer o ON o.feed_id = %(feed)s AND o.supplier_sku = s.supplier_sku
           WHERE s.run_id = %(run)s AND o.content_hash <> s.content_hash
           ORDER BY abs(coalesce(s.cost, s.price) / nullif(coalesce(o.cost, o.price), 0) - 1) DESC NULLS LAST, s.supplier_sku
           LIMIT %(number)s""",
            {"feed": run.feed_id, "run": run.id, "number": number},
        )
        .fetchall()
    )
    return [
        {
            "supplier_sku": row["supplier_sku"], "title": row["title"],
            "fields": {
                name: [row[f"old_{name}"], row[f"new_{name}"]]
                for name in ("cost", "price", "stock", "title") if row[f"old_{name}"] != row[f"new_{name}"]
            },
        }
        for row in rows
    ]  # fmt: skip


def dict_cursor(cursor: Cursor[Any]) -> Cursor[dict[str, Any]]:
    """A cursor on the same connection whose rows are dicts."""
    return cursor.connection.cursor(row_factory=dict_row)
