"""What shops of the busy hub have beside listings: price rules, rates, settings, what was found there, a push to take back."""

from datetime import timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from core.clock import now
from models.privacy import PrivacyRequest
from models.shops import (
    Adoption,
    CurrencyRate,
    Listing,
    Meter,
    PriceRule,
    Push,
    PushChange,
    Shop,
    ShopProduct,
)
from pipelines.listings.pricing.formula import Formula
from pipelines.listings.settings import ShopSettings
from tests import builders as make


def shops(session: Session, words: str = "") -> None:
    """On shop 1 and its seller; `words` makes names long."""
    shop = session.get_one(Shop, 1)
    shop.channel = "shopify"
    shop.facts = {
        "name": shop.name, "version": "2026-10 (Basic)", "currency": "EUR", "prices_include_tax": True, "weight_unit": "kg",
        "timezone": "Europe/Berlin", "warnings": ["The hub keeps its stock at the location Lager Berlin; what other locations hold is sold on top of it."],
        "locations": [f"Lager Berlin {words}".strip(), "Laden Mitte"], "scopes": ["write_products", "write_inventory", "read_orders"],
        "limits": {"variants of a product": "2,048", "points a second": "100"},
    }  # fmt: skip
    shop.settings = ShopSettings(
        title_template=f"{{title}} – {{brand}} {words}".strip(), buffer=2, categories={"Licht": f"Wohnen > Leuchten {words}".strip()},
        tax_percent=Decimal(19), tags=("lampe", "{brand}"),
    ).stored()  # fmt: skip
    rules = (
        ("Lampen", 50, {"category": f"Licht {words}".strip()}, {"margin_percent": 60, "rounding": {"to": "0.99"}, "rrp_cap": True}),
        (f"Staffel für Ersatzteile {words}".strip(), 80, {"kind": "goods", "shop": 1}, {"tiers": [{"from": 0, "percent": 80}, {"from": 20, "percent": 40}], "add_on": "1.50"}),
        ("Alles andere", 100, {}, {"base": "rrp", "margin_percent": -10, "minimum_margin_percent": 15, "compare_at": "rrp"}),
    )  # fmt: skip
    for name, priority, scope, formula in rules:
        stored = Formula.read(formula).stored()
        session.add(
            PriceRule(
                seller_id=shop.seller_id, name=name[:100], priority=priority, scope=scope, formula=stored
            )
        )
    for currency, rate in (("USD", "1.0842"), ("CZK", "25.113"), ("GBP", "0.8371")):
        session.add(
            CurrencyRate(day=now().date() - timedelta(days=1), currency=currency, per_euro=Decimal(rate))
        )
    found = session.query(Listing).filter_by(shop_id=1).order_by(Listing.id).limit(6).all()
    cut = f"Lampe {words} is one product here and 2 products in the shop: join them there, or leave them and sell ours under other SKUs."
    shop.looked_at = now() - timedelta(minutes=20)
    states = ("proposed", "proposed", "unclear", "adopted", "left", "proposed")
    for place, (listing, state) in enumerate(zip(found, states, strict=False)):
        session.add(
            Adoption(
                shop_id=1, external_id=str(9000 + place), product_external_id=str(9000 + place),
                variant_id=None if state == "unclear" else listing.variant_id,
                reason=("sku", "gtin")[place % 2], state=state, problem=cut if state == "unclear" else None,
                seen={"title": f"Lampe Nr. {place} {words}".strip(), "sku": f"alt-{place}", "gtin": None, "price": "39.90", "stock": place, "options": {}, "variants": 1, "alone": True},
            )
        )  # fmt: skip
    for listing, word in ((found[1], "GTIN"), (found[2], "SKU")):
        listing.undecided, listing.state, listing.sent, listing.external_id = True, "waiting", None, None
        listing.sent_at = listing.seen = listing.seen_at = None
        listing.problem = f"The shop already has a product with this {word}: adopt it or leave it, `entrepot adoption list 1`."
    page = session.query(ShopProduct).filter_by(shop_id=1, product_id=found[3].product_id).one()
    found[3].external_id = page.external_id = "9003"
    page.trade_only = True
    if words:  # the busy hub has no room for it on its Overview
        asked(session, words)
    session.add(Meter(shop_id=1, points=620, most=2000, a_second=100))
    done = Push(
        shop_id=1, state="done", plan={"create": 2, "update": 14, "stock": 31, "withdraw": 1, "limits": []},
        outcome={"sent": 47, "refused": 0, "withdrawn": 1, "problem": None}, asked_by="hub",
        started_at=now() - timedelta(minutes=9), ended_at=now() - timedelta(minutes=8),
    )  # fmt: skip
    session.add(done)
    session.flush()
    for listing in found:
        session.add(PushChange(push_id=done.id, listing_id=listing.id, page=None, sent=listing.sent))


def asked(session: Session, words: str = "") -> None:
    """What buyers asked of their data in shop 1, in time and too late, and an order there that cannot be read."""
    for days, kind, done in (
        (2, "data_request", False),
        (33, "data_request", False),
        (40, "data_request", True),
        (5, "redact", True),
        (9, "shop_redact", True),
    ):
        session.add(
            PrivacyRequest(
                shop_id=1, delivery_id=f"{kind}-{days}", kind=kind, orders=[] if kind == "shop_redact" else ["1001", "gid://shopify/Order/5550001"],
                received_at=now() - timedelta(days=days), answered_at=now() - timedelta(days=days - 1) if done else None,
                answered_by=("hub" if "redact" in kind else "operator") if done else None,
            )
        )  # fmt: skip
    make.dead_letter(
        session, "shop:1", event="OrderNoticed", step="orders.pull.pull", payload={"shop_id": 1, "external_id": "gid://shopify/Order/5550002"},
        error=f"Order #1044 cannot be read (ValueError: an empty date); a plugin may have changed it {words}".strip(),
    )  # fmt: skip
