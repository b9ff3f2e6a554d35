"""The sandbox's Shopify runs one mutation for each line of an uploaded file, and answers with a file."""

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox.shopify import Shop
from tests.unit.shopify_client import FIRST_PRODUCT, Client, opened
from tests.workers import until

STAGE = """mutation($input: [StagedUploadInput!]!) { stagedUploadsCreate(input: $input) {
  stagedTargets { url resourceUrl parameters { name value } } userErrors { message } } }"""
RUN = """mutation($mutation: String!, $path: String!) { bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path) {
  bulkOperation { id status } userErrors { code field } } }"""
FOUND = """query($id: ID!) { bulkOperation(id: $id) { status type objectCount errorCode fileSize url partialDataUrl completedAt } }"""
LIVE = '{ bulkOperations(first: 9, query: "operation_type:mutation AND (status:running OR status:created)") { nodes { id } } }'
SET = """mutation($input: ProductSetInput!) { productSet(input: $input, synchronous: true) {
  product { title } userErrors { code } } }"""
BOUNDARY = "a-boundary"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with opened(tmp_path, plan="basic", steady=lambda: 1000.0) as (_, made):
        yield made


def staged(client: Client, *lines: Any, **changes: str) -> str:
    """The key of a file with these lines, uploaded."""
    wish = {
        "resource": "BULK_MUTATION_VARIABLES",
        "filename": "lines.jsonl",
        "mimeType": "text/jsonl",
        "httpMethod": "POST",
    }
    target = client.change(STAGE, input=[wish])["stagedTargets"][0]
    fields = {one["name"]: one["value"] for one in target["parameters"]} | changes
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines)
    status = posted(client, urlsplit(target["url"]).path, fields, text)
    assert status == (403 if changes else 201)
    return str(fields["key"])


def posted(client: Client, path: str, fields: dict[str, str], content: str) -> int:
    rows = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'
        for name, value in fields.items()
    ]
    rows.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="l"\r\n\r\n{content}')
    body = ("\r\n".join(rows) + f"\r\n--{BOUNDARY}--\r\n").encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "X-Shopify-Access-Token": ""}
    return client.raw("POST", path, body, **headers)[0]


def ended(client: Client, number: str) -> Any:
    def found() -> Any:
        return client.ask(FOUND, id=number)["bulkOperation"]

    until(lambda: found()["status"] not in ("CREATED", "RUNNING", "CANCELING"))
    return found()


def results(client: Client, url: str) -> list[Any]:
    status, _, body = client.raw("GET", urlsplit(url).path, **{"X-Shopify-Access-Token": ""})
    assert status == 200
    return [json.loads(line) for line in body.splitlines()]


def test_each_line_is_executed_in_order_and_costs_no_points(client: Client) -> None:
    client.switch("POST", "settings", plan="basic", points=200)
    wishes = [{"input": {**FIRST_PRODUCT, "title": title}} for title in ("A", "", "C")]
    begun = client.change(RUN, mutation=SET, path=staged(client, *wishes))
    assert (begun["bulkOperation"]["status"], begun["userErrors"]) == ("CREATED", [])
    one = ended(client, begun["bulkOperation"]["id"])
    assert (one["status"], one["type"], one["objectCount"], one["partialDataUrl"]) == (
        "COMPLETED",
        "MUTATION",
        "3",
        None,
    )
    rows = results(client, one["url"])
    assert rows == [
        {"data": {"productSet": {"product": {"title": "A"}, "userErrors": []}}, "__lineNumber": 0},
        {
            "data": {"productSet": {"product": None, "userErrors": [{"code": "INVALID_PRODUCT"}]}},
            "__lineNumber": 1,
        },
        {"data": {"productSet": {"product": {"title": "C"}, "userErrors": []}}, "__lineNumber": 2},
    ]
    assert int(one["fileSize"]) == sum(len(json.dumps(row)) + 1 for row in rows)
    assert [one["title"] for one in client.switch("GET", "products")] == ["A", "C"]
    assert client.switch("GET", "bucket")["left"] >= 200 - 10 - 10 - 40  # two mutations and some looks


def test_five_run_at_a_time_and_what_lives_is_found(client: Client) -> None:
    client.switch("POST", "bulk", hold=True)
    key = staged(client, {"input": FIRST_PRODUCT})
    begun = [client.change(RUN, mutation=SET, path=key)["bulkOperation"]["id"] for _ in range(5)]
    refused = client.change(RUN, mutation=SET, path=key)
    assert (refused["bulkOperation"], refused["userErrors"][0]["code"]) == (None, "LIMIT_REACHED")
    assert [one["id"] for one in client.ask(LIVE)["bulkOperations"]["nodes"]] == begun[::-1]
    assert client.switch("GET", "products") == []
    client.switch("POST", "bulk", hold=False)
    assert [ended(client, one)["status"] for one in begun] == ["COMPLETED"] * 5
    assert client.ask(LIVE)["bulkOperations"]["nodes"] == []
    assert len(client.switch("GET", "products")) == 5


def test_a_failed_one_leaves_what_it_had_done_in_a_file_of_its_own(client: Client) -> None:
    client.switch("POST", "bulk", fail_after=1)
    lines = [{"input": {**FIRST_PRODUCT, "title": title}} for title in "AB"]
    number = client.change(RUN, mutation=SET, path=staged(client, *lines))["bulkOperation"]["id"]
    one = ended(client, number)
    assert (one["status"], one["errorCode"], one["url"], one["completedAt"]) == (
        "FAILED",
        "INTERNAL_SERVER_ERROR",
        None,
        None,
    )
    assert [
        row["data"]["productSet"]["product"]["title"] for row in results(client, one["partialDataUrl"])
    ] == ["A"]
    assert [one["title"] for one in client.switch("GET", "products")] == ["A"]


def test_what_cannot_run_is_said_and_nothing_is_begun(client: Client) -> None:
    def code(mutation: str, path: str) -> str:
        return str(client.change(RUN, mutation=mutation, path=path)["userErrors"][0]["code"])

    key = staged(client, {"input": FIRST_PRODUCT})
    assert code(SET, "tmp/1/bulk/none") == "NO_SUCH_FILE"
    assert code(SET, staged(client, {"input": FIRST_PRODUCT}, acl="public")) == "NO_SUCH_FILE"
    assert code(SET, staged(client, "title;price")) == "INVALID_STAGED_UPLOAD_FILE"
    assert code("{ shop { name } }", key) == "INVALID_MUTATION"
    assert code("mutation { nothing }", key) == "INVALID_MUTATION"
    two = "product { media(first: 1) { nodes { id } } variants(first: 1) { nodes { id } } }"
    assert code(SET.replace("product { title }", two), key) == "INVALID_MUTATION"
    assert (
        code(
            'mutation { bulkOperationCancel(id: "gid://shopify/BulkOperation/1") { userErrors { message } } }',
            key,
        )
        == "INVALID_MUTATION"
    )
    assert client.ask("{ bulkOperations(first: 1) { nodes { id } } }")["bulkOperations"]["nodes"] == []
    assert client.switch("GET", "products") == []


def test_an_operation_of_a_killed_shop_has_failed_when_it_is_back(tmp_path: Path) -> None:
    with opened(tmp_path) as (shop, client):
        lines = [{"input": {**FIRST_PRODUCT, "title": f"P{n}"}} for n in range(400)]
        number = client.change(RUN, mutation=SET, path=staged(client, *lines))["bulkOperation"]["id"]
        until(lambda: client.switch("GET", "products"))
    with Shop(tmp_path) as shop:
        client = Client(shop.description())
        one = ended(client, number)
        done = [
            row["data"]["productSet"]["product"]["title"] for row in results(client, one["partialDataUrl"])
        ]
        assert one["status"] == "FAILED"
        assert 0 < len(done) < 400
        assert [one["title"] for one in client.switch("GET", "products")] == done
        client.line.close()


@pytest.mark.parametrize(("fields", "kind"), [("upload", "status"), ("results", "drop_before")])
def test_the_file_s_own_address_can_fail_too(client: Client, fields: str, kind: str) -> None:
    client.switch("POST", "faults", kind=kind, field=fields)
    if fields == "upload":
        assert posted(client, "/uploads/", {"key": "x"}, "") == 503
    else:
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLError)):
            client.raw("GET", "/results/1.jsonl")
