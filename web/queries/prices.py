"""What the pages of prices show: rules with the names of what they are for, and the rates there are."""

from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.companies import Company
from models.shops import Shop
from pipelines.listings.pricing.rules import seller_rules

NEWEST = """
SELECT r.currency, r.per_euro, r.day, EXISTS (SELECT FROM offer o WHERE o.currency = r.currency) OR EXISTS (SELECT FROM shop s WHERE s.currency = r.currency) AS used
FROM (SELECT DISTINCT ON (currency) * FROM currency_rate ORDER BY currency, day DESC) r ORDER BY used DESC, r.currency"""


def rule_rows(session: Session, seller_id: int) -> list[dict[str, Any]]:
    """A seller's rules in the order in which they are asked, shop and supplier by name in `place`."""
    rules = seller_rules(session, seller_id)
    mine = session.execute(select(Shop.id, Shop.name).where(Shop.seller_id == seller_id))
    shops = {row.id: row.name for row in mine}
    named = {rule.scope["supplier"] for rule in rules if "supplier" in rule.scope}
    found = session.execute(select(Company.id, Company.name).where(Company.id.in_(named)))
    suppliers = {row.id: row.name for row in found}
    rows = []
    for rule in rules:
        scope = rule.scope
        place = [
            ("shop", shops.get(scope.get("shop", 0))), ("supplier", suppliers.get(scope.get("supplier", 0))),
            *((name, scope.get(name)) for name in ("category", "brand", "kind")),
        ]  # fmt: skip
        rows.append({"rule": rule, "place": [(name, value) for name, value in place if value]})
    return rows


def newest_rates(cursor: Cursor[Any]) -> list[dict[str, Any]]:
    """The newest rate of each currency, those first in which something is asked or sold."""
    return cursor.connection.cursor(row_factory=dict_row).execute(NEWEST).fetchall()
