"""The sandbox shop beyond its recordings: faults reach the socket, products survive a kill, traps snap shut."""

import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.images import ImageServer
from sandbox.woocommerce import Shop

API = "/wp-json/wc/v3"


class Client:
    """A client that checks the certificate and keeps one connection, as a hub would."""

    def __init__(self, description: dict[str, str], *, timeout: float = 10) -> None:
        self.known = description
        trust = ssl.create_default_context(cafile=description["ca_file"])
        netloc = urlsplit(description["url"]).netloc
        self.line = http.client.HTTPSConnection(netloc, context=trust, timeout=timeout)
        pair = f"{description['key']}:{description['secret']}"
        self.headers = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Accept": "application/json",
        }

    def raw(self, method: str, target: str, fields: Any = None, **headers: str) -> tuple[int, bytes]:
        body = None if fields is None else json.dumps(fields)
        kind = {"Content-Type": "application/json"} if body else {}
        self.line.request(method, target, body, self.headers | kind | headers)
        reply = self.line.getresponse()
        return reply.status, reply.read()

    def ask(self, method: str, path: str, fields: Any = None) -> tuple[int, Any]:
        status, body = self.raw(method, API + path, fields)
        return status, json.loads(body)

    def switch(self, method: str, name: str, fields: Any = None) -> Any:
        token = f"Bearer {self.known['admin_token']}"
        status, body = self.raw(method, f"/sandbox/{name}", fields, Authorization=token)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path) as running:
        yield running


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    made = Client(shop.description())
    yield made
    made.line.close()


def skus(client: Client) -> list[str]:
    return [one["sku"] for one in client.switch("GET", "products")]


def test_only_its_own_ca_is_trusted(shop: Shop, tmp_path: Path) -> None:
    with Shop(tmp_path / "other") as other:
        stranger = Client({**shop.description(), "ca_file": str(other.ca_file)})
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.ask("GET", "/products")


def test_a_restarted_shop_is_the_same_shop(tmp_path: Path) -> None:
    with Shop(tmp_path) as first:
        before = first.description()
        Client(before).ask("POST", "/products", {"name": "Kept", "sku": "KEEP"})
    with Shop(tmp_path) as second:
        after = second.description()
        assert {k: v for k, v in after.items() if "url" not in k} == {
            k: v for k, v in before.items() if "url" not in k
        }
        assert skus(Client(after)) == ["KEEP"]


def test_kill_9_keeps_what_was_answered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandbox.woocommerce", "--name", "K", "--folder", str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        description = json.loads(process.stdout.readline())
        fields = {"create": [{"name": f"P {n}", "sku": f"P-{n}"} for n in range(100)]}
        status, _ = Client(description).ask("POST", "/products/batch", fields)
        os.kill(process.pid, signal.SIGKILL)
    assert status == 200
    with Shop(tmp_path) as again:
        assert skus(Client(again.description())) == [f"P-{n}" for n in range(100)]


def test_a_late_answer_leaves_the_products_made(shop: Shop, client: Client) -> None:
    shop.faults.add("late", seconds=30)
    hasty = Client(shop.description(), timeout=0.5)
    with pytest.raises(TimeoutError):
        hasty.ask(
            "POST", "/products/batch", {"create": [{"name": "A", "sku": "A"}, {"name": "B", "sku": "B"}]}
        )
    assert skus(client) == ["A", "B"]
    _, again = client.ask("POST", "/products/batch", {"create": [{"name": "A", "sku": "A"}]})
    first = client.switch("GET", "products")[0]["id"]
    assert again["create"][0]["error"]["data"]["resource_id"] == first


@pytest.mark.parametrize(("kind", "made"), [("drop_before", []), ("drop_after", ["A"])])
def test_a_cut_connection_before_and_after_the_work(
    shop: Shop, client: Client, kind: str, made: list[str]
) -> None:
    shop.faults.add(kind)
    victim = Client(shop.description())
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected, ssl.SSLError)):
        victim.ask("POST", "/products", {"name": "A", "sku": "A"})
    assert skus(client) == made
    assert [entry["fault"] for entry in client.switch("GET", "requests")] == [kind]


def test_a_hanging_shop_does_nothing(shop: Shop, client: Client) -> None:
    shop.faults.add("hang", seconds=30)
    with pytest.raises(TimeoutError):
        Client(shop.description(), timeout=0.5).ask("POST", "/products", {"name": "A", "sku": "A"})
    assert skus(client) == []


@pytest.mark.parametrize(("kind", "status"), [("html", 200), ("moved", 301)])
def test_what_stands_in_front_of_a_shop_answers_for_it(
    shop: Shop, client: Client, kind: str, status: int
) -> None:
    shop.faults.add(kind)
    found, body = client.raw("POST", API + "/products", {"name": "A", "sku": "A"})
    assert (found, body.startswith(b"{"), skus(client)) == (status, False, [])


def test_stray_text_a_wrong_label_and_half_an_answer(shop: Shop, client: Client) -> None:
    shop.faults.add("stray")
    status, body = client.raw("POST", API + "/products", {"name": "A", "sku": "A"})
    assert (status, body[:13]) == (200, b"<br />Warning")
    shop.faults.add("cut")
    status, body = client.raw("POST", API + "/products", {"name": "B", "sku": "B"})
    assert status == 201
    with pytest.raises(ValueError, match=r"Unterminated string|Expecting"):
        json.loads(body)
    shop.faults.add("content_type")
    client.line.request("GET", API + "/products", headers=client.headers)
    reply = client.line.getresponse()
    reply.read()
    assert reply.getheader("Content-Type") == "text/plain"
    assert skus(client) == ["A", "B"]


def test_a_fault_strikes_only_what_it_names_and_as_often_as_told(client: Client) -> None:
    wish = {"kind": "status", "status": 429, "retry_after": 7, "method": "POST", "path": "/products/batch"}
    client.switch("POST", "faults", {**wish, "times": 2})
    batch = {"create": [{"name": "A", "sku": "A"}]}
    assert client.ask("GET", "/products")[0] == 200
    assert client.ask("POST", "/products", {"name": "C", "sku": "C"})[0] == 201
    answers = [client.raw("POST", API + "/products/batch", batch)[0] for _ in range(3)]
    assert answers == [429, 429, 200]
    client.switch("POST", "faults", {"kind": "maintenance", "times": None})
    assert [client.ask("GET", "/products")[0] for _ in range(3)] == [503, 503, 503]
    client.switch("DELETE", "faults")
    assert client.ask("GET", "/products")[0] == 200


def test_the_record_tells_what_was_asked(client: Client) -> None:
    client.ask("POST", "/products/batch", {"create": [{"name": "A"}, {"name": "B"}], "delete": [999]})
    client.ask("GET", "/products?sku=A&per_page=5")
    seen = client.switch("GET", "requests")
    wanted = ("method", "path", "query", "batch", "status", "fault")
    assert [{key: entry[key] for key in wanted} for entry in seen] == [
        {
            "method": "POST",
            "path": API + "/products/batch",
            "query": {},
            "batch": {"create": 2, "delete": 1},
            "status": 200,
            "fault": None,
        },
        {
            "method": "GET",
            "path": API + "/products",
            "query": {"sku": "A", "per_page": "5"},
            "batch": {},
            "status": 200,
            "fault": None,
        },
    ]
    client.switch("DELETE", "requests")
    assert client.switch("GET", "requests") == []


def test_the_switches_need_their_token(client: Client) -> None:
    assert client.raw("GET", "/sandbox/products")[0] == 401
    assert client.raw("POST", "/sandbox/faults", {"kind": "hang"}, Authorization="Bearer no")[0] == 401
    assert client.switch("GET", "faults") == []


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", API + "/products?search=mug"),
        ("GET", API + "/customers"),
        ("GET", "/wp-json/wp/v2/posts"),
        ("PUT", API + "/products/attributes/1"),
        ("POST", API + "/products"),
    ],
)
def test_what_was_never_recorded_is_said_so(client: Client, method: str, target: str) -> None:
    fields = {"name": "Branded", "brands": [{"id": 1}]} if method == "POST" else None
    status, body = client.raw(method, target, fields)
    found = json.loads(body)
    assert (status, found["code"]) == (501, "not_simulated")
    assert found["message"].startswith(f"not simulated: {method} {target}")
    assert skus(client) == []


def test_a_shape_nobody_recorded_leaves_nothing_behind(client: Client) -> None:
    made = {"name": "A", "sku": "A"}
    status, found = client.ask("POST", "/products/batch", {"create": [made, "not an object"]})
    assert (status, found["code"]) == (501, "not_simulated")
    assert skus(client) == []


def test_a_batch_takes_what_a_single_call_refuses(client: Client) -> None:
    _, made = client.ask("POST", "/products/batch", {
        "create": [
            {"name": "A", "regular_price": "abc", "manage_stock": True, "stock_quantity": "abc"},
            {"name": "B", "regular_price": 12, "manage_stock": True, "stock_quantity": None},
            {"name": "C", "regular_price": "1.299,00", "stock_quantity": 5, "no_such_field": 1},
        ]
    })  # fmt: skip
    found = [(one["regular_price"], one["manage_stock"], one["stock_quantity"]) for one in made["create"]]
    assert found == [("", True, 0), ("12", True, 0), ("1.29900", False, None)]
    status, refused = client.ask(
        "POST", "/products", {"name": "D", "regular_price": 12, "stock_quantity": 2.5}
    )
    assert (status, set(refused["data"]["params"])) == (400, {"stock_quantity", "regular_price"})


def test_text_is_kept_as_wordpress_keeps_it(client: Client) -> None:
    _, made = client.ask("POST", "/products", {
        "name": "Salt & Pepper",
        "sku": " A  1 ",
        "description": '<p onclick="x()">A &amp; B &lt; C</p><iframe src="x"></iframe> 3 < 4 & 5',
    })  # fmt: skip
    _, read = client.ask("GET", f"/products/{made['id']}")
    assert (read["name"], read["slug"], read["sku"]) == ("Salt &amp; Pepper", "salt-pepper", "A 1")
    assert read["description"] == "<p>A &amp; B &lt; C</p> 3 &lt; 4 &amp; 5"


def test_json_under_another_label_is_not_read(client: Client) -> None:
    body = json.dumps({"name": "Lost", "sku": "LOST"})
    client.line.request("POST", API + "/products", body, client.headers | {"Content-Type": "text/plain"})
    reply = client.line.getresponse()
    made = json.loads(reply.read())
    assert (reply.status, made["name"], made["sku"]) == (201, "Product", "")


def test_unknown_categories_become_uncategorized(client: Client) -> None:
    for wish in ([{"name": "Shirts"}], [{"id": 999}], []):
        _, made = client.ask("POST", "/products", {"name": "A", "categories": wish})
        assert [one["name"] for one in made["categories"]] == ["Uncategorized"]
    _, category = client.ask("POST", "/products/categories", {"name": "Cups & Mugs"})
    _, made = client.ask(
        "POST", "/products", {"name": "A", "categories": [{"id": category["id"]}, {"id": 999}]}
    )
    assert [one["name"] for one in made["categories"]] == ["Cups &amp; Mugs"]


def test_the_trash_keeps_a_sku_until_it_is_restored(client: Client) -> None:
    _, made = client.ask("POST", "/products", {"name": "T", "sku": "T-1"})
    client.ask("DELETE", f"/products/{made['id']}")
    assert client.ask("GET", "/products?sku=T-1")[1] == []
    _, found = client.ask("GET", "/products?sku=T-1&status=trash")
    assert [one["id"] for one in found] == [made["id"]]
    status, refused = client.ask("POST", "/products", {"name": "T", "sku": "t-1"})
    assert (status, refused["code"], "resource_id" in refused["data"]) == (
        400,
        "woocommerce_rest_product_not_created",
        False,
    )
    client.ask("PUT", f"/products/{made['id']}", {"status": "publish"})
    assert [one["id"] for one in client.ask("GET", "/products?sku=T-1")[1]] == [made["id"]]
    client.ask("DELETE", f"/products/{made['id']}?force=true")
    assert client.ask("GET", f"/products/{made['id']}")[0] == 404


def test_a_variation_ignores_stock_while_its_parent_manages(client: Client) -> None:
    size = {"name": "Size", "variation": True, "options": ["S", "M"]}
    _, parent = client.ask("POST", "/products", {
        "name": "P", "type": "variable", "sku": "P", "attributes": [size], "manage_stock": True, "stock_quantity": 9
    })  # fmt: skip
    address = f"/products/{parent['id']}/variations"
    chosen = [{"name": "size", "option": "S"}, {"name": "Colour", "option": "red"}]
    _, made = client.ask("POST", address, {"regular_price": "5.00", "attributes": chosen})
    assert [one["name"] for one in made["attributes"]] == ["Size"]
    assert made["sku"] == "P"
    _, ignored = client.ask("PUT", f"{address}/{made['id']}", {"stock_quantity": 4})
    assert (ignored["manage_stock"], ignored["stock_quantity"]) == ("parent", 9)
    _, taken = client.ask("PUT", f"{address}/{made['id']}", {"manage_stock": True, "stock_quantity": 4})
    assert (taken["manage_stock"], taken["stock_quantity"]) == (True, 4)


def test_a_sale_above_the_regular_price_is_dropped_and_below_it_counts(client: Client) -> None:
    _, made = client.ask("POST", "/products", {"name": "A", "regular_price": "10.00", "sale_price": "8.00"})
    assert (made["price"], made["on_sale"]) == ("8.00", True)
    _, now = client.ask("PUT", f"/products/{made['id']}", {"regular_price": "7.00"})
    assert (now["price"], now["sale_price"], now["on_sale"]) == ("7.00", "", False)


def test_pictures_are_really_fetched_and_sent_twice_double_the_media(shop: Shop, client: Client) -> None:
    with ImageServer() as pictures:
        source = {"src": f"{pictures.url}/norden/table-1.png"}
        wish = {"name": "Lamp", "sku": "L", "images": [source]}
        status, refused = client.ask("POST", "/products", wish)
        assert (status, refused["code"]) == (400, "woocommerce_product_image_upload_error")
        assert skus(client) == []
        client.switch("POST", "settings", {"images": "private"})
        _, made = client.ask("POST", "/products", wish)
        _, again = client.ask("PUT", f"/products/{made['id']}", {"images": [source]})
        _, kept = client.ask("PUT", f"/products/{made['id']}", {"images": [{"id": made["images"][0]["id"]}]})
    assert again["images"][0]["id"] != made["images"][0]["id"]
    assert [one["id"] for one in kept["images"]] == [made["images"][0]["id"]]
    path = urlsplit(made["images"][0]["src"]).path
    assert path.endswith("/table-1.png")
    assert urlsplit(again["images"][0]["src"]).path.endswith("/table-1-1.png")
    assert client.raw("GET", path)[1] == (shop.site.folder / "public" / path.lstrip("/")).read_bytes()


def test_a_shop_that_accepts_addresses_fetches_nothing(client: Client) -> None:
    client.switch("POST", "settings", {"images": "accept"})
    source = "https://images.example/a/b.png"
    status, made = client.ask("POST", "/products", {"name": "A", "images": [{"src": source}]})
    assert status == 201
    client.line.request("GET", urlsplit(made["images"][0]["src"]).path)
    reply = client.line.getresponse()
    reply.read()
    assert (reply.status, reply.getheader("Location")) == (302, source)


def test_someone_edits_behind_the_hubs_back(client: Client) -> None:
    _, made = client.ask("POST", "/products", {"name": "A", "sku": "A", "regular_price": "5.00"})
    client.switch("POST", "edit", {"sku": "a", "set": {"regular_price": "6.00", "name": "Mine"}})
    _, read = client.ask("GET", f"/products/{made['id']}")
    assert (read["name"], read["price"]) == ("Mine", "6.00")
    client.switch("POST", "edit", {"id": made["id"], "trash": True})
    assert client.ask("GET", f"/products/{made['id']}")[1]["status"] == "trash"


def test_the_front_page_shows_products_and_no_script(client: Client) -> None:
    client.ask("POST", "/products", {"name": "<script>x</script>Mug & Co", "regular_price": "12.50"})
    status, page = client.raw("GET", "/")
    text = page.decode()
    assert status == 200
    assert "<h2>xMug &amp; Co</h2>" in text
    assert "12.50" in text
    assert "<script" not in text
    assert client.raw("GET", "/../shop.sqlite")[0] == 404
    assert client.raw("GET", "/%2e%2e/shop.sqlite")[0] == 404


def test_it_listens_on_this_machine_only(shop: Shop) -> None:
    outside = {address[4][0] for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in outside - {"127.0.0.1"}:
        with socket.socket() as line:
            line.settimeout(1)
            assert line.connect_ex((address, urlsplit(shop.url).port)) != 0
    assert urlsplit(shop.url).hostname == "127.0.0.1"


def test_it_tells_its_weight_unit_and_to_everybody_its_name_and_offset(tmp_path: Path) -> None:
    with Shop(tmp_path, name="Mugs & More", weight_unit="lbs", utc_offset_hours=-3.5) as shop:
        client = Client(shop.description())
        _, unit = client.ask("GET", "/settings/products/woocommerce_weight_unit")
        client.line.request("GET", "/wp-json/?_fields=name,timezone_string,gmt_offset,namespaces")
        reply = client.line.getresponse()
        told = (reply.status, reply.getheader("Allow"), json.loads(reply.read()))
        with_key, _ = client.raw("GET", "/wp-json/")
        client.line.close()
    assert (unit["value"], list(unit["options"]), unit["type"]) == ("lbs", ["kg", "g", "lbs", "oz"], "select")
    facts = {"name": "Mugs &amp; More", "timezone_string": "", "gmt_offset": "-3.5"}
    assert told == (200, "GET", {**facts, "namespaces": ["oembed/1.0", "wc/v3", "wp/v2"]})
    assert with_key == 501
    with pytest.raises(ValueError, match="weight_unit is one of kg, g, lbs, oz"):
        Shop(tmp_path, weight_unit="stone")
