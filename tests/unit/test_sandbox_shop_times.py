"""The sandbox shop takes the measured times of a real one where it is asked to, and says how long it was answering."""

import http.client
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.shops.meter import Meter
from sandbox.woocommerce import Shop, latency
from sandbox.woocommerce.answers import Call
from tests.unit.test_sandbox_shop import Client, skus
from tests.workers import until


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("method", "path", "batch", "rows", "low", "high"),
    [  # woocommerce.md, "Times"
        ("POST", "/products", {}, 0, 0.101, 0.101),
        ("PUT", "/products/1", {}, 0, 0.076, 0.076),
        ("POST", "/products/batch", {"create": 10}, 0, 0.45, 0.55),
        ("POST", "/products/batch", {"create": 50}, 0, 2.1, 2.3),
        ("POST", "/products/batch", {"create": 100}, 0, 3.7, 4.7),
        ("POST", "/products/batch", {"update": 10}, 0, 0.28, 0.32),
        ("POST", "/products/batch", {"update": 50}, 0, 1.2, 1.5),
        ("POST", "/products/1/variations/batch", {"update": 100}, 0, 2.2, 2.5),
        ("GET", "/orders", {}, 100, 0.389, 0.391),
        ("GET", "/orders", {}, 0, 0.046, 0.046),
    ],
)
def test_the_times_are_the_measured_ones(
    method: str, path: str, batch: dict[str, int], rows: int, low: float, high: float
) -> None:
    assert low <= latency.seconds(Call(method, path), batch, rows) <= high


def test_the_meter_counts_each_answer_and_the_time_in_which_any_was_under_way() -> None:
    clock = Clock()
    meter = Meter(clock)
    with meter.answering() as first:
        clock.now += 1
        with meter.answering() as second:
            clock.now += 2
    clock.now += 4
    assert (first, second) == (1, 2)
    assert meter.figures() == {"calls": 2, "seconds": 5.0, "busy_seconds": 3.0, "since_seconds": 7.0}
    with meter.answering():
        clock.now += 1
        meter.clear()
        clock.now += 1
        assert meter.figures() == {"calls": 0, "seconds": 0.0, "busy_seconds": 1.0, "since_seconds": 1.0}
    assert meter.figures() == {"calls": 1, "seconds": 1.0, "busy_seconds": 1.0, "since_seconds": 1.0}


def test_a_slow_shop_shares_its_time_and_tells_the_bench(tmp_path: Path) -> None:
    with Shop(tmp_path, latency=5) as shop:
        known = shop.description()
        began = time.monotonic()
        threads = [
            threading.Thread(target=Client(known).ask, args=("GET", "/webhooks")) for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        figures = shop.meter.figures()
        least = 4 * 5 * 0.046 / 1.45
        assert figures["calls"] == 4
        assert least < figures["busy_seconds"] < took < figures["seconds"] + 1
        assert figures["seconds"] > figures["busy_seconds"]
        client = Client(known)
        assert client.switch("GET", "meter")["calls"] == 4
        client.switch("POST", "settings", {"latency": 0})
        client.switch("DELETE", "meter")
        client.ask("GET", "/webhooks")
        found = client.switch("GET", "meter")
        assert found["calls"] == 1
        assert found["seconds"] < 0.046 * 5
        assert shop.site.images == "strict"


def test_who_polls_does_not_wait_for_whole_batches(tmp_path: Path) -> None:
    with Shop(tmp_path, latency=1) as shop:
        known, ended = shop.description(), list[str]()

        def ask(name: str, method: str, path: str, fields: Any) -> None:
            Client(known).ask(method, path, fields)
            ended.append(name)

        wishes = [{"name": str(number)} for number in range(20)]
        batches = [
            threading.Thread(target=ask, args=("batch", "POST", "/products/batch", {"create": wishes}))
            for _ in range(2)
        ]
        for batch in batches:
            batch.start()
        until(lambda: len(shop.requests.seen()) == 2)
        ask("poll", "GET", "/orders", None)
        for batch in batches:
            batch.join()
        assert ended == ["poll", "batch", "batch"]


def test_a_slow_batch_is_done_piece_by_piece_whether_the_client_waits_or_not(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        shop.faults.add("slow", seconds=1.2)
        hasty = Client(shop.description(), timeout=0.3)
        wishes = [{"name": name, "sku": name} for name in ("A", "B", "C", "D")]
        with pytest.raises(TimeoutError):
            hasty.ask("POST", "/products/batch", {"create": wishes})
        client = Client(shop.description())
        early = skus(client)
        assert len(early) < 4
        _, again = client.ask("POST", "/products/batch", {"create": wishes[3:]})  # asked again too soon
        until(lambda: shop.requests.seen()[0]["status"] == 200)
        assert sorted(skus(client)) == ["A", "B", "C", "D"]
        assert "error" not in again["create"][0]


def test_a_shop_that_stops_in_the_middle_of_a_batch_keeps_what_was_done(tmp_path: Path) -> None:
    wishes = [{"name": name, "sku": name} for name in ("A", "B", "C", "D")]
    with Shop(tmp_path) as shop:
        shop.faults.add("slow", seconds=8)
        batch = threading.Thread(target=broken, args=(shop.description(), {"create": wishes}))
        batch.start()
        client = Client(shop.description())
        until(lambda: skus(client) == ["A"])
    batch.join(5)
    assert not batch.is_alive()
    with Shop(tmp_path) as again:
        assert skus(Client(again.description())) == ["A"]


def broken(known: dict[str, str], fields: Any) -> None:
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
        Client(known).ask("POST", "/products/batch", fields)
