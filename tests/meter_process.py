"""A worker process that asks one shop: `python -m tests.meter_process take | ask`, told what else it needs by a line of JSON.

`take` takes from the shop's meter until it says later; `ask` asks the shop itself so many times. Both print what they did.
"""

import json
import sys
from pathlib import Path
from typing import Any

from connectors.shops.shopify.client import GraphQL
from core.database import Database
from core.errors import Temporary
from core.guard import Guard
from pipelines.pacing import SqlPace


def main(what: str) -> None:
    print("ready", flush=True)
    wish: dict[str, Any] = json.loads(sys.stdin.readline())
    db = Database(wish["database_url"], ())
    pace = SqlPace(db, wish["shop_id"], last=wish["last"])
    done = take(pace, wish["cost"]) if what == "take" else ask(pace, wish)
    print(json.dumps({"done": done}), flush=True)
    db.close()


def take(pace: SqlPace, cost: float) -> int:
    """How often there was enough."""
    done = 0
    try:
        while True:
            pace.take(cost)
            done += 1
            pace.ended(well=True)
    except Temporary:
        return done


def ask(pace: SqlPace, wish: dict[str, Any]) -> int:
    """So many calls of the shop, each paced."""
    guard, ca_file = Guard(frozenset({"127.0.0.1"})), Path(wish["ca_file"])
    shop = GraphQL(wish["url"], wish["token"], guard=guard, ca_file=ca_file, patience=30, pace=pace)
    for _ in range(wish["calls"]):
        shop.read("Shop")
    return int(wish["calls"])


if __name__ == "__main__":
    main(sys.argv[1])
