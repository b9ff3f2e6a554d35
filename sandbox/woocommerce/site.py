"""The shop's own settings and clock, and the few read-only addresses that tell a client about them."""

import html
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sandbox.shops.server import Gone
from sandbox.shops.store import Store
from sandbox.woocommerce import text
from sandbox.woocommerce.answers import Answer, Call, Fields

WORDPRESS, WOOCOMMERCE = "7.0.4", "11.0.1"
UNCATEGORIZED = 15
IMAGE_POLICIES = ("strict", "private", "accept")
WEIGHT_UNITS = ("kg", "g", "lbs", "oz")


@dataclass
class Site:
    """One shop. `utc_offset` in seconds; `tax_rate` 0.19 = 19 %; `weight_unit` is one of WEIGHT_UNITS.

    `images`: "strict" refuses private hosts and odd ports as a real shop does, "private" fetches from them
    too, "accept" takes every address without fetching. `plain_callbacks`: the consent page sends keys over http too,
    which no real shop does: for a hub on this machine that has no certificate. `race_seconds`: see races.py. `counts`: the shop's own
    switch “Enable stock management”; where it is off it keeps no stock, whatever is sent.
    `unloadable` are ids of things that a plugin spoilt: no list shows them.
    """

    store: Store
    folder: Path
    name: str = "Sandbox"
    currency: str = "EUR"
    tax_included: bool = False
    tax_rate: Decimal = Decimal("0.19")
    utc_offset: int = 3600
    weight_unit: str = "kg"
    images: str = "strict"
    plain_callbacks: bool = False
    race_seconds: float = 0
    counts: bool = True
    unloadable: set[int] = field(default_factory=set)
    clock: Callable[[], float] = time.time
    own_hosts: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)

    def now(self) -> int:
        return int(self.clock())

    def local(self, moment: int | None) -> str | None:
        """The shop's own time of day, without a zone, as WordPress writes it."""
        return None if moment is None else self.gmt(moment + self.utc_offset)

    @staticmethod
    def gmt(moment: int | None) -> str | None:
        return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))

    def pause(self, seconds: float) -> None:
        """Raises Gone when the shop is stopped meanwhile: what was not done by then is not done."""
        if seconds > 0 and self.closing.wait(seconds):
            raise Gone

    def net(self, amount: Decimal) -> Decimal:
        """The amount without tax, where prices are entered with it."""
        return amount / (1 + self.tax_rate) if self.tax_included else amount

    def furnish(self) -> None:
        """What every new shop has: the first category and counters that start where WordPress' do."""
        with self.store.work():
            if self.store.fact("furnished"):
                return
            self.store.start_counter("post", 10)
            self.store.start_counter("term", UNCATEGORIZED + 1)
            self.store.put(
                "category",
                {"id": UNCATEGORIZED, "name": "Uncategorized", "slug": "uncategorized", "parent": 0},
            )
            self.store.remember("furnished", "yes")


def links(call: Call, address: str, collection: str, *, allow: str, up: str | None = None) -> Fields:
    """The `_links` of one thing: itself with what may be asked of it, its list, and what it belongs to."""
    found: Fields = {
        "self": [{"href": f"{call.api}/{address}", "targetHints": {"allow": allow.split(", ")}}],
        "collection": [{"href": f"{call.api}/{collection}"}],
    }
    if up is not None:
        found["up"] = [{"href": f"{call.api}/{up}"}]
    return found


def index(site: Site, call: Call) -> Answer:
    """WordPress' own description of the site, open to everybody; its `authentication` and `routes` are not simulated.

    A site that was given an offset instead of a place has "" for its time zone, and the offset as the text of its field.
    """
    name = html.escape(site.name).replace("&#x27;", "&#039;")
    facts = {"name": name, "description": "", "url": call.base, "home": call.base}
    facts |= {"gmt_offset": f"{site.utc_offset / 3600:g}", "timezone_string": ""}
    body = {**facts, "namespaces": ["oembed/1.0", "wc/v3", "wp/v2"]}
    return Answer(200, body, {"Allow": "GET"}, envelope="rest stranger")


def current_currency(site: Site, call: Call) -> Answer:
    code = site.currency
    return Answer(
        200,
        {
            "code": code,
            "name": text.NAMES.get(code, code),
            "symbol": text.symbol(code),
            "_links": links(call, f"data/currencies/{code}", "data/currencies", allow="GET"),
        },
    )


def prices_include_tax(site: Site, call: Call) -> Answer:
    address = "settings/tax/woocommerce_prices_include_tax"
    return Answer(
        200,
        {
            "id": "woocommerce_prices_include_tax",
            "label": "Prices entered with tax",
            "description": "",
            "type": "radio",
            "default": "no",
            "options": {
                "yes": "Yes, I will enter prices inclusive of tax",
                "no": "No, I will enter prices exclusive of tax",
            },
            "tip": "This option is important as it will affect how you input prices. If you select "
            '"Yes", enter prices including your base location\'s tax rate, the baseline for tax '
            "calculations. Changing this option will not update existing products.",
            "value": "yes" if site.tax_included else "no",
            "group_id": "tax",
            "_links": links(call, address, "settings/tax", allow="GET, POST, PUT, PATCH"),
        },
    )


def weight_unit(site: Site, call: Call) -> Answer:
    address, words = (
        "settings/products/woocommerce_weight_unit",
        "This controls what unit you will define weights in.",
    )
    return Answer(
        200,
        {
            "id": "woocommerce_weight_unit",
            "label": "Weight unit",
            "description": words,
            "type": "select",
            "default": "kg",
            "options": {unit: unit for unit in WEIGHT_UNITS},
            "tip": words,
            "value": site.weight_unit,
            "group_id": "products",
            "_links": links(call, address, "settings/products", allow="GET, POST, PUT, PATCH"),
        },
    )


def manage_stock(site: Site, call: Call) -> Answer:
    value = "yes" if site.counts else "no"
    return _setting(call, "products", "woocommerce_manage_stock", "Manage stock", "checkbox", "yes", value)


def country(site: Site, call: Call) -> Answer:
    label = "Country / State"
    return _setting(
        call, "general", "woocommerce_default_country", label, "single_select_country", "US:CA", "DE"
    )


def calc_taxes(site: Site, call: Call) -> Answer:
    return _setting(call, "general", "woocommerce_calc_taxes", "Enable taxes", "checkbox", "no", "yes")


def decimals(site: Site, call: Call) -> Answer:
    return _setting(
        call, "general", "woocommerce_price_num_decimals", "Number of decimals", "number", "2", "2"
    )


def tax_rounding(site: Site, call: Call) -> Answer:
    return _setting(call, "tax", "woocommerce_tax_round_at_subtotal", "Rounding", "checkbox", "no", "no")


def _setting(call: Call, group: str, name: str, label: str, kind: str, usual: str, value: str) -> Answer:
    """One setting in the shape of those that were recorded; their words are left out."""
    body = {"id": name, "label": label, "description": "", "type": kind, "default": usual, "value": value}
    address = f"settings/{group}/{name}"
    own = links(call, address, f"settings/{group}", allow="GET, POST, PUT, PATCH")
    return Answer(200, {**body, "group_id": group, "_links": own})


def system_status(site: Site, call: Call) -> Answer:
    """The three parts that were recorded of it; the others (theme, pages, plugins, …) are not simulated."""
    status = {"environment": _environment(call), "settings": _settings(site)}
    return Answer(200, status | {"security": {"secure_connection": call.secure, "hide_errors": True}})


def _environment(call: Call) -> Fields:
    return {
        "home_url": call.base,
        "site_url": call.base,
        "store_id": "5a1d0b0c-0000-4000-8000-000000000000",
        "version": WOOCOMMERCE,
        "log_directory": "/srv/shop/wp-content/uploads/wc-logs/",
        "log_directory_writable": True,
        "wp_version": WORDPRESS,
        "wp_multisite": False,
        "wp_memory_limit": 536870912,
        "wp_debug_mode": True,
        "wp_cron": False,
        "wp_environment_type": "production",
        "language": "en_US",
        "external_object_cache": None,
        "server_info": "PHP 8.2.36 Development Server",
        "server_architecture": "Linux sandbox x86_64",
        "php_version": "8.2.36",
        "php_post_max_size": 67108864,
        "php_max_execution_time": 300,
        "php_max_input_vars": 1000,
        "curl_version": "7.88.1, OpenSSL/3.0.22",
        "suhosin_installed": False,
        "max_upload_size": 67108864,
        "mysql_version": "10.11.19",
        "mysql_version_string": "10.11.19-MariaDB-0+deb12u1",
        "default_timezone": "UTC",
        "fsockopen_or_curl_enabled": True,
        "soapclient_enabled": False,
        "domdocument_enabled": True,
        "gzip_enabled": True,
        "mbstring_enabled": True,
        "remote_post_successful": False,
        "remote_post_response": "",
        "remote_get_successful": False,
        "remote_get_response": "",
    }


def _settings(site: Site) -> Fields:
    kinds = ("external", "grouped", "simple", "variable")
    visibility: tuple[str, ...] = ("exclude-from-catalog", "exclude-from-search", "featured", "outofstock")
    visibility += tuple(f"rated-{stars}" for stars in range(1, 6))
    return {
        "api_enabled": False,
        "force_ssl": False,
        "currency": site.currency,
        "currency_symbol": text.symbol(site.currency),
        "currency_position": "left",
        "thousand_separator": ",",
        "decimal_separator": ".",
        "number_of_decimals": 2,
        "geolocation_enabled": False,
        "taxonomies": {kind: kind for kind in kinds},
        "product_visibility_terms": {term: term for term in visibility},
        "woocommerce_com_connected": "no",
        "enforce_approved_download_dirs": True,
        "order_datastore": "Automattic\\WooCommerce\\Internal\\DataStores\\Orders\\OrdersTableDataStore",
        "HPOS_enabled": True,
        "HPOS_sync_enabled": False,
        "enabled_features": [
            "analytics",
            "marketplace",
            "order_attribution",
            "site_visibility_badge",
            "remote_logging",
            "blueprint",
            "point_of_sale",
            "push_notifications",
            "custom_order_tables",
        ],
    }
