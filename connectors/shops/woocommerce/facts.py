"""What a WooCommerce shop tells of itself, and what in its settings its owner should mend."""

from collections.abc import Iterator
from functools import cached_property
from html import unescape

from connectors.base import ShopFacts
from connectors.shops.woocommerce import mapping
from connectors.shops.woocommerce.client import BATCH, Fields, Rest
from core.errors import Misconfigured, Temporary, Unknown
from core.money import exponent

LIMITS = {
    "products or variations in one call": f"{BATCH}",
    "characters of a SKU or GTIN": f"{mapping.LONGEST_SKU}",
    "bytes of a title": f"{mapping.LONGEST_TITLE:,}",
    "bytes of a description": f"{mapping.LONGEST_TEXT:,}",
}


class Facts:
    """Read once and kept, except by `check`."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def check(self) -> ShopFacts:
        """Asks the shop who it is, and whether the key may write, without changing anything."""
        currency = self.currency
        # Named fields only: for a whole report the shop would first call two servers elsewhere.
        status: Fields = self._rest.one(
            "system_status", _fields="environment.version,settings.number_of_decimals,security.hide_errors"
        )
        tax = self._rest.one("settings/tax/woocommerce_prices_include_tax")
        name, timezone = self._front()
        try:
            self._rest.may_write()
        except Unknown as error:
            raise Temporary(
                f"The shop {self._rest.host} did not say whether the key may write: {error}"
            ) from None
        return ShopFacts(
            name=name or self._rest.host,
            version=str(status["environment"]["version"]),
            currency=currency,
            prices_include_tax=tax["value"] == "yes",
            weight_unit=self.weight_unit,
            timezone=timezone,
            warnings=tuple(self._warnings(status, currency, timezone)),
            # WooCommerce keeps one stock, in no named place.
            scopes=("read", "write"),
            limits=LIMITS,
        )

    @cached_property
    def currency(self) -> str:
        """ISO 4217."""
        return str(self._rest.one("data/currencies/current")["code"])

    @cached_property
    def weight_unit(self) -> str:
        """kg, g, lbs or oz; "" where the shop does not tell, and then no weight is sent rather than a wrong one."""
        unit = self._setting("settings/products/woocommerce_weight_unit")
        return unit if unit in mapping.GRAMS else ""

    def _setting(self, path: str) -> str:
        """A setting that may be hidden from the key; "" then."""
        answer = self._rest.ask(path)
        return str(answer.body.get("value")) if answer.ok else ""

    def _front(self) -> tuple[str, str]:
        """The site's name and time zone; a security plugin may hide them, which hinders nothing else."""
        try:
            answer = self._rest.front()
        except (Misconfigured, Temporary):
            return "", ""
        if not answer.ok or not isinstance(answer.body, dict):
            return "", ""
        offset = answer.body.get("gmt_offset")
        zone = str(answer.body.get("timezone_string") or "")
        return unescape(str(answer.body.get("name") or "")), zone or (
            "" if offset in (None, "") else f"UTC{float(offset):+g}"
        )

    def _warnings(self, status: Fields, currency: str, timezone: str) -> Iterator[str]:
        if self._rest.insecure:
            yield "The shop is reached over http: whoever is on the way can read orders and buyers. Switch it to https."
        if self._setting("settings/products/woocommerce_manage_stock") == "no":
            yield (
                "The shop keeps no stock, so nothing in it sells out. Switch on WooCommerce → Settings → Products → Inventory → "
                "“Enable stock management”."
            )
        if not self.weight_unit:
            yield "The shop does not tell its weight unit, so weights are not sent."
        if not timezone:
            yield "The shop does not tell its time zone."
        places = status["settings"].get("number_of_decimals")
        if places is not None and int(places) < exponent(currency):
            yield f"The shop shows prices with {places} decimals; {currency} has {exponent(currency)}, so shoppers see rounded prices."
        if status.get("security", {}).get("hide_errors") is False:
            yield "The shop shows PHP errors to visitors; a plugin's notice may spoil its answers. Switch WP_DEBUG_DISPLAY off."
