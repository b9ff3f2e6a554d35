"""What the Shops pages and the API show of shops, their listings, selections and pushes."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import Float, Integer, String, case, cast, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.tables import DeadLetter
from models.catalogue import Offer, Product, Variant
from models.companies import Company
from models.orders import Order
from models.shops import Adoption, ConnectionRequest, Listing, Push, PushChange, Selection, Shop, ShopProduct
from models.suppliers import FeedRun
from web.queries.feeds import EPOCH
from web.queries.overview import IN_REACH
from web.queries.undecided import UNDECIDED
from web.tables import ROWS, Ask, Column, Rows, Statement, paged, tally

_counts = (
    select(
        Listing.shop_id,
        func.count().filter(Listing.state == "live").label("live"),
        func.count().filter(Listing.state.in_(IN_REACH)).label("reach"),
        func.count().filter(Listing.state == "drifted").label("drifted"),
        func.count().filter(UNDECIDED).label("undecided"),
    )
    .group_by(Listing.shop_id)
    .subquery()
)
_live, _reach, _drifted, _undecided = (
    func.coalesce(column, 0, type_=Integer)
    for column in (_counts.c.live, _counts.c.reach, _counts.c.drifted, _counts.c.undecided)
)
_state = case((Shop.problem.is_not(None), "trouble"), (Shop.live_since.is_not(None), "live"), else_="new")
_step = func.coalesce(cast(_counts.c.live, Float) / func.nullif(_counts.c.reach, 0), 1.0, type_=Float)

SHOP_COLUMNS = {
    "shop": Column(func.lower(Shop.name, type_=String)),
    "seller": Column(func.lower(Company.name, type_=String)),
    "listings": Column(_reach, "-"),
    "step": Column(_step),
    "drifted": Column(_drifted, "-"),
    "checked": Column(func.coalesce(Shop.checked_at, EPOCH), "-"),
}
_shown = case((UNDECIDED, "undecided"), else_=Listing.state)
"""A listing's state as people see it: of those that wait some go with the next push, and some wait for a word."""
SHOWN_ORDER = ("drifted", "refused", "blocked", "undecided", "waiting", "sent", "live", "withdrawn")
"""What needs a look comes first."""
LISTING_COLUMNS = {
    "state": Column(
        case({state: place for place, state in enumerate(SHOWN_ORDER)}, value=_shown, else_=len(SHOWN_ORDER))
    ),
    "sku": Column(func.lower(Variant.sku, type_=String)),
    "stock": Column(func.coalesce(cast(Listing.wanted["stock"].astext, Integer), -1, type_=Integer)),
    "seen": Column(func.coalesce(Listing.seen_at, EPOCH), "-"),
}


def _shops(*columns: Any) -> Statement:
    return (
        select(*columns)
        .select_from(Shop)
        .join(Company, Company.id == Shop.seller_id)
        .outerjoin(_counts, _counts.c.shop_id == Shop.id)
    )


def shop_rows(session: Session, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of shops with how much of each is in step."""
    statement = _shops(
        Shop.id, Shop.name, Shop.channel, Shop.url, Shop.problem, Shop.checked_at, Company.name.label("seller"), _state.label("state"),
        _live.label("live"), _reach.label("reach"), _drifted.label("drifted"), _undecided.label("undecided"),
    )  # fmt: skip
    if ask["state"]:
        statement = statement.where(_state == ask["state"])
    if ask["q"]:
        words = (Shop.name, Shop.url, Company.name)
        statement = statement.where(or_(*(word.icontains(ask["q"], autoescape=True) for word in words)))
    return paged(session, statement, SHOP_COLUMNS, Shop.id, ask, limit)


def shop_states(session: Session) -> dict[str, int]:
    """How many shops are live, not live yet, or in trouble."""
    return tally(session, select(_state, func.count()).select_from(Shop).group_by(_state))


def one_shop(session: Session, shop_id: int) -> Any:
    """A shop with its seller, or None."""
    return (
        session.execute(
            _shops(Shop, Company.name.label("seller"), _state.label("state")).where(Shop.id == shop_id)
        )
        .mappings()
        .one_or_none()
    )


def failed_connections(session: Session) -> list[Any]:
    """Connections of the last day whose owner agreed and that failed all the same, and were not begun again since: the
    shop tells him no reason (WooCommerce shows "Access denied")."""
    later = aliased(ConnectionRequest)
    again = select(later.token_hash).where(
        later.seller_id == ConnectionRequest.seller_id, later.name == ConnectionRequest.name, later.created_at > ConnectionRequest.created_at
    )  # fmt: skip
    connected = select(Shop.id).where(
        Shop.seller_id == ConnectionRequest.seller_id, Shop.name == ConnectionRequest.name, Shop.checked_at > ConnectionRequest.created_at
    )  # fmt: skip
    names = (
        ConnectionRequest.name,
        ConnectionRequest.url,
        ConnectionRequest.problem,
        ConnectionRequest.used_at,
    )
    return list(
        session.execute(
            select(*names, Company.name.label("seller")).join(Company, Company.id == ConnectionRequest.seller_id)
            .where(
                ConnectionRequest.problem.is_not(None), ConnectionRequest.shop_id.is_(None),
                ConnectionRequest.created_at > func.now() - timedelta(days=1), ~again.exists(), ~connected.exists(),
            )
            .order_by(ConnectionRequest.created_at.desc()).limit(3)
        ).mappings()
    )  # fmt: skip


def listing_states(session: Session, shop_id: int) -> dict[str, int]:
    """How many of a shop's listings are in each state."""
    return tally(
        session, select(Listing.state, func.count()).where(Listing.shop_id == shop_id).group_by(Listing.state)
    )


def shown_states(session: Session, shop_id: int) -> dict[str, int]:
    """The same as people see them: those that wait for their owner's word are counted by themselves."""
    return tally(session, select(_shown, func.count()).where(Listing.shop_id == shop_id).group_by(_shown))


def _listings(*columns: Any) -> Statement:
    page = (ShopProduct.shop_id == Listing.shop_id) & (ShopProduct.product_id == Listing.product_id)
    return (
        select(*columns)
        .select_from(Listing)
        .join(Variant, Variant.id == Listing.variant_id)
        .outerjoin(ShopProduct, page)
    )


def listing_rows(session: Session, shop_id: int, ask: Ask, limit: int = ROWS) -> Rows:
    """One page of a shop's listings; what needs a look comes first."""
    statement = _listings(
        Listing.id, _shown.label("state"), Listing.wanted, Listing.sent, Listing.seen, Listing.problem, Listing.why, Listing.external_id,
        Listing.sent_at, Listing.seen_at, Variant.sku, Variant.title, ShopProduct.sent["title"].astext.label("sent_title"), ShopProduct.trade_only,
    ).where(Listing.shop_id == shop_id)  # fmt: skip
    if ask["state"]:
        statement = statement.where(_shown == ask["state"])
    if ask["q"]:
        statement = statement.where(
            or_(
                Variant.sku.istartswith(ask["q"], autoescape=True),
                Variant.title.icontains(ask["q"], autoescape=True),
                Variant.gtin == ask["q"],
            )
        )
    return paged(session, statement, LISTING_COLUMNS, Listing.id, ask, limit)


def one_listing(session: Session, shop_id: int, listing_id: int) -> Any:
    """A listing of this shop with its variant, product and page there, or None."""
    return session.execute(
        _listings(Listing, Variant, Product, ShopProduct).join(Product, Product.id == Listing.product_id)
        .where(Listing.id == listing_id, Listing.shop_id == shop_id)
    ).mappings().one_or_none()  # fmt: skip


def page_adopted(session: Session, shop_id: int, page: ShopProduct | None) -> bool:
    """Whether the shop had this page before it became a listing of ours."""
    if page is None or page.external_id is None:
        return False
    found = select(Adoption.shop_id).where(
        Adoption.shop_id == shop_id,
        Adoption.product_external_id == page.external_id,
        Adoption.state == "adopted",
    )
    return session.scalars(found.limit(1)).first() is not None


def offer_behind(session: Session, offer_id: int | None) -> Any:
    """The offer that made a listing's price, with its supplier and the run it came from; None where it is gone."""
    return session.execute(
        select(
            Offer.id, Offer.supplier_sku, Offer.cost, Offer.currency, Offer.free, Offer.locator, Offer.changed_at, Offer.feed_run_id,
            Offer.match_reason, FeedRun.file_name, Company.name.label("supplier"),
        )
        .join(Company, Company.id == Offer.supplier_id).join(FeedRun, FeedRun.id == Offer.feed_run_id).where(Offer.id == offer_id)
    ).mappings().one_or_none()  # fmt: skip


def selections(session: Session, shop_id: int) -> list[Any]:
    """A shop's selections in the order in which they price, each with its supplier's name where it is by supplier."""
    supplier = cast(Selection.what["supplier"].astext, Integer)
    return list(
        session.execute(
            select(Selection.id, Selection.by, Selection.what, Selection.margin_percent, Selection.created_at, Company.name.label("supplier"))
            .outerjoin(Company, (Selection.by == "supplier") & (Company.id == supplier))
            .where(Selection.shop_id == shop_id).order_by(Selection.id)
        ).mappings()
    )  # fmt: skip


def last_pushes(session: Session, shop_id: int, limit: int = 8) -> list[Push]:
    """A shop's last pushes, the newest first."""
    return list(
        session.scalars(select(Push).where(Push.shop_id == shop_id).order_by(Push.id.desc()).limit(limit))
    )


def unread_orders(session: Session, shop_id: int, limit: int = 20) -> list[dict[str, Any]]:
    """Orders that were given up when they were asked for and that the shop has not told readably since: `letter` is the
    dead letter's number, `number` the order's own where it is stored, else the shop's id, `problem` a sentence.

    While there is one in the window of a sweep, no sweep counts as whole (pipelines/orders/pull.py).
    """
    external = DeadLetter.payload["external_id"].astext
    found = session.execute(
        select(DeadLetter.id, external.label("external_id"), Order.number, DeadLetter.error, DeadLetter.died_at)
        .outerjoin(Order, (Order.shop_id == shop_id) & (Order.external_id == external))
        .where(
            DeadLetter.event == "OrderNoticed", DeadLetter.replayed_at.is_(None), DeadLetter.lane == f"shop:{shop_id}",
            or_(Order.id.is_(None), Order.external_updated_at <= DeadLetter.died_at),
        )
        .order_by(DeadLetter.id).limit(limit)
    ).mappings()  # fmt: skip
    return [
        {
            "letter": row["id"], "external_id": row["external_id"], "number": row["number"] or named(row["error"]) or row["external_id"].rpartition("/")[2],
            "problem": sentence(row["error"]), "since": row["died_at"],
        }
        for row in found
    ]  # fmt: skip


def sentence(error: str) -> str:
    """Pure: "Refused: Order 7 has no date." → "Order 7 has no date.": the kind of an error is for programs."""
    kind, colon, words = error.partition(": ")
    told = words if colon and kind.isidentifier() else error
    return told if told.endswith((".", "!", "?", ")")) else f"{told}."


def named(error: str) -> str | None:
    """Pure: the number that a connector's sentence names, "#1044" of "Order #1044 cannot be read …"."""
    found = re.search(r"\bOrder (#?[\w-]+) ", error)
    return found[1] if found else None


def undoable_pushes(session: Session, push_ids: list[int]) -> set[int]:
    """Which of these pushes ended and can be put back: the hub still knows what the shop held before."""
    changed = select(PushChange.push_id).where(PushChange.push_id == Push.id).exists()
    undone = aliased(Push)
    taken_back = select(undone.id).where(undone.undoes == Push.id).exists()
    ended = Push.id.in_(push_ids) & (Push.state == "done")
    return set(session.scalars(select(Push.id).where(ended, changed, ~taken_back)))


def changes_of(session: Session, push_id: int) -> tuple[int, int]:
    """How many listings a push brought into the shop, and how many that were there it changed."""
    fresh = func.count().filter(func.jsonb_typeof(PushChange.sent).is_distinct_from("object"))
    brought, whole = session.execute(
        select(fresh, func.count()).select_from(PushChange).where(PushChange.push_id == push_id)
    ).one()
    return brought, whole - brought
