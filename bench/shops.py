"""Shops at the speed their limits allow: how much of it a load uses, how soon new stock is there, what a hanging shop costs.

Sandbox shops and a worker run as processes of their own, as `./run up` starts them, on a real PostgreSQL.
- `shopify`: 1,000 products of 10 variants into an empty shop that restores RATE points a second. They go in as one bulk
  operation, which no points limit; limit_share = points spent / points restored while 300 of the products, whose titles
  changed, are sent again one by one and read back, beginning with an empty bucket.
- `woocommerce`: 10,000 simple products; the shop answers in a real one's measured times, multiplied by FACTOR.
  limit_share = time in which the shop was answering / wall time until the last listing is there.
- calls_per_listing counts the calls of that load, calls_per_stock_change those of 10,000 stock changes after it.
- `stock_to_shop`: copies of both loaded shops (the sandbox's folder and the hub's rows) make ten of 10,000 listings. A
  supplier's list in which one offer of a hundred has another stock is dropped; seconds from the clock asking for the file
  until the last shop confirmed its last new stock, over DROPS drops. Shops answer as fast as they can, unthrottled.
- `slow_shopify`, only where BENCH_ONLY names it, with BENCH_LISTINGS below 5,000, since from 500 products on a load goes in
  bulk: new products of 10 variants into a shop of a Basic plan (100 points a second) that takes LATENCY seconds for a
  change, as a real one does. limit_share from an empty bucket on until the last listing is there.
- `hanging_shop`: four shops with 10,000 stock changes each beside a fifth that has as many: first the hub leaves it alone
  (its meter is paused), then it hangs; the throughput of the four that is kept. BENCH_ROUNDS rounds (3), the median.
BENCH_ONLY names the measurements wanted, BENCH_LISTINGS (10,000) makes all of it smaller, BENCH_FACTOR (0.6) is FACTOR.
"""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.shop_rig import Sandbox, ShopHub, again, sandbox, shop_hub

LISTINGS = int(os.environ.get("BENCH_LISTINGS", "10000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
RATE = 400
FACTOR = float(os.environ.get("BENCH_FACTOR", "0.6"))
TWINS = 5
DROPS = 8
LATENCY = 0.8
Figures = dict[str, Any]


def measure() -> Figures:
    """The figures; those that were not asked for stay null."""
    asked = os.environ.get("BENCH_ONLY", "shopify,woocommerce,stock_to_shop,hanging_shop").split(",")
    channel: Figures = {"limit_share": None, "calls_per_listing": None, "calls_per_stock_change": None}
    found: Figures = {
        "shopify": {**channel}, "woocommerce": {**channel}, "stock_to_shop": {"p50_s": None, "p99_s": None},
        "hanging_shop": {"throughput_kept": None},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="ep-shops-", dir="/tmp") as name, shop_hub(Path(name)) as hub:
        hub.catalogue(LISTINGS, LISTINGS)
        _say(f"{LISTINGS} offers in grouped products and as many simple ones are in the catalogue")
        loaded = []
        for kind, load in (("shopify", _shopify), ("woocommerce", _woocommerce)):
            if kind in asked or {"stock_to_shop", "hanging_shop"} & set(asked):
                one, shop_id, figures = load(hub, measured=kind in asked)
                found[kind] |= figures
                loaded.append((one, shop_id))
        if "slow_shopify" in asked:
            found["slow_shopify"] = _slow(hub)
        if {"stock_to_shop", "hanging_shop"} & set(asked):
            _many(hub, loaded, asked, found)
        else:
            for one, _ in loaded:
                one.stop()
    return found


# ---------------------------------------------------------------- one shop at its limit
def _shopify(hub: ShopHub, *, measured: bool) -> tuple[Sandbox, int, Figures]:
    one = sandbox("shopify", hub.folder / "shopify", "--name", "Shopify 1")
    one.ask("settings", {"rate": RATE if measured else 1_000_000})
    shop_id = hub.connect(one, "shopify1", "Grouped")
    before = one.ask("bucket")
    began = time.monotonic()
    hub.live(shop_id)
    hub.none("shop_id = %s AND state NOT IN ('sent', 'live')", shop_id)
    after = one.ask("bucket")
    hub.quiet(shop_id)
    calls = after["taken"] - before["taken"]
    _say(f"Shopify, first load of {LISTINGS} listings in {time.monotonic() - began:.1f} s: {calls} calls")
    share = _rewritten(hub, one, shop_id) if measured else 0.0
    before = one.ask("bucket")
    seconds = _restock_all(hub, shop_id)
    changed = one.ask("bucket")["taken"] - before["taken"]
    _say(f"Shopify, {LISTINGS} stock changes in {seconds:.1f} s: {changed} calls")
    one.ask("settings", {"rate": 1_000_000})
    return one, shop_id, _told(measured, share, calls, changed)


def _rewritten(hub: ShopHub, one: Sandbox, shop_id: int) -> float:
    """The share of the points restored that is spent while three products of ten get another title, from an empty bucket on."""
    hub.db.run(
        "UPDATE product SET title = title || ' 2' WHERE id IN (SELECT product_id FROM shop_product WHERE shop_id = %s"
        " ORDER BY product_id LIMIT %s)",
        (shop_id, LISTINGS * 3 // 100),
    )
    one.ask("settings", {"points": 0})
    before = one.ask("bucket")
    hub.plan(shop_id)
    hub.until(lambda: one.ask("bucket")["spent"] > before["spent"])
    hub.quiet(shop_id)
    after = one.ask("bucket")
    spent, seconds = after["spent"] - before["spent"], after["at"] - before["at"]
    _say(
        f"Shopify, {LISTINGS * 3 // 100} pages sent again and read back in {seconds:.1f} s: {spent:.0f} points, "
        f"{after['throttled'] - before['throttled']} throttled, {spent / (RATE * seconds):.3f} of the limit"
    )
    return float(spent / (RATE * seconds))


def _slow(hub: ShopHub) -> Figures:
    one = sandbox("shopify", hub.folder / "slow", "--plan", "basic")
    shop_id = hub.connect(one, "slow", "Grouped")
    one.ask("settings", {"points": 0, "latency": LATENCY})
    before = one.ask("bucket")
    hub.live(shop_id)
    hub.none("shop_id = %s AND state NOT IN ('sent', 'live')", shop_id)
    after = one.ask("bucket")
    spent, seconds = after["spent"] - before["spent"], after["at"] - before["at"]
    _say(
        f"Shopify Basic at {LATENCY:g} s a change, {hub.count('shop_id = %s', shop_id)} listings in {seconds:.1f} s: "
        f"{spent:.0f} points, {after['throttled']} throttled, {spent / (after['rate'] * seconds):.3f} of the limit"
    )
    one.stop()
    return {"limit_share": round(spent / (after["rate"] * seconds), 3)}


def _woocommerce(hub: ShopHub, *, measured: bool) -> tuple[Sandbox, int, Figures]:
    factor = FACTOR if measured else 0
    one = sandbox("woocommerce", hub.folder / "woocommerce", "--latency", str(factor))
    shop_id = hub.connect(one, "woo1", "Simple")
    one.ask("meter", method="DELETE")
    began = time.monotonic()
    hub.live(shop_id)
    hub.none("shop_id = %s AND state NOT IN ('sent', 'live')", shop_id)
    seconds, after = time.monotonic() - began, one.ask("meter")
    hub.quiet(shop_id)
    share = after["busy_seconds"] / seconds
    _say(
        f"WooCommerce at {factor:g} of its times, {LISTINGS} listings in {seconds:.1f} s: {after['calls']} calls, "
        f"answering {after['busy_seconds']:.1f} s, {share:.3f} of the time"
    )
    one.ask("meter", method="DELETE")
    seconds = _restock_all(hub, shop_id)
    changed = one.ask("meter")["calls"]
    _say(f"WooCommerce, {LISTINGS} stock changes in {seconds:.1f} s: {changed} calls")
    return one, shop_id, _told(measured, share, after["calls"], changed)


def _told(measured: bool, share: float, calls: int, changed: int) -> Figures:
    if not measured:
        return {}
    return {
        "limit_share": round(share, 3), "calls_per_listing": round(calls / LISTINGS, 4),
        "calls_per_stock_change": round(changed / LISTINGS, 4),
    }  # fmt: skip


def _restock_all(hub: ShopHub, *shop_ids: int) -> float:
    """Seconds until every listing of the shops has another stock, from the plan on."""
    hub.db.run("UPDATE offer SET free = free - 1, stock = stock - 1")
    began = time.monotonic()
    hub.plan(*shop_ids)
    for shop_id in shop_ids:
        hub.quiet(shop_id)
    seconds = time.monotonic() - began
    if left := hub.count("shop_id = ANY(%s) AND differs", list(shop_ids)):
        raise RuntimeError(f"{left} listings do not show the stock that was planned.")
    return seconds


# ---------------------------------------------------------------- many shops
def _many(hub: ShopHub, loaded: list[tuple[Sandbox, int]], asked: list[str], found: Figures) -> None:
    shops: list[tuple[Sandbox, int]] = []
    for one, shop_id in loaded:
        one.stop()
        for number in range(1, TWINS):
            name = f"{one.channel[:3]}twin{number}"
            twin = again(one, hub.folder / name)
            shops.append((twin, hub.twin(shop_id, twin, name)))
        same = sandbox(one.channel, one.folder)
        hub.db.run("UPDATE shop SET url = %s WHERE id = %s", (same.told["url"], shop_id))
        shops.append((same, shop_id))
    try:
        for one, _ in shops:
            if one.channel == "shopify":
                one.ask("settings", {"rate": 1_000_000})
        hub.db.run("DELETE FROM shop_meter")
        _say(f"{len(shops)} shops, {hub.count('true')} listings")
        if "stock_to_shop" in asked:
            found["stock_to_shop"] = _stock_to_shop(hub, [shop_id for _, shop_id in shops])
        if "hanging_shop" in asked:
            found["hanging_shop"] = _hanging(hub, shops)
    finally:
        for one, _ in shops:
            one.stop()


def _stock_to_shop(hub: ShopHub, shop_ids: list[int]) -> Figures:
    lasts = []
    hub.take(hub.stocked, hub.restocked(1, 0))  # the hub's own figures are the supplier's again
    _settled(hub, shop_ids)
    for number in range(DROPS):
        file = hub.restocked(100, number)
        ((moment,),) = hub.db.run("SELECT clock_timestamp()")
        hub.take(hub.stocked, file)
        merged = hub.db.run("SELECT extract(epoch FROM clock_timestamp() - %s)::float", (moment,))[0][0]
        _settled(hub, shop_ids)
        ((last, changed),) = hub.db.run(
            "SELECT extract(epoch FROM max(sent_at) - %s)::float, count(*) FROM listing WHERE sent_at > %s",
            (moment, moment),
        )
        lasts.append(last)
        _say(
            f"drop {number + 1}: {changed} listings, merged after {merged:.2f} s, last shop after {last:.2f} s"
        )
    ordered = sorted(lasts)
    return {
        "p50_s": round(statistics.median(ordered), 2),
        "p99_s": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 2),
    }


def _settled(hub: ShopHub, shop_ids: list[int]) -> None:
    """Until every shop shows what the catalogue has and nothing waits."""
    waits = "SELECT count(*) FROM message"
    hub.until(
        lambda: hub.db.run(waits) == [(0,)] and hub.count("shop_id = ANY(%s) AND differs", shop_ids) == 0
    )


def _hanging(hub: ShopHub, shops: list[tuple[Sandbox, int]]) -> Figures:
    """Of both channels two that work and, of the slower one, one that hangs."""
    by_channel = {
        kind: [each for each in shops if each[0].channel == kind] for kind in ("shopify", "woocommerce")
    }
    four = [shop_id for kind in by_channel.values() for _, shop_id in kind[:2]]
    fifth, fifth_id = by_channel["woocommerce"][2]
    others = [shop_id for _, shop_id in shops if shop_id not in (*four, fifth_id)]
    hub.db.run("UPDATE shop SET live_since = NULL WHERE id = ANY(%s)", (others,))
    kept = []
    for number in range(1, ROUNDS + 1):
        alone = _beside(
            hub,
            four,
            fifth_id,
            "INSERT INTO shop_meter (shop_id, points, most, a_second, paused_until) VALUES (%s, 0, 0, 0, now() + interval '1 hour')",
        )
        fifth.ask("faults", {"kind": "hang", "times": None, "seconds": 600})
        hanging = _beside(hub, four, fifth_id, "DELETE FROM shop_meter WHERE shop_id = %s")
        fifth.ask("faults", method="DELETE")
        kept.append(alone / hanging)
        _say(
            f"round {number} of {ROUNDS}: four shops in {alone:.1f} s beside one that is left alone, in {hanging:.1f} s beside one that hangs"
        )
    return {"throughput_kept": round(statistics.median(kept), 3)}


def _beside(hub: ShopHub, four: list[int], fifth_id: int, made_so: str) -> float:
    """Seconds that four shops take for all their stock while a fifth has the same to do, and is as `made_so`."""
    hub.db.run("DELETE FROM shop_meter WHERE shop_id = %s", (fifth_id,))
    hub.db.run(made_so, (fifth_id,))
    hub.plan(fifth_id)
    seconds = _restock_all(hub, *four)
    hub.db.run("DELETE FROM message WHERE lane = %s AND state = 0", (f"shop:{fifth_id}",))
    return seconds


def _say(what: str) -> None:
    print(f"entrepot: {what}", file=sys.stderr, flush=True)
