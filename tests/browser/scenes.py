"""Whole hubs to look at: a busy one, an empty one, and one where every name is too long."""

import random
from datetime import timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from core.clock import now
from tests import builders as make
from tests.browser import kept
from tests.browser.catalogued import catalogue
from tests.mappings import document, pinned

STEPS = (
    ("feeds.read.read", 9, 900), ("feeds.plan.plan", 9, 60), ("feeds.apply.apply", 8, 120), ("catalogue.match.match", 8, 80),
    ("catalogue.merge.merge", 8, 70), ("listings.plan.plan_listings", 14, 90), ("listings.push.push", 12, 2100), ("listings.verify.verify", 12, 800),
)  # fmt: skip
LAMPS = (
    "Pendelleuchte Oslo, Messing", "Tischlampe Bergen, matt schwarz", "Stehlampe Turku mit Leseleuchte", "Wandleuchte Malmö, Glas opal",
    "Deckenspot Vaasa 3-flammig", "Lampenschirm Leinen Ø 40 cm", "LED-Leuchtmittel E27 8 W warmweiß", "Montage vor Ort, bis 2 Leuchten",
)  # fmt: skip


def rich(session: Session) -> None:
    """Three suppliers, three shops, a run that waits, a shop in trouble, drift, dead letters, a busy hour."""
    dice = random.Random(7)
    present = now()
    nord = make.company(session, "supplier", "Nordlicht Leuchten GmbH", "NORD")
    atelier = make.company(session, "supplier", "Atelier Brillant", "ATEL")
    velo = make.company(session, "supplier", "Velo Distribution s.r.o.", "VELO")
    casa = make.company(session, "seller", "Casa & Co", "CASA")
    light = make.company(session, "seller", "Lichtblick Wohnen", "LICHT")
    lists = make.feed(
        session, nord, "Preisliste", source={"kind": "folder", "path": "/srv/drop/nordlicht"}, profile="generic", cron="*/15 * * * *",
        policy={"absence": "out_of_stock", "assumed_stock": 5},
    )  # fmt: skip
    rules = [
        {"when": {"column": "Sockel", "is": ["E27", "E14"]}, "then": {"skip": "bulbs are sold by another list"}},
        {"when": {"any": [{"field": "cost", "below": 1}, {"field": "title", "matches": "(?i)muster"}]}, "then": "quarantine"},
        {"then": [{"field": "stock", "minus": 2}]},
    ]  # fmt: skip
    pinned(session, lists, document(), document(rules=rules), note="Bulbs come with their own list")
    google = make.feed(
        session,
        atelier,
        "Google Merchant",
        profile="google",
        policy={"cost": {"from": "price", "minus_percent": 30}},
        document={"version": 1},
    )
    bikes = make.feed(session, velo, "Shopify-Export", profile="shopify", policy={"absence": "withdraw"})
    for hours in range(23, 0, -1):
        if dice.random() < 0.7:
            make.run(
                session, dice.choice((lists, lists, google)), dice.choice(("applied", "applied", "unchanged")), records=dice.choice((1840, 1843, 612)),
                rejected=dice.choice((0, 3, 9)), plan={"new": dice.choice((0, 2, 14)), "changed": dice.randrange(5, 160)},
                landed_at=present - timedelta(hours=hours, minutes=dice.randrange(50)), file_name="preisliste.csv",
            )  # fmt: skip
    first = make.run(
        session, lists, "applied", records=1843, rejected=9, quarantined=2, landed_at=present - timedelta(minutes=47), file_name="preisliste-2026-11-23.csv",
        plan={"new": 14, "changed": 131, "gone": 3, "fields": {"cost": 88, "stock": 102, "title": 4}},
    )  # fmt: skip
    atelier_run = make.run(
        session,
        google,
        "applied",
        records=612,
        plan={"new": 1, "changed": 40},
        landed_at=present - timedelta(minutes=33),
        file_name="merchant.xml",
    )
    for number in range(1, 10):
        make.reject(session, first, number * 17)
    for number in (33, 870):
        make.reject(
            session, first, number + 5, verdict="quarantined", reasons=["duplicate_conflict"],
            message=f"The same SKU stands in row {number} with another price: keep one of the two.",
        )  # fmt: skip
    make.run(
        session,
        bikes,
        "refused",
        records=0,
        problem="The file is an HTML page and no feed: the supplier's server answered with its sign-in page.",
        landed_at=present - timedelta(minutes=25),
        file_name="export.csv",
        file_bytes=18_422,
    )
    examples = [
        {
            "supplier_sku": f"A-{1000 + number}",
            "title": LAMPS[number % 7],
            "fields": {
                "cost": [f"{20 + number}.90", f"{4 + number}.90"],
                "stock": [dice.randrange(40), dice.randrange(40)],
            },
        }
        for number in range(8)
    ]
    make.run(
        session, lists, "waiting", records=1843, rejected=9, quarantined=2, landed_at=present - timedelta(minutes=6), file_name="preisliste-2026-11-24.csv",
        plan={
            "new": 21, "changed": 1204, "gone": 12, "offered": 1832, "price_changes": 1190, "fields": {"cost": 1190, "stock": 301, "title": 12},
            "examples": examples, "limits": ["1190 of 1832 offers change their price: more than 30 %."],
        },
    )  # fmt: skip
    make.run(
        session,
        google,
        "landed",
        records=48_000,
        records_done=21_500,
        landed_at=present - timedelta(seconds=24),
        file_name="merchant-full.xml",
        file_bytes=61_400_000,
    )
    offers = [
        make.offer(
            session,
            first if index % 3 else atelier_run,
            title=LAMPS[index % 8],
            kind="service" if index % 8 == 7 else "goods",
            cost=Decimal(dice.randrange(800, 24000)) / 100,
            free=dice.randrange(0, 60),
        )
        for index in range(150)
    ]
    shop_one = make.shop(
        session,
        casa,
        "casa-und-co.de",
        url="https://casa-und-co.example",
        checked_at=present - timedelta(minutes=2),
    )
    shop_two = make.shop(
        session,
        light,
        "Lichtblick",
        url="https://lichtblick.example",
        checked_at=present - timedelta(minutes=11),
    )
    shop_bad = make.shop(
        session, light, "Lichtblick Outlet", url="https://outlet.example", checked_at=present - timedelta(minutes=95),
        problem="The shop refuses the key (401): make a new one in WooCommerce, Settings, Advanced, REST API, with read and write rights.",
    )  # fmt: skip
    make.shop(session, casa, "Casa Messe", url="https://messe.example", live_since=None)
    chosen = make.selection(session, shop_one, nord)
    make.selection(session, shop_two, atelier, "42.5")
    for index, shown in enumerate(offers):
        if index == 4:
            make.listing(
                session,
                shop_one,
                shown,
                "drifted",
                seen={"price": "9.99", "stock": 3},
                selection_id=chosen.id,
            )
        elif index == 9:
            make.listing(
                session, shop_one, shown, "drifted", seen={"status": "draft"}, selection_id=chosen.id
            )
        elif index in (12, 40):
            make.listing(
                session,
                shop_one,
                shown,
                "refused",
                problem="The shop refuses the GTIN: another product has it (product_invalid_global_unique_id).",
                selection_id=chosen.id,
            )
        elif index in (20, 21, 22):
            make.listing(
                session,
                shop_one,
                shown,
                "blocked",
                problem="The supplier's feed gives no cost for this product: its policy must say what he asks.",
                selection_id=chosen.id,
            )
        elif index < 110:
            make.listing(
                session,
                shop_one,
                shown,
                dice.choice(("live",) * 30 + ("sent", "waiting")),
                selection_id=chosen.id,
            )
        if index % 2 and index < 100:
            make.listing(session, shop_two, shown, "live" if index != 31 else "withdrawn")
        if index % 5 == 0:
            make.listing(session, shop_bad, shown, "sent")
    make.push(
        session,
        shop_one,
        plan={"create": 110},
        outcome={"sent": 108, "refused": 2},
        asked_by="operator",
        started_at=present - timedelta(days=2),
    )
    make.push(
        session,
        shop_one,
        plan={"update": 31, "stock": 80},
        outcome={"sent": 111},
        started_at=present - timedelta(minutes=44),
    )
    make.push(
        session,
        shop_two,
        "waiting",
        plan={
            "withdraw": 14,
            "stock": 3,
            "limits": ["14 of 49 live listings would go out of sale: more than 20 %."],
        },
        started_at=present - timedelta(minutes=12),
    )
    make.push(
        session,
        shop_bad,
        plan={"update": 30},
        outcome={"problem": shop_bad.problem},
        started_at=present - timedelta(minutes=95),
    )
    for step, often, milliseconds in STEPS:
        for minute in range(60):
            if count := max(0, int(dice.gauss(often, often / 2))):
                make.step_minute(
                    session, step, minute, count, failed=int(dice.random() < 0.03), mean_ms=milliseconds
                )
    for lane, queue, step, number in (
        (lists.lane, "feeds", "feeds.read.read", 1),
        (google.lane, "feeds", "feeds.read.read", 1),
        (shop_one.lane, "shops", "listings.push.push", 3),
        (shop_two.lane, "shops", "listings.verify.verify", 7),
        (bikes.lane, "catalogue", "catalogue.match.match", 1),
    ):
        for _ in range(number):
            make.message(
                session,
                lane,
                queue,
                step=step,
                state=dice.choice((0, 0, 2)),
                due_at=present - timedelta(seconds=dice.randrange(30)),
            )
    make.message(
        session,
        shop_bad.lane,
        "shops",
        step="listings.verify.verify",
        attempts=3,
        due_at=present + timedelta(minutes=4),
        last_error="Temporary: https://outlet.example did not answer within 30 s.",
    )
    make.dead_letter(session, shop_bad.lane, tenant=light.id, died_at=present - timedelta(minutes=95))
    make.dead_letter(
        session, bikes.lane, tenant=velo.id, queue="catalogue", step="catalogue.match.match", event="OffersChanged", payload={"run_id": 12}, attempts=9,
        error="Temporary: The database could not finish: deadlock detected. Try again.", died_at=present - timedelta(hours=5),
    )  # fmt: skip
    make.dead_letter(
        session,
        shop_bad.lane,
        tenant=light.id,
        replayed_at=present - timedelta(minutes=80),
        died_at=present - timedelta(minutes=99),
    )
    catalogue(session)
    kept.shops(session)


def empty(session: Session) -> None:
    """A hub that nobody has connected anything to."""


def long_names(session: Session) -> None:
    """Names and texts as long as they may be, with and without a place to break."""
    unbroken = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    words = "The supplier of very long names and of products whose titles never seem to come to an end at all, incorporated"
    supplier = make.company(session, "supplier", words, "LONGLONGLONGLONGLONG")
    seller = make.company(session, "seller", unbroken, "LANG")
    listed = make.feed(
        session, supplier, f"{unbroken}-{'x' * 18}", source={"kind": "folder", "path": "/srv/" + "deep/" * 40}
    )
    long = document(
        {"title": unbroken, "cost": words},
        rules=[{"when": {"column": unbroken, "is": [words]}, "then": {"reject": words}}],
    )
    pinned(session, listed, document(), long, note=words)
    run = make.run(
        session, listed, "waiting", records=1_234_567, rejected=98_765, quarantined=4_321, file_name="f" * 240 + ".csv",
        reasons={"a_rule_with_a_rather_long_name_" + str(number): 5_000 + number for number in range(20)},
        plan={
            "new": 900_000, "changed": 334_567, "limits": [words * 3], "asks": [words],
            "examples": [{"supplier_sku": "S" * 120, "title": words * 2, "fields": {"title": [words, unbroken * 2], "cost": ["1234567.123456", "0.000001"]}}],
        },
    )  # fmt: skip
    for number in range(1, 60):
        make.reject(
            session,
            run,
            number,
            supplier_sku="K" * 100,
            message=words * 3,
            reasons=["duplicate_conflict", "missing_price", "not_a_number"],
        )
    shop = make.shop(
        session, seller, unbroken + "x" * 15, url="https://" + "shop." * 30 + "example", problem=words * 3
    )
    for number in range(60):
        shown = make.offer(
            session,
            run,
            supplier_sku=f"{'Q' * 90}-{number}",
            title=f"{unbroken} {words} {number}",
            cost=Decimal("123456.123456"),
            free=1_000_000,
        )
        make.listing(
            session,
            shop,
            shown,
            "drifted" if number % 2 else "refused",
            problem=words * 2,
            seen={"title": unbroken * 2, "price": "0.01"},
        )
    make.push(session, shop, "waiting", plan={"withdraw": 100_000, "limits": [words]})
    kept.shops(session, words)
    make.message(session, listed.lane, "feeds", last_error=words * 4, attempts=7)
    for _ in range(60):
        make.dead_letter(
            session,
            shop.lane,
            tenant=seller.id,
            error=unbroken * 3 + words * 3,
            traceback=(words + "\n") * 80,
        )
    catalogue(session, " " + unbroken * 2)
