"""Plans a staged run: what would change among the feed's offers, and whether a person must look first."""

from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from core.database import SET_SECONDS, Database, UnitOfWork
from core.errors import Refused
from models.catalogue import OUT
from models.events import FeedStaged, FileLanded, RunApproved
from models.runs import held, policy_of
from models.suppliers import Feed, FeedRun

POLICY: dict[str, Any] = {
    "absence": "out_of_stock",
    "assumed_stock": 0,
    "min_offers_percent": 50,
    "max_price_changes_percent": 30,
    "max_zero_stock_percent": 50,
}
"""What a feed's policy says where it is silent. `absence` (keep | out_of_stock | withdraw): what an offer that is no
longer in the file means. The three limits hold a run for a person; they are per cent of the offers there were.
`cost` ({"from": "price", "minus_percent": 30}) is applied while reading."""

STATED = """CASE WHEN s.availability IN ('out_of_stock', 'discontinued') THEN 0 WHEN s.stock IS NOT NULL THEN greatest(s.stock, 0)
          WHEN s.availability IS NOT NULL THEN %(assumed)s ELSE 0 END"""
"""What the supplier has of a staged offer: his stock, or the assumed stock where he only says that he has it."""

FREE = f"greatest(0, {STATED} - {OUT.format(as_of='%(as_of)s')})"
"""What may be sold of it: without what is set aside or was sold since the file came, which its figure still counts."""

PRICE_CHANGES = " OR ".join(
    f"o.{name} IS NOT NULL AND o.{name} IS DISTINCT FROM s.{name}" for name in ("price", "cost", "currency")
)
"""Whether an offer would cost something else; a first price, cost or currency is no change."""

MATTERS = """o.state = 'offered' AND (%(absence)s = 'withdraw' OR %(absence)s = 'out_of_stock' AND (o.free > 0
       OR o.stock IS DISTINCT FROM 0 AND EXISTS (SELECT FROM reservation r WHERE r.offer_id = o.id AND r.quantity > 0)))"""
"""Whether an offer's absence from the file would change anything under the policy."""

COMPARED = (
    "gtin", "mpn", "brand", "title", "description", "category", "kind", "cost", "price", "rrp", "currency", "stock",
    "availability", "lead_time_days", "weight_g", "condition", "group_key", "group_title", "options", "attributes", "images", "details",
)  # fmt: skip


def plan(event: FeedStaged, db: Database) -> None:
    """Stores the plan; within its limits the run goes on by itself, else it waits with the sentences that say why."""
    with db.unit_of_work(last=True) as uow:
        uow.allow(SET_SECONDS)
        run = uow.session.get_one(FeedRun, event.run_id)
        feed = uow.session.get_one(Feed, run.feed_id, with_for_update={"key_share": True})
        uow.session.refresh(run)  # as it is now that nobody else works at this feed
        if run.state != "staged" or emptied(uow, run, feed):
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


def emptied(uow: UnitOfWork, run: FeedRun, feed: Feed) -> bool:
    """True where staging is not what reading left there; the run is then sent back to be read again.

    PostgreSQL empties an unlogged table when it starts after a crash, and to apply nothing would mean that nothing is
    offered any more.
    """
    if count_staged(uow.cursor(), run.id) == (run.facts or {}).get("staged"):
        return False
    run.state = "landed"
    uow.emit(FileLanded(tenant=feed.supplier_id, lane=feed.lane, run_id=run.id))
    return True


def count_staged(cursor: Cursor[Any], run_id: int) -> int:
    """How many offers of the run lie in staging."""
    row = cursor.execute("SELECT count(*) FROM staged_offer WHERE run_id = %s", [run_id]).fetchone()
    return int(row[0]) if row else 0


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
              count(*) FILTER (WHERE o.id IS NOT NULL AND ({differs()})) AS changed,
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
             count(*) FILTER (WHERE {MATTERS} AND NOT EXISTS (SELECT FROM staged_offer s WHERE s.run_id = %(run)s AND s.supplier_sku = o.supplier_sku)) AS gone
           FROM offer o WHERE feed_id = %(feed)s AND state = 'offered'""",
            {"feed": feed.id, "run": run.id, "absence": policy["absence"]},
        )
        .fetchone()
    )
    assert before is not None
    changed = {name: row.pop(f"f_{name}") for name in COMPARED}
    return {
        **row, **before, "unchanged": row["staged"] - row["new"] - row["changed"],
        "fields": {name: number for name, number in changed.items() if number},
    }  # fmt: skip


def differs() -> str:
    """SQL that is true where staging `s` says something else than offer `o` shows.

    Reservations are looked up only where the plain figure would not do: most offers have none.
    """
    return f"""o.content_hash <> s.content_hash OR o.state <> 'offered' OR o.stock IS DISTINCT FROM s.stock
      OR (s.stock IS NULL OR o.free <> {STATED}) AND o.free <> {FREE}"""


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
