"""The REST API: keys, errors in one shape, lists, shops and messages, and every action's event."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import builders as make
from tests.browser import scenes
from tests.console import Console, console
from tests.stepping import one, pending, rows


@pytest.fixture
def opened(database_url: str, tmp_path: Path) -> Iterator[Console]:
    with console(database_url, tmp_path, sign_in=False) as made:
        yield made


def routes(opened: Console) -> list[tuple[str, str]]:
    document = opened.client.get("/api/v1/openapi.json").json()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def test_no_route_answers_without_a_valid_key(opened: Console) -> None:
    found = routes(opened)
    assert len(found) > 25
    key = opened.made.api_key
    wrong = (
        None,
        "Bearer",
        f"Basic {key}",
        f"Bearer {key}x",
        f"Bearer {key[:-1]}",
        "Bearer ent_aaaaaaaaaa_" + "x" * 43,
        "Bearer ent__",
        f"Bearer {key.upper()}",
    )
    for method, path in found:
        address = re.sub(r"\{[a-z_]+\}", "1", path)
        for given in wrong:
            answer = opened.client.request(method, address, headers={"Authorization": given} if given else {})
            assert (answer.status_code, answer.json()["error"]["rule"]) == (401, "no_key"), (
                method,
                address,
                given,
            )
            assert answer.headers["www-authenticate"] == "Bearer"
    opened.sign_in()  # a signed-in browser is no program: no other site can make it act
    assert opened.client.get("/api/v1/feeds").status_code == 401


def test_a_revoked_key_is_none(opened: Console) -> None:
    assert opened.api("GET", "/feeds").status_code == 200
    with opened.db.unit_of_work() as uow:
        uow.cursor().execute("UPDATE api_key SET revoked_at = now()")
    assert opened.api("GET", "/feeds").status_code == 401


def test_the_document_describes_every_failure(opened: Console) -> None:
    document = opened.client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            assert path.startswith("/api/v1/"), path
            assert {"401", "404", "422"} <= set(route["responses"]), (method, path)
            assert route["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith(
                "/Failure"
            )
            assert route["description"], (method, path)
            assert route["security"] == [{"key": []}]
    opened.sign_in()
    manual = opened.get("/api/v1/docs").text
    for _, path in routes(opened):
        assert f"<code>{path}</code>" in manual


@pytest.mark.parametrize(
    ("method", "address", "body", "status", "rule"),
    [
        ("GET", "/nowhere", None, 404, "not_found"),
        ("GET", "/feeds/7", None, 404, "not_found"),
        ("GET", "/feeds/x", None, 404, "not_found"),
        ("GET", "/runs/7/rejects", None, 404, "not_found"),
        ("POST", "/runs/7/approve", None, 404, "not_found"),
        ("GET", "/shops/7/listings", None, 404, "not_found"),
        ("POST", "/shops/7/push", None, 404, "not_found"),
        ("DELETE", "/shops/7/selections/1", None, 404, "not_found"),
        ("POST", "/dead-letters/7/replay", None, 404, "not_found"),
        ("DELETE", "/feeds", None, 405, "method"),
        ("GET", "/feeds?limit=0", None, 422, "invalid"),
        ("GET", "/feeds?state=lost", None, 422, "invalid"),
        ("POST", "/feeds", {"name": "x"}, 422, "invalid"),
        ("POST", "/feeds", {"name": "x", "supplier": "NOBODY"}, 404, "not_found"),
        ("POST", "/feeds", {"name": "x", "supplier": "1", "policy": {"absense": "keep"}}, 422, "invalid"),
        ("POST", "/suppliers", {"name": ""}, 422, "name"),
        ("POST", "/suppliers", {"name": "x", "code": "a-b"}, 422, "code"),
        (
            "POST",
            "/shops",
            {
                "name": "x",
                "seller": "x",
                "url": "https://x.example",
                "key": "k",
                "secret": "s",
                "channel": "etsy",
            },
            422,
            "channel",
        ),
    ],
)
def test_errors_have_one_shape(
    opened: Console, method: str, address: str, body: dict[str, object] | None, status: int, rule: str
) -> None:
    answer = opened.api(method, address, json=body)
    assert (answer.status_code, answer.json()["error"]["rule"]) == (status, rule)
    assert set(answer.json()) == {"error"}
    assert answer.json()["error"]["message"].endswith(".")


def test_companies_are_taken_in_once(opened: Console) -> None:
    first = opened.api("POST", "/suppliers", json={"name": "Nordlicht GmbH", "code": "NORD"})
    assert first.status_code == 201
    assert (
        opened.api("POST", "/suppliers", json={"name": "Nordlicht GmbH", "code": "NORD"}).json()
        == first.json()
    )
    other = opened.api("POST", "/sellers", json={"name": "Nordlicht GmbH", "code": "NORD"})
    assert (other.status_code, other.json()["error"]["rule"]) == (422, "code")
    opened.api("POST", "/sellers", json={"name": "Casa & Co"})
    assert [(row["kind"], row["code"]) for row in opened.api("GET", "/companies").json()["companies"]] == [
        ("hub", "HUB"), ("supplier", "NORD"), ("seller", "CASACO")
    ]  # fmt: skip
    assert [row["name"] for row in opened.api("GET", "/sellers").json()["companies"]] == ["Casa & Co"]


def test_lists_go_on_after_their_last_row(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        for number in range(7):
            make.company(uow.session, "seller", f"Seller {number}")
    seen, after, calls = [], "", 0
    while after is not None:
        page = opened.api("GET", f"/sellers?limit=3{'&after=' + after if after else ''}").json()
        seen += [row["name"] for row in page["companies"]]
        after, calls = page["after"], calls + 1
    assert (seen, calls) == ([f"Seller {number}" for number in range(7)], 3)


def test_the_catalogue_lists_products_with_their_variants(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        run = make.run(uow.session, make.feed(uow.session, make.company(uow.session, code="NORD")))
        make.offer(
            uow.session,
            run,
            supplier_sku="L-1",
            title="Lampe Oslo",
            cost="12.500000",
            free=7,
            category="Licht > Tisch",
        )
        make.offer(
            uow.session,
            run,
            supplier_sku="L-2",
            title="Schirm 100 %",
            cost=None,
            category="Lichtung",
            brand="Süd",
        )
    assert [row["title"] for row in opened.api("GET", "/products").json()["products"]] == [
        "Lampe Oslo",
        "Schirm 100 %",
    ]
    (lamp,) = opened.api("GET", "/products?category=Licht").json()["products"]
    (variant,) = lamp["variants"]
    assert (variant["sku"], variant["cost"], variant["currency"], variant["free"]) == (
        "NORD-L-1",
        "12.5",
        "EUR",
        7,
    )
    assert [row["title"] for row in opened.api("GET", "/products?q=100 %25").json()["products"]] == [
        "Schirm 100 %"
    ]
    assert [row["title"] for row in opened.api("GET", "/products?brand=Süd").json()["products"]] == [
        "Schirm 100 %"
    ]
    assert opened.api("GET", "/products?q=%25").json()["products"][0]["variants"][0]["cost"] is None


def test_shops_listings_and_plan(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        scenes.rich(uow.session)
    shops = opened.api("GET", "/shops").json()["shops"]
    assert [(shop["name"], shop["state"]) for shop in shops] == [
        ("Casa Messe", "new"), ("casa-und-co.de", "live"), ("Lichtblick", "live"), ("Lichtblick Outlet", "trouble")
    ]  # fmt: skip
    assert [shop["name"] for shop in opened.api("GET", "/shops?state=trouble").json()["shops"]] == [
        "Lichtblick Outlet"
    ]
    number = shops[1]["id"]
    shown = opened.api("GET", f"/shops/{number}").json()
    assert "credentials" not in shown
    assert sum(shown["listings"].values()) == 110
    drifted = opened.api("GET", f"/shops/{number}/listings?state=drifted").json()["listings"]
    assert [row["drift"] for row in drifted] == [
        [["price", drifted[0]["sent"]["price"], "9.99"], ["stock", drifted[0]["sent"]["stock"], 3]],
        [["status", "live", "draft"]],
    ]
    plan = opened.api("GET", f"/shops/{number}/plan?limit=2").json()
    assert plan["counts"]["update"] == 2
    assert len(plan["changes"]) == 2
    rest = opened.api("GET", f"/shops/{number}/plan?limit=500&after={plan['after']}").json()
    assert len(rest["changes"]) == sum(plan["counts"].values()) - 2
    assert pending(opened.db) == pending(opened.db)  # looking changes nothing


def test_selections_push_and_verify_ring(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        shop, supplier = make.shop(uow.session, live_since=None), make.company(uow.session, code="NORD")
        shown = make.offer(uow.session, make.run(uow.session, make.feed(uow.session, supplier)))
        make.listing(uow.session, shop, shown, "waiting")
        shop_id, lane, supplier_id = shop.id, shop.lane, supplier.id
    made = opened.api(
        "POST", f"/shops/{shop_id}/selections", json={"supplier": "NORD", "margin_percent": "12.5"}
    )
    assert (made.status_code, made.json()["what"], made.json()["margin_percent"]) == (
        201,
        {"supplier": supplier_id},
        "12.50",
    )
    wrong = opened.api(
        "POST",
        f"/shops/{shop_id}/selections",
        json={"supplier": "NORD", "category": "x", "margin_percent": 1},
    )
    assert (wrong.status_code, wrong.json()["error"]["rule"]) == (422, "usage")
    assert [row["id"] for row in opened.api("GET", f"/shops/{shop_id}/selections").json()["selections"]] == [
        made.json()["id"]
    ]
    pushed = opened.api("POST", f"/shops/{shop_id}/push")
    assert (pushed.status_code, pushed.json()["state"]) == (202, "running")
    assert opened.api("POST", f"/shops/{shop_id}/verify").status_code == 202
    assert opened.api("DELETE", f"/shops/{shop_id}/selections/{made.json()['id']}").status_code == 204
    assert [(message["event"], message["lane"]) for message in pending(opened.db)] == [
        ("ListingsDue", lane), ("HooksDue", lane), ("PushDue", lane), ("VerifyDue", lane), ("ListingsDue", lane)
    ]  # fmt: skip


def test_messages_and_dead_letters(opened: Console) -> None:
    with opened.db.unit_of_work() as uow:
        for number in range(3):
            make.message(uow.session, lane=f"feed:{number}", payload={"run_id": number})
        letters = [
            make.dead_letter(uow.session, payload={"shop_id": 1, "push_id": number}).id for number in range(3)
        ]
    listed = opened.api("GET", "/messages?queue=feeds&limit=2").json()
    assert [(row["queue"], row["waiting"]) for row in listed["queues"]] == [("feeds", 3)]
    assert [row["lane"] for row in listed["messages"]] == ["feed:0", "feed:1"]
    assert [
        row["lane"] for row in opened.api("GET", f"/messages?after={listed['after']}").json()["messages"]
    ] == ["feed:2"]
    dead = opened.api("GET", "/dead-letters?limit=2").json()
    assert (dead["waiting"], [row["id"] for row in dead["dead_letters"]]) == (3, [letters[2], letters[1]])
    assert [
        row["id"]
        for row in opened.api("GET", f"/dead-letters?before={dead['before']}").json()["dead_letters"]
    ] == [letters[0]]
    replayed = opened.api("POST", f"/dead-letters/{letters[0]}/replay")
    assert replayed.status_code == 202
    assert rows(opened.db, "SELECT payload FROM message WHERE id = %s", replayed.json()["message_id"]) == [
        ({"shop_id": 1, "push_id": 0},)
    ]
    assert opened.api("POST", f"/dead-letters/{letters[0]}/replay").status_code == 422
    assert one(opened.db, "SELECT count(*) FROM message") == 4
    assert opened.api("DELETE", f"/dead-letters/{letters[1]}").status_code == 204
    assert opened.api("GET", f"/dead-letters/{letters[1]}").status_code == 404
    assert [row["id"] for row in opened.api("GET", "/dead-letters?replayed=true").json()["dead_letters"]] == [
        letters[0]
    ]
