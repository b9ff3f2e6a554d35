"""Orders for tests: a market of one supplier and one seller, a shop that tells what the test says, lines in any state."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from connectors.base import ShopListing
from connectors.orders import (
    Buyer,
    Notice,
    ShipmentReport,
    ShopOrder,
    ShopOrderLine,
    ShopRefund,
    UnreadableOrder,
)  # fmt: skip
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import Refused
from core.money import Money
from core.settings import load
from core.vault import load_vault
from ledger.deposits import top_up
from ledger.holds import Short, open_hold
from models.catalogue import Offer, Variant, take
from models.orders import Order, OrderBuyer, OrderLine, Reservation
from models.purchasing import SupplierTerms
from models.shops import Listing, Shop
from tests import builders as make

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Market:
    """Ids of what `market` made: a live shop of a seller that lists offers of one supplier."""

    supplier: int
    seller: int
    shop: int
    offers: tuple[int, ...]
    variants: tuple[int, ...]
    skus: tuple[str, ...]
    ids: tuple[str, ...]
    """The listings' ids in the shop."""


def market(
    db: Database,
    *stocks: int,
    cost: str = "10.00",
    deposit: int = 0,
    commission: str = "0",
    shipping: int = 0,
) -> Market:
    """Offers with these stocks at `cost` each, listed in a shop; `deposit` and `shipping` in cents.

    The test sets ENTREPOT_DATA to a folder of its own before: the shop's key is sealed with the vault there.
    """
    with db.unit_of_work() as uow:
        session = uow.session
        supplier, seller = make.company(session), make.company(session, "seller")
        session.add(
            SupplierTerms(
                supplier_id=supplier.id, commission_percent=Decimal(commission), shipping_minor=shipping
            )
        )
        run = make.run(session, make.feed(session, supplier), landed_at=now() - timedelta(hours=1))
        offers = [make.offer(session, run, cost=cost, stock=n, free=n) for n in stocks]
        shop = make.shop(session, seller, credentials=load_vault(load()).seal({}))
        listings = [make.listing(session, shop, offer) for offer in offers]
        pay_in(uow, seller.id, deposit)
        return Market(
            supplier.id, seller.id, shop.id, tuple(offer.id for offer in offers),
            tuple(offer.variant_id for offer in offers if offer.variant_id),
            tuple(session.get_one(Variant, offer.variant_id).sku for offer in offers),
            tuple(str(listing.external_id) for listing in listings),
        )  # fmt: skip


def another_shop(db: Database, of: Market, deposit: int = 0) -> Market:
    """A second seller's shop that lists the same offers."""
    with db.unit_of_work() as uow:
        session = uow.session
        seller = make.company(session, "seller")
        shop = make.shop(session, seller, credentials=load_vault(load()).seal({}))
        listings = [make.listing(session, shop, session.get_one(Offer, offer)) for offer in of.offers]
        pay_in(uow, seller.id, deposit)
        return replace(
            of, seller=seller.id, shop=shop.id, ids=tuple(str(listing.external_id) for listing in listings)
        )


def pay_in(uow: UnitOfWork, seller_id: int, cents: int) -> None:
    """Money of the seller arrives at the bank and is his deposit."""
    if cents:
        top_up(
            uow, seller_id=seller_id, amount=Money(cents, "EUR"), key=f"test:{make.unique()}", happened_at=now()
        )  # fmt: skip


def told(
    of: Market, *quantities: int, external_id: str = "1001", minutes: int = 0, **values: Any
) -> ShopOrder:
    """The shop's telling of an order of so many of each of the market's offers, `minutes` after MORNING."""
    lines = tuple(
        ShopOrderLine(f"L{place}", of.ids[place], of.skus[place], f"Lampe {place}", n, unit_price=Money(1350, "EUR"))
        for place, n in enumerate(quantities) if n
    )  # fmt: skip
    facts: dict[str, Any] = {
        "external_id": external_id, "number": f"#{external_id}", "currency": "EUR", "standing": "open", "placed_at": MORNING,
        "updated_at": MORNING + timedelta(minutes=minutes), "total": Money(1350 * sum(quantities), "EUR"), "lines": lines,
        "buyer": Buyer(name="Ada Beispiel", street="Weg 1", postcode="10115", city="Berlin", country="DE"), **values,
    }  # fmt: skip
    return ShopOrder(**facts)


def refunded(*lines: tuple[str, int], cents: int = 1350, external_id: str = "R1") -> ShopRefund:
    """A refund in the shop."""
    return ShopRefund(external_id, Money(cents, "EUR"), lines)


@dataclass
class ToldShop:
    """A connector whose shop holds what the test puts into `orders`. `asked` are the calls it got."""

    orders: dict[str, ShopOrder] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    mended: Sequence[str] = ()
    things: Sequence[ShopListing] = ()
    unreadable: Sequence[str] = ()
    secret: str = "right"

    def __call__(self, url: str, **options: Any) -> "ToldShop":
        return self

    def holds(self, *orders: ShopOrder) -> None:
        """The shop has these orders now."""
        self.orders.update({order.external_id: order for order in orders})

    def order(self, external_id: str) -> ShopOrder | None:
        """As it stands now."""
        self.asked.append(("order", external_id))
        return self.orders.get(external_id)

    def orders_since(self, moment: datetime) -> Iterator[ShopOrder | UnreadableOrder]:
        """By change, the earliest first."""
        self.asked.append(("orders_since", moment))
        for order in sorted(self.orders.values(), key=lambda each: each.updated_at):
            if order.external_id in self.unreadable:
                yield UnreadableOrder(order.external_id, "It has no date.")
            elif order.updated_at >= moment:
                yield order

    def holders(self, skus: Sequence[str], gtins: Sequence[str]) -> Iterator[ShopListing]:
        """What it has under these SKUs."""
        self.asked.append(("holders", *skus))
        yield from (one for one in self.things if one.sku in skus)

    def variants(self, external_ids: Sequence[str]) -> Iterator[ShopListing]:
        """What it has by these ids."""
        self.asked.append(("variants", *external_ids))
        yield from (one for one in self.things if one.external_id in external_ids)

    def report_shipment(self, order_id: str, report: ShipmentReport) -> str:
        """Shown once for each key."""
        self.asked.append(("report_shipment", order_id, report))
        return f"fulfilment-{report.key}"

    def subscribe(self, url: str) -> Sequence[str]:
        """What was mended."""
        self.asked.append(("subscribe", url))
        return self.mended

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """The headers say what it is."""
        if headers.get("x-signature") != self.secret:
            raise Refused("The signature is not this shop's.", rule="signature")
        kind: Any = headers["x-kind"]
        return Notice(headers.get("x-delivery", ""), f"{kind}.updated", kind, body.decode() or None)


def order(session: Session, of: Market, **values: Any) -> Order:
    """A paid order without lines."""
    facts: dict[str, Any] = {
        "shop_id": of.shop, "seller_id": of.seller, "external_id": str(make.unique()), "number": f"#{make.unique()}",
        "currency": "EUR", "standing": "open", "total_minor": 1350, "placed_at": MORNING, "external_updated_at": MORNING, **values,
    }  # fmt: skip
    made = Order(**facts)
    session.add(made)
    session.flush()
    session.add(
        OrderBuyer(order_id=made.id, address={"name": "Ada Beispiel", "city": "Berlin", "country": "DE"})
    )
    session.flush()
    return made


def line(
    session: Session, of: Order, market: Market, place: int = 0, quantity: int = 1, **values: Any
) -> OrderLine:
    """A line that wants `quantity` of the market's offer at `place`; nothing of it is covered."""
    facts: dict[str, Any] = {
        "order_id": of.id, "external_id": f"L{make.unique()}", "variant_id": market.variants[place], "sku": market.skus[place],
        "title": f"Lampe {place}", "kind": "goods", "unit_price_minor": 1350, "ordered": quantity, "wanted": quantity,
        "state": "received", **values,
    }  # fmt: skip
    made = OrderLine(**facts)
    session.add(made)
    session.flush()
    return made


def funded_line(
    uow: UnitOfWork, of: Order, market: Market, place: int = 0, quantity: int = 1, **values: Any
) -> OrderLine:
    """A line with its reservation and its hold, as pipelines/orders/reserve.py leaves it."""
    offer = uow.session.get_one(Offer, market.offers[place])
    assert offer.cost is not None
    made = line(uow.session, of, market, place, quantity, **values)
    assert take(uow.cursor(), offer.id, quantity)
    hold = open_hold(
        uow, line_id=made.id, order_id=of.id, seller_id=of.seller_id, supplier_id=market.supplier, quantity=quantity,
        unit_cost=offer.cost, currency="EUR", happened_at=now(), vat_percent=Decimal(19),
    )  # fmt: skip
    assert not isinstance(hold, Short), "give the market a deposit"
    uow.session.add(Reservation(line_id=made.id, offer_id=offer.id, quantity=quantity))
    made.covered, made.offer_id, made.unit_cost, made.state = quantity, offer.id, offer.cost, "funded"
    uow.session.flush()
    uow.session.refresh(offer)
    return made


def lines_of(db: Database) -> list[tuple[Any, ...]]:
    """(state, ordered, wanted, covered, shipped, refunded) of every line, by id."""
    with db.unit_of_work() as uow:
        query = "SELECT state, ordered, wanted, covered, shipped, refunded FROM order_line ORDER BY id"
        return uow.cursor().execute(query).fetchall()


def listing_of(session: Session, shop: Shop, variant_id: int) -> Listing:
    """The shop's listing of a variant."""
    return session.query(Listing).filter_by(shop_id=shop.id, variant_id=variant_id).one()
