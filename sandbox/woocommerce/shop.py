"""A WooCommerce shop of the sandbox: everything together, startable inside a test or as a process."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from sandbox import certificates
from sandbox.shops.faults import Faults, Record
from sandbox.shops.meter import Meter
from sandbox.shops.running import Running
from sandbox.shops.server import tls_with
from sandbox.shops.store import Store
from sandbox.woocommerce import consent, faults, front, keys, routes
from sandbox.woocommerce.admin import Admin
from sandbox.woocommerce.answers import Answer, Call
from sandbox.woocommerce.deliveries import Deliveries
from sandbox.woocommerce.latency import Latency
from sandbox.woocommerce.server import Listener
from sandbox.woocommerce.site import IMAGE_POLICIES, WEIGHT_UNITS, Site

CRONS = ("visits", "always")


class Shop(Running):
    """One shop. `with Shop(folder) as shop:` serves it until the block ends.

    `folder` keeps products, keys, pictures and certificates: a shop started again in it is the same shop.
    `port` and `http_port` 0 take free ones; `below` is the folder of the server it stands in ("/shop"). `images` is one of strict, private, accept and `plain_callbacks` (see site.Site);
    `weight_unit` one of kg, g, lbs, oz. `cron` is "visits", as WordPress has it: webhooks leave after somebody asked
    the API; or "always": also after the sandbox's own switches and at the start, as where a server's cron runs it.
    `latency` times the answers of a real shop (1 is its pace, 0 as fast as it can); `meter` says what they took.
    `faults` and `requests` are the same switches and record as under /sandbox/.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "Sandbox",
        port: int = 0,
        http_port: int = 0,
        currency: str = "EUR",
        tax_included: bool = False,
        utc_offset_hours: float = 1,
        weight_unit: str = "kg",
        images: str = "strict",
        cron: str = "visits",
        latency: float = 0,
        plain_callbacks: bool = False,
        below: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        if images not in IMAGE_POLICIES:
            raise ValueError(f"images is one of {', '.join(IMAGE_POLICIES)}, not {images!r}.")
        if weight_unit not in WEIGHT_UNITS:
            raise ValueError(f"weight_unit is one of {', '.join(WEIGHT_UNITS)}, not {weight_unit!r}.")
        if cron not in CRONS:
            raise ValueError(f"cron is one of {', '.join(CRONS)}, not {cron!r}.")
        self._cron = cron
        folder.mkdir(parents=True, exist_ok=True)
        self.certificates = certificates.in_folder(folder)
        self.site = Site(
            Store(folder / "shop.sqlite"),
            folder,
            name=name,
            currency=currency,
            tax_included=tax_included,
            tax_rate=Decimal("0.19"),
            utc_offset=int(utc_offset_hours * 3600),
            weight_unit=weight_unit,
            images=images,
            plain_callbacks=plain_callbacks,
            clock=clock,
        )
        self.site.furnish()
        self.keys = keys.of(self.site.store)
        self.faults, self.requests, self.meter = Faults(faults.Fault, faults.KINDS), Record(), Meter()
        self.latency = Latency(latency, self.meter)
        tls = tls_with(self.certificates.server_file, self.certificates.key_file)
        self._listeners = [
            Listener(
                number,
                self.answer,
                switches=self.faults,
                record=self.requests,
                latency=self.latency,
                tls=context,
                below=below,
            )
            for number, context in ((port, tls), (http_port, None))
        ]
        self.url = f"https://127.0.0.1:{self._listeners[0].port}{below}"
        self.http_url = f"http://127.0.0.1:{self._listeners[1].port}{below}"
        self.deliveries = Deliveries(self.site, self.url)
        self._admin = Admin(
            self.site, self.keys, self.faults, self.requests, self.deliveries, self.latency, self.meter
        )
        self.site.own_hosts |= {urlsplit(self.url).netloc, urlsplit(self.http_url).netloc}

    @property
    def ca_file(self) -> Path:
        return self.certificates.ca_file

    def description(self) -> dict[str, str]:
        """What a client must know; the program prints it as one JSON line."""
        known = ("key", "secret", "readonly_key", "readonly_secret", "admin_token")
        return {
            "url": self.url,
            "http_url": self.http_url,
            **{name: getattr(self.keys, name) for name in known},
            "ca_file": str(self.ca_file.absolute()),
        }

    def answer(self, call: Call) -> Answer:
        """The answer to any request, whatever its address."""
        if call.path.startswith("/sandbox/"):
            found = self._admin.answer(call)
            if self._cron == "always":
                self.deliveries.wake()
            return found
        if call.path.startswith("/wp-json"):
            found = routes.answer(self.site, self.keys, call)
            self.deliveries.wake()
            return found
        if call.path.startswith("/wc-auth/"):
            return consent.answer(self.site, self.keys, call)
        return front.answer(self.site, call)

    def start(self) -> None:
        self.deliveries.start()
        if self._cron == "always":
            self.deliveries.wake()
        for listener in self._listeners:
            listener.start()

    def stop(self) -> None:
        """Closes the ports, cuts what is open and closes the file; what was committed stays."""
        self.site.closing.set()
        self.latency.stop()
        for listener in self._listeners:
            listener.stop()
        self.deliveries.stop()
        self.site.store.close()
