"""For each recording the state of the shop it supposes: `PREPARATIONS` by the recording's name."""

import socket
import struct
from collections.abc import Callable
from typing import Any

from tests.contract.sandbox_bench import Bench


def nothing(bench: Bench) -> None:
    """A new shop."""


def mug(bench: Bench) -> None:
    moment = bench.moment
    bench.at("2026-11-22T21:43:50")
    bench.number("post", 10)
    bench.number("meta", 28)
    bench.as_recorded("product_create_simple")
    bench.moment = moment


def mug_with(**fields: Any) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        mug(bench)
        bench.ask("PUT", "/products/10", fields)

    return prepare


def terms(bench: Bench) -> None:
    bench.number("term", 16)
    bench.ask("POST", "/products/categories", {"name": "Shirts"})
    bench.ask("POST", "/products/attributes", {"name": "Size"})
    bench.number("post", 14)


def shirt(bench: Bench) -> None:
    moment = bench.moment
    terms(bench)
    bench.at("2026-11-22T21:44:49")
    bench.as_recorded("product_create_variable")
    bench.moment = moment


def shirt_with_variations(bench: Bench) -> None:
    shirt(bench)
    bench.as_recorded("variations_batch_create")


def mug_and_shirt(bench: Bench) -> None:
    mug(bench)
    shirt_with_variations(bench)
    bench.as_recorded("variations_batch_update_stock")


def before_image(bench: Bench) -> None:
    mug(bench)
    bench.number("post", 11)
    picture = bench.folder / "public" / "testimg" / "blue.jpg"
    picture.parent.mkdir(parents=True)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 400, 600, 1) + b"\x01\x11\x00"
    picture.write_bytes(b"\xff\xd8" + frame + b"\xff\xd9")


def licence_text(bench: Bench) -> None:
    (bench.folder / "public").mkdir()
    (bench.folder / "public" / "license.txt").write_text("WordPress - Web publishing software")


def private_images(bench: Bench) -> None:
    bench.shop.site.images = "private"


def many(bench: Bench) -> None:
    """356 products, the newest of them 374."""
    bench.number("post", 374 - 355)
    for first in range(0, 356, 100):
        wanted = [{"name": f"Bulk {n}", "sku": f"BULK-{n}"} for n in range(first, min(first + 100, 356))]
        bench.ask("POST", "/products/batch", {"create": wanted})


def timed_out(bench: Bench) -> None:
    bench.number("post", 393)
    bench.as_recorded("products_batch_retry_after_timeout")


def parent_with_stock(bench: Bench) -> None:
    bench.number("post", 43)
    color = {"name": "Color", "variation": True, "options": ["red", "blue"]}
    stock = {"manage_stock": True, "stock_quantity": 9}
    bench.ask("POST", "/products", {"name": "P", "type": "variable", "attributes": [color], **stock})


def parent_with_variation(bench: Bench) -> None:
    parent_with_stock(bench)
    bench.as_recorded("variation_stock_managed_by_parent")


def trashed(bench: Bench) -> None:
    made = bench.ask("POST", "/products", {"name": "T", "sku": "TRASH-H2"})
    bench.ask("DELETE", f"/products/{made['id']}")


def one_to_trash(bench: Bench) -> None:
    bench.number("post", 375)
    bench.ask("POST", "/products", {"name": "Trash me", "sku": "TRASH-1"})


def race(bench: Bench) -> None:
    bench.at("2026-11-22T21:53:11")
    bench.number("post", 424)
    bench.ask("POST", "/products", {"name": "race", "sku": "RACE-1", "regular_price": "1.00"})
    bench.shop.faults.add("stray")


def before_mixed(bench: Bench) -> None:
    mug(bench)
    bench.number("post", 372)


def fault(kind: str) -> Callable[[Bench], None]:
    return lambda bench: bench.shop.faults.add(kind)


def orders_begin(bench: Bench) -> None:
    """The mug and the shirt, with enough on the shelves, at the minute the orders were recorded."""
    mug_and_shirt(bench)
    bench.ask("PUT", "/products/10", {"stock_quantity": 100})


def before_order(post: int, line: int) -> Callable[[Bench], None]:
    def prepare(bench: Bench) -> None:
        orders_begin(bench)
        bench.number("post", post)
        bench.number("line", line)

    return prepare


def order_548(bench: Bench) -> None:
    moment = bench.moment
    before_order(548, 369)(bench)
    bench.at("2026-11-22T22:05:10")
    bench.as_recorded("order_create_api")
    bench.moment = moment


def order_548_completed(bench: Bench) -> None:
    moment = bench.moment
    order_548(bench)
    bench.at("2026-11-22T22:05:12")
    bench.as_recorded("order_put_completed")
    bench.moment = moment


def before_refund(bench: Bench) -> None:
    order_548_completed(bench)
    bench.number("post", 553)
    bench.number("line", 383)


def after_refund(bench: Bench) -> None:
    before_refund(bench)
    bench.as_recorded("refund_create_partial")


def order_549(bench: Bench, quantity: int = 1) -> None:
    bench.number("post", 549)
    bench.number("line", 374)
    bench.ask("POST", "/orders", {"line_items": [{"product_id": 10, "quantity": quantity}]})


def before_append(bench: Bench) -> None:
    orders_begin(bench)
    order_549(bench)


def buyers_order(bench: Bench) -> None:
    bench.number("post", 556)
    bench.number("line", 385)
    buyer = {"first_name": "Käufer", "last_name": "O'Neil", "address_1": "Weg 2", "city": "München"}
    buyer |= {"postcode": "80331", "country": "DE", "email": "buyer@example.test", "phone": "+49891"}
    lines = [{"sku": "HUB-1", "quantity": 2}, {"sku": "SHIRT-S-slim", "quantity": 1}]
    wish = {"lines": lines, "coupon": "TEN", "shipping": "4.12", "billing": buyer}
    bench.sandbox("order", {**wish, "note": "Hallo", "agent": "hub-probe/1"})


def bought(bench: Bench) -> None:
    orders_begin(bench)
    buyers_order(bench)


def six_orders(bench: Bench) -> None:
    """Those that the lists were asked of, each last changed at the second it was."""
    moment = bench.moment
    order_548_completed(bench)
    bench.at("2026-11-22T22:05:12")
    order_549(bench, 2)
    bench.at("2026-11-22T22:05:13")
    bench.as_recorded("error_order_bad_product")
    bench.ask("POST", "/orders", {"line_items": [{"product_id": 10, "quantity": 1}]})
    bench.at("2026-11-22T22:05:14")
    bench.ask("POST", "/orders/548/refunds", {"amount": "75.07", "api_refund": False})
    bench.at("2026-11-22T22:05:15")
    buyers_order(bench)
    bench.at("2026-11-22T22:05:16")
    lines = [{"sku": "HUB-1", "quantity": 1}]
    bench.sandbox("order", {"lines": lines, "payment_method": "bacs", "shipping": "4.12"})
    bench.moment = moment


def given_up(bench: Bench) -> None:
    """A webhook to an address where nobody listens, after seven failures in a row."""
    moment = bench.moment
    mug(bench)
    bench.at("2026-11-22T21:50:53")
    bench.number("webhook", 5)
    with socket.socket() as silent:  # bound but not listening: every connection is refused
        silent.bind(("127.0.0.1", 0))
        wish = {"name": "hub product.updated", "topic": "product.updated", "secret": "s"}
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/wc/product.updated"
        bench.ask("POST", "/webhooks", {**wish, "delivery_url": address})
        bench.moment = moment
        for stock in range(7):
            assert bench.ask("GET", "/webhooks/5")["status"] == "active"
            bench.ask("PUT", "/products/10", {"stock_quantity": stock})
            bench.sandbox("cron", {})
    with bench.shop.site.store.work():
        kept = bench.shop.site.store.get("webhook", 5)
        assert kept is not None
        bench.shop.site.store.put("webhook", {**kept, "delivery_url": RECORDED_ADDRESS})


RECORDED_ADDRESS = "http://127.0.0.1:8790/wc/product.updated"
PREPARATIONS: dict[str, Callable[[Bench], None]] = {
    "broken_json_plugin_notice": race,
    "currency_current": nothing,
    "error_500_database_down": fault("database_down"),
    "error_500_php_fatal": fault("php_fatal"),
    "error_503_maintenance": fault("maintenance"),
    "error_503_maintenance_html": fault("maintenance"),
    "error_attribute_duplicate": terms,
    "error_auth_bad_secret": nothing,
    "error_auth_basic_over_http": nothing,
    "error_auth_none": nothing,
    "error_auth_readonly_write": nothing,
    "error_bad_json": nothing,
    "error_batch_over_100": nothing,
    "error_category_exists": terms,
    "error_duplicate_gtin": mug,
    "error_duplicate_sku": mug,
    "error_image_404": nothing,
    "error_image_dns": nothing,
    "error_image_nonimage": licence_text,
    "error_image_private_host": nothing,
    "error_image_refused": private_images,
    "error_invalid_enum": mug,
    "error_no_route": nothing,
    "error_per_page_101": nothing,
    "error_product_404": nothing,
    "error_sku_held_by_trashed": trashed,
    "error_stock_decimal": mug,
    "error_stock_not_number": mug,
    "oauth1_get_over_http": many,
    "product_create_number_price": nothing,
    "product_create_simple": lambda bench: (bench.number("post", 10), bench.number("meta", 28))[0],
    "product_create_variable": terms,
    "product_create_with_image": before_image,
    "product_delete_to_trash": one_to_trash,
    "product_get_variable": shirt_with_variations,
    "product_put_attributes_replaces": parent_with_variation,
    "product_put_inventory_delta": mug_with(stock_quantity=10),
    "product_put_price_comma": mug_with(stock_quantity=5),
    "product_put_price_empty": mug_with(stock_quantity=5),
    "product_put_sale_above_regular": mug_with(stock_quantity=5),
    "product_put_stock": mug,
    "product_put_stock_negative": mug,
    "product_put_stock_status_ignored": mug_with(stock_quantity=0),
    "product_put_stock_unmanaged_ignored": mug_with(manage_stock=False),
    "products_batch_create_100": lambda bench: bench.number("post", 172),
    "products_batch_given_variation_id": shirt_with_variations,
    "products_batch_mixed_errors": before_mixed,
    "products_batch_retry_after_timeout": timed_out,
    "products_by_sku_list": mug_and_shirt,
    "products_page_2": many,
    "products_page_beyond": many,
    "setting_prices_include_tax": nothing,
    "system_status": nothing,
    "variation_get": shirt_with_variations,
    "variation_stock_managed_by_parent": parent_with_stock,
    "variations_batch_create": shirt,
    "variations_batch_update_stock": shirt_with_variations,
    "error_modified_after_garbage": nothing,
    "error_order_bad_product": before_order(550, 377),
    "error_order_status_invalid": order_548,
    "error_refund_gateway": order_548,
    "error_refund_too_much": order_548,
    "error_webhook_topic": nothing,
    "order_create_api": before_order(548, 369),
    "order_get_after_refund": after_refund,
    "order_get_buyer_checkout": bought,
    "order_note_create": lambda bench: (order_548(bench), bench.number("note", 520))[0],
    "order_put_completed": order_548,
    "order_put_line_item_appends": before_append,
    "orders_fields_nested": six_orders,
    "orders_modified_after_Z_with_gmt_flag": six_orders,
    "orders_modified_after_exclusive": six_orders,
    "orders_modified_after_gmt": six_orders,
    "orders_modified_after_without_gmt_flag": six_orders,
    "orders_status_list": six_orders,
    "refund_create_partial": before_refund,
    "webhook_create": lambda bench: bench.number("webhook", 2),
    "webhook_create_private_port": nothing,
    "webhook_disabled_after_failures": given_up,
}
