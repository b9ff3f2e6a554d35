"""Way A with kill -9 in the middle, of workers, relay, scheduler and RabbitMQ: nothing lost, doubled or stuck."""

from collections import Counter
from pathlib import Path

import pytest

from sandbox.people import Hub, free_port, stop_all
from sandbox.rabbitmq import OwnRabbit
from tests.journeys.conftest import connected, wanted, write
from tests.journeys.trading import kill_process

FILES = 3
LAMPS = 60


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "broker",
    [
        pytest.param("embedded", marks=pytest.mark.deep),  # tests/chaos kills its workers each day
        pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
    ],
    indirect=True,
)
def test_files_in_a_row_with_everything_killed_in_between(broker: OwnRabbit | None, folder: Path) -> None:
    environment = {"ENTREPOT_AMQP_URL": broker.url} if broker else {}
    hub = Hub(folder, port=free_port(0), ENTREPOT_LEASE_SECONDS="3", **environment)
    try:
        shop = connected(hub, folder, write(folder / "first.csv", LAMPS))
        hub.ask("feed", "set", "lampen", "--price-changes", "100")
        hub.ask("push", "licht", "--apply")
        for place in range(1, FILES + 1):
            hub.ask(
                "feed",
                "run",
                "lampen",
                str(write(folder / f"{place}.csv", LAMPS, price=10 + place)),
                "--no-wait",
            )
            kill_process(
                hub,
                ["pipelines.worker", "pipelines.relay", "schedules", "web"][place % 4]
                if broker
                else "pipelines.worker",
            )
            if broker and place == 2:
                broker.kill()
                kill_process(hub, "pipelines.worker")
                broker.up()
        hub.ask("message", "wait", "--timeout", "240")
        hub.ask("shop", "verify", "licht")
        status = hub.ask("status")
        assert (status["messages"], status["dead_letters"], status["drift"]) == (0, 0, 0), "nothing is stuck"
        assert status["listings_live"] == LAMPS, "nothing is lost"
        runs = Counter(run["state"] for run in hub.ask("feed", "runs", "lampen")["runs"])
        assert set(runs) <= {"applied", "superseded"}
        assert sum(runs.values()) == FILES + 1
        assert Counter(product["sku"] for product in shop.switch("GET", "products")) == dict.fromkeys(
            wanted(hub, "licht"), 1
        ), "nothing is doubled"
        assert shop.held() == wanted(hub, "licht")
        assert shop.held()["NORDEN-L-0000"] == (f"{(10 + FILES) * 1.4:.2f}", 5), "the last file counts"
    finally:
        stop_all()
