"""Whose an adopted product's page is, changed after the adoption: what would change first, then a person's word."""

from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Cursor
from psycopg.rows import dict_row

from connectors.base import ShopListing
from core.database import Database
from core.errors import Refused, there_is
from models.events import ListingsDue
from models.shops import Shop
from pipelines.listings.adopt import Page
from pipelines.opening import connect
from pipelines.pacing import patience

ADOPTED = """
SELECT p.product_id, p.external_id, p.trade_only, p.wanted, EXISTS (
  SELECT FROM adoption a WHERE a.shop_id = p.shop_id AND a.product_external_id = p.external_id AND a.state = 'adopted') AS adopted
FROM shop_product p WHERE p.shop_id = %(shop)s AND p.external_id IS NOT NULL AND (p.external_id = %(page)s
  OR p.product_id IN (SELECT l.product_id FROM listing l WHERE l.shop_id = %(shop)s AND l.external_id = %(page)s))"""
"""By the shop's id of the product, or of one of its variants."""

LISTED = """
SELECT l.external_id, l.wanted, v.sku FROM listing l JOIN variant v ON v.id = l.variant_id
WHERE l.shop_id = %(shop)s AND l.product_id = %(product)s ORDER BY l.id"""

# Nothing of it was sent by us: the next push sends the whole page.
OURS = (
    "UPDATE shop_product SET trade_only = false, sent = NULL WHERE shop_id = %(shop)s AND product_id = %(product)s"
    " AND trade_only"
)
STAYS = (
    "UPDATE shop_product SET trade_only = true, problem = NULL WHERE shop_id = %(shop)s AND product_id = %(product)s"
    " AND NOT trade_only"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of the page or of a variant (`sku` "" for the page): what the shop shows → what the hub would send."""

    sku: str
    field: str
    there: str
    wanted: str


@dataclass(frozen=True, slots=True)
class PageChange:
    """What becomes of a page, before it does. `sentences` say it in words; `problem` says why it cannot be."""

    external_id: str
    title: str
    becomes: Page
    differences: tuple[Difference, ...] = ()
    sentences: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def answer(self) -> dict[str, Any]:
        """As the API and the command line tell it."""
        return {**asdict(self), "differences": [asdict(one) for one in self.differences]}


def plan_page(db: Database, shop_id: int, page: str, becomes: Page) -> PageChange:
    """What would change where the page becomes the hub's, or stays its owner's from now on. Nothing is changed.

    `page` is the shop's id of the product or of one of its variants. For what becomes ours the shop is asked how the page
    is now; no unit of work may be open. Raises Refused where it is no adopted product of the shop, or is so already.
    """
    with db.unit_of_work() as uow:
        shop = there_is(uow.session.get(Shop, shop_id), f"Shop {shop_id}")
        found = _adopted(uow.cursor(), shop_id, page, becomes)
        listed = _named(uow.cursor(), LISTED, {"shop": shop_id, "product": found["product_id"]})
        uow.session.expunge_all()
    if becomes == "stays":
        return staying(found)
    with patience(db, shop_id):
        held = list(connect(db, shop).read_back([found["external_id"]]))
    return becoming_ours(found, listed, held)


def change_page(db: Database, shop_id: int, page: str, becomes: Page) -> PageChange:
    """The same, and then it is so: the next push sends the page whole, or nothing of it but price and stock any more.

    Raises Refused, with the plan's problem, where the page cannot become ours.
    """
    planned = plan_page(db, shop_id, page, becomes)
    if planned.problem:
        raise Refused(planned.problem, rule="page")
    with db.unit_of_work() as uow:
        shop = uow.session.get_one(Shop, shop_id, with_for_update={"key_share": True})
        cursor = uow.cursor()
        found = _adopted(cursor, shop_id, page, becomes)
        cursor.execute(
            OURS if becomes == "ours" else STAYS, {"shop": shop_id, "product": found["product_id"]}
        )
        if cursor.rowcount:
            uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return planned


def becoming_ours(found: dict[str, Any], listed: list[dict[str, Any]], held: list[ShopListing]) -> PageChange:
    """Pure: the page that was its owner's as ours. It must have just our variants: a push of it takes out all others."""
    page, ours = found["wanted"], {row["external_id"]: row for row in listed if row["external_id"]}
    there = {one.external_id: one for one in held}
    wanted = [row for row in listed if row["wanted"] is not None]
    first = held[0] if held else None
    title = first.title if first and first.title else page["title"]
    plan = PageChange(found["external_id"], title, "ours")
    if first is None or first.status in ("missing", "trash"):
        return _refused(plan, "The shop has the product no longer: read the shop back first.")
    if not wanted:
        return _refused(
            plan, "Nothing of it is wanted in the shop now: its page stays as its owner shows it."
        )
    if strangers := [one for one in held if one.external_id not in ours]:
        names = ", ".join(one.sku or "one without a SKU" for one in strangers[:3])
        return _refused(
            plan,
            f"The shop's product has variants that are not ours ({names}{' …' if len(strangers) > 3 else ''}): a push of "
            "the whole page could take them out. Make them a product of their own in the shop first.",
        )
    missing = [row["sku"] for row in wanted if row["external_id"] not in there]
    if missing:
        return _refused(
            plan,
            f"The shop's product has not all that is ours of it ({', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}): "
            "compare what the shop has already and adopt the rest first.",
        )
    simple = len(wanted) == 1 and not wanted[0]["wanted"]["options"]
    alone = first.parent_id is None or (len(held) == 1 and not first.options)
    if simple != alone:
        here, in_shop = ("without a choice", "with one") if simple else ("with a choice", "without one")
        return _refused(
            plan,
            f"The hub sells it {here} and the shop {in_shop}: a push would turn it into another product.",
        )
    differences = [Difference("", "title", title, page["title"])]
    if first.status != "live":
        differences.append(Difference("", "status", first.status, "live"))
    if page["images"]:
        differences.append(Difference("", "pictures", str(first.image_count), str(len(page["images"]))))
    for row in wanted:
        one = there[row["external_id"]]
        differences += [
            Difference(row["sku"], "SKU", one.sku, row["wanted"]["sku"]),
            Difference(row["sku"], "options", _options(dict(one.options)), _options(row["wanted"]["options"])),
        ]  # fmt: skip
        if row["wanted"]["gtin"]:
            differences.append(Difference(row["sku"], "GTIN", one.gtin or "", row["wanted"]["gtin"]))
    return PageChange(
        plan.external_id, title, "ours",
        tuple(one for one in differences if one.there != one.wanted), tuple(_sentences(page, first.image_count)),
    )  # fmt: skip


def staying(found: dict[str, Any]) -> PageChange:
    """Pure: a page that was ours as its owner's. Nothing is sent for it."""
    return PageChange(
        found["external_id"], found["wanted"]["title"], "stays",
        sentences=(
            "Nothing of the page changes now: its texts and pictures stay as they are.",
            "From now on only price and stock are kept true; what its owner changes of the rest is left to him.",
            "Where it is wanted no more it stays visible and shows that it is sold out.",
        ),
    )  # fmt: skip


def _sentences(page: dict[str, Any], pictures: int) -> list[str]:
    said = ["The description becomes the hub's." if page["description"] else "The description becomes empty."]
    if page["images"] and pictures:
        said.append("The list of pictures becomes the hub's: those that the owner put there go.")
    elif not page["images"]:
        said.append("The supplier has no pictures: the owner's stay.")
    if page["brand"]:
        said.append(f"The brand becomes {page['brand']}.")
    if tags := page.get("tags"):
        said.append(f"The tags {', '.join(tags)} are added; the owner's stay.")
    said.append("Its address, category, tax and shipping classes stay.")
    said.append("Where it is wanted no more the page is taken out of sale.")
    return said


def _refused(plan: PageChange, problem: str) -> PageChange:
    return PageChange(plan.external_id, plan.title, plan.becomes, problem=problem)


def _options(options: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in options.items())


def _adopted(cursor: Cursor[Any], shop_id: int, page: str, becomes: Page) -> dict[str, Any]:
    rows = _named(cursor, ADOPTED, {"shop": shop_id, "page": page})
    found = there_is(rows[0] if rows else None, f"Product {page} of shop {shop_id}")
    if not found["adopted"]:
        raise Refused("The hub made this product: there is no owner's page to go back to.", rule="page")
    if found["trade_only"] == (becomes == "stays"):
        whose = "its owner's" if becomes == "stays" else "the hub's"
        raise Refused(f"The page is {whose} already.", rule="page")
    return found


def _named(cursor: Cursor[Any], statement: str, facts: dict[str, Any]) -> list[dict[str, Any]]:
    return cursor.connection.cursor(row_factory=dict_row).execute(statement, facts).fetchall()
