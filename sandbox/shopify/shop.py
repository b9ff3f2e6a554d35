"""A Shopify shop of the sandbox: everything together, startable inside a test or as a process."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from sandbox import certificates
from sandbox.shopify import api, bulk, front, graph, uploads, webhooks
from sandbox.shopify.admin import Admin
from sandbox.shopify.answers import Answer, Call
from sandbox.shopify.bucket import Bucket
from sandbox.shopify.cost import MAX_OF_ONE
from sandbox.shopify.deliveries import Deliveries
from sandbox.shopify.faults import Faults, Record
from sandbox.shopify.server import Listener
from sandbox.shopify.site import Site
from sandbox.shops.running import Running
from sandbox.shops.server import tls_with
from sandbox.shops.store import Store


class Shop(Running):
    """One shop. `with Shop(folder) as shop:` serves it until the block ends.

    `folder` keeps products, orders, the token and certificates: a shop started again in it is the same shop.
    `port` 0 takes a free one; `plan` is one of bucket.PLANS. `faults`, `requests` and `deliveries` are the same
    switches and record as under /sandbox/. `clock` gives seconds since 1970; the bucket has `steady` seconds.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "Sandbox",
        port: int = 0,
        currency: str = "EUR",
        tax_included: bool = False,
        plan: str = "enterprise",
        retry_seconds: float = 1.0,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificates = certificates.in_folder(folder)
        store = Store(folder / "shop.sqlite")
        self.site = Site(
            store,
            Bucket(store.fact("plan") or plan, steady),
            folder,
            name=name,
            currency=currency,
            tax_included=tax_included,
            tax_rate=Decimal("0.19"),
            clock=clock,
        )
        self.site.furnish()
        scopes = store.fact("scopes")
        if scopes is not None:
            self.site.scopes[:] = scopes.split()
        self.site.fired = lambda topic, kind, number: webhooks.fire(self.site, topic, kind, number)
        self.faults, self.requests = Faults(), Record()
        tls = tls_with(self.certificates.server_file, self.certificates.key_file)
        self._listener = Listener(
            port,
            self.answer,
            fields_of=_asked,
            throttle=lambda: api.throttled(self.site, MAX_OF_ONE),
            switches=self.faults,
            record=self.requests,
            tls=tls,
        )
        self.url = self.site.address = f"https://127.0.0.1:{self._listener.port}"
        self.bulk = bulk.Bulk(self.site)
        self.deliveries = Deliveries(self.site, retry_seconds)
        self._admin = Admin(self.site, self.faults, self.requests, self.deliveries, self.bulk)

    @property
    def ca_file(self) -> Path:
        return self.certificates.ca_file

    def description(self) -> dict[str, str]:
        """What a client must know; the program prints it as one JSON line."""
        return {
            "url": self.url,
            "domain": self.site.domain,
            "access_token": self.site.fact("access_token"),
            "client_id": self.site.fact("client_id"),
            "client_secret": self.site.fact("client_secret"),
            "admin_token": self.site.fact("admin_token"),
            "ca_file": str(self.ca_file.absolute()),
        }

    def answer(self, call: Call) -> Answer:
        """The answer to any request, whatever its address."""
        if call.path.startswith("/sandbox/"):
            return self._admin.answer(call)
        if call.path.startswith("/admin/"):
            found = api.answer(self.site, call)
            if self.site.latency:
                self._listener.stopping.wait(api.seconds(self.site, call))
            self.deliveries.wake()
            self.bulk.wake()
            return found
        if call.path.startswith(uploads.PLACE):
            return uploads.answer(self.site, call)
        if call.path.startswith(bulk.PLACE):
            return bulk.answer(self.site, call)
        return front.answer(self.site, call)

    def start(self) -> None:
        graph.schema()  # half a second once, rather than in the first request
        self.deliveries.start()
        self.bulk.start()
        self._listener.start()

    def stop(self) -> None:
        """Closes the port, cuts what is open and closes the file; what was committed stays."""
        self._listener.stop()
        self.bulk.stop()
        self.deliveries.stop()
        self.site.store.close()


def _asked(call: Call) -> list[str]:
    """What a fault can be narrowed to: a document's root fields, or `upload`, `results` and `oauth`."""
    if call.path.startswith("/admin/api/"):
        return api.root_fields(call)
    return {"uploads": ["upload"], "results": ["results"], "admin": ["oauth"]}.get(
        call.path.split("/")[1], []
    )
