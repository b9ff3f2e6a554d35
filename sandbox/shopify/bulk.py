"""Bulk operations: one mutation executed for every line of an uploaded file, later and outside the bucket.

Source: shopify.dev, "Bulk import data with the GraphQL Admin API": five at a time, JSONL up to 100 MB, results as
JSONL with `__lineNumber`, within 24 hours.
"""

import json
import threading
from collections.abc import Iterator
from typing import Any

from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType

from sandbox.shopify import graph, uploads
from sandbox.shopify.answers import Answer, Call, Fields, UserError, not_simulated
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.search import matcher
from sandbox.shopify.site import Site, gid

AT_A_TIME = 5
PLACE = "/results/"
_LIVE = ("CREATED", "RUNNING", "CANCELING")
_JSONL = "application/jsonl"
_NO_FILE = "The JSONL file could not be found. Try uploading the file again, and check that you've entered the URL correctly for the stagedUploadPath mutation argument."


class Bulk:
    """Works through what waits, a line of each operation in turn. `hold` lets none begin; `fail_after` ends the
    next operation as failed after so many lines; both are switches of the admin."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._under_way: dict[int, Iterator[None]] = {}
        self.wish: Fields = {"hold": False, "fail_after": None}
        self._give_up()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is under way stays as it is: the shop started again calls it failed, as a real one might."""
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        self._wake.set()

    def control(self, wish: Fields) -> Fields:
        """`{"hold": bool, "fail_after": lines}`. Raises ValueError for another name."""
        unknown = set(wish) - set(self.wish)
        if unknown:
            raise ValueError(f"Bulk operations know nothing of {', '.join(sorted(unknown))}.")
        self.wish |= wish
        self.wake()
        return {**self.wish, "live": len(_live(self._site))}

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._wake.wait(timeout=1.0)
            self._wake.clear()
            while not self._stopped.is_set() and not self.wish["hold"] and self._turn():
                pass

    def _turn(self) -> bool:
        """One line of each; whether there was anything to do."""
        with self._site.lock:
            live = _live(self._site)
        for one in live:
            steps = self._under_way.setdefault(one["id"], self._steps(one["id"]))
            if next(steps, self) is self:
                del self._under_way[one["id"]]
        return bool(live)

    def _steps(self, number: int) -> Iterator[None]:
        site = self._site
        one = self._written(number, status="RUNNING")
        place = uploads.path_of(site, one["path"])
        assert place is not None
        document, _ = graph.judged(one["query"])
        assert document is not None
        result = site.folder / "results" / f"{number}.jsonl"
        result.parent.mkdir(exist_ok=True)
        limit, self.wish["fail_after"] = self.wish["fail_after"], None
        done, cancelled = 0, False
        with place.open("rb") as lines, result.open("wb") as results:
            for at, line in enumerate(lines):
                if not line.strip():
                    continue
                with site.lock:
                    cancelled = (site.one("BulkOperation", number) or one)["status"] == "CANCELING"
                if cancelled or done == limit:
                    break
                results.write(
                    json.dumps({**_executed(site, document, line), "__lineNumber": at}).encode() + b"\n"
                )
                results.flush()
                done += 1
                self._written(number, objectCount=done, rootObjectCount=done)
                yield
        ended = "CANCELED" if cancelled else "FAILED" if done == limit else "COMPLETED"
        self._end(number, ended)

    def _end(self, number: int, status: str) -> None:
        """The address of a result is for whoever knows it; a failed one's is the part that was done."""
        site = self._site
        result = site.folder / "results" / f"{number}.jsonl"
        size = result.stat().st_size if result.exists() else 0
        address = f"{site.address}{PLACE}{number}.jsonl" if size else None
        named = "url" if status == "COMPLETED" else "partialDataUrl"
        self._written(
            number,
            status=status,
            completedAt=site.now() if status == "COMPLETED" else None,
            fileSize=size if address else None,
            errorCode="INTERNAL_SERVER_ERROR" if status == "FAILED" else None,
            **{named: address},
        )
        with site.lock, site.store.work():
            site.fired("BULK_OPERATIONS_FINISH", "BulkOperation", number)

    def _written(self, number: int, **changes: Any) -> Fields:
        with self._site.lock, self._site.store.work():
            one = self._site.one("BulkOperation", number)
            assert one is not None
            one.update(changes)
            self._site.touch(one)
            return one

    def _give_up(self) -> None:
        """What was under way when the shop was last killed."""
        for one in _live(self._site):
            if one["status"] != "CREATED":
                self._end(one["id"], "FAILED")


def answer(site: Site, call: Call) -> Answer:
    """A result file, for whoever knows its address."""
    place = site.folder / "results" / call.path.removeprefix(PLACE)
    if call.method != "GET" or place.parent != site.folder / "results" or not place.exists():
        return Answer(
            404, b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", content_type="application/xml"
        )
    return Answer(200, place.read_bytes(), content_type=_JSONL)


@mutation("bulkOperationRunMutation", scope="")
def run_mutation(site: Site, _source: Any, arguments: Fields) -> Fields:
    text = arguments["mutation"]
    _checked(text)
    place = uploads.path_of(site, arguments["stagedUploadPath"])
    if place is None:
        raise UserError(_NO_FILE, "NO_SUCH_FILE", "stagedUploadPath")
    with place.open("rb") as lines:
        if not _object(lines.readline()):
            raise UserError("The input file is not JSONL.", "INVALID_STAGED_UPLOAD_FILE", "stagedUploadPath")
    live = _live(site)
    if len(live) >= AT_A_TIME:
        named = gid("BulkOperation", live[0]["id"])
        message = f"A bulk mutation operation for this app and shop is already in progress: {named}."
        raise UserError(message, "LIMIT_REACHED")
    one = site.new(
        "BulkOperation", query=text, path=arguments["stagedUploadPath"], status="CREATED", type="MUTATION"
    )
    one.update(
        clientIdentifier=arguments.get("clientIdentifier"), errorCode=None, completedAt=None, fileSize=None
    )
    one.update(objectCount=0, rootObjectCount=0, url=None, partialDataUrl=None)
    site.put("BulkOperation", one)
    return {"bulkOperation": one, "userErrors": []}


@mutation("bulkOperationCancel", scope="")
def cancel(site: Site, _source: Any, arguments: Fields) -> Fields:
    one = site.one("BulkOperation", arguments["id"])
    if one is None:
        raise UserError("Bulk operation does not exist", "", "id")
    if one["status"] not in _LIVE:
        message = f"A bulk operation cannot be canceled when it is {one['status'].lower()}"
        raise UserError(message, "", "id")
    one["status"] = "CANCELING"
    site.touch(one)
    return {"bulkOperation": one, "userErrors": []}


@field("QueryRoot.bulkOperation")
def operation(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.one("BulkOperation", arguments["id"])


@field("QueryRoot.currentBulkOperation")
def current(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    rows = site.all("BulkOperation", order="id DESC LIMIT 1") if arguments.get("type") == "MUTATION" else []
    return rows[0] if rows else None


@field("QueryRoot.bulkOperations")
def operations(site: Site, _source: Any, arguments: Fields) -> Fields:
    """The newest first, unless reversed."""
    if arguments.get("sortKey") not in (None, "CREATED_AT"):
        raise not_simulated(f"the sort key {arguments['sortKey']}")
    match = matcher(
        arguments.get("query"),
        {
            "id": lambda one: one["id"],
            "status": lambda one: one["status"],
            "operation_type": lambda one: one["type"],
            "created_at": lambda one: one["created"],
        },
    )
    return site.page(
        "BulkOperation", {**arguments, "sortKey": "ID", "reverse": not arguments.get("reverse")}, match
    )


def _live(site: Site) -> list[Fields]:
    return site.all("BulkOperation", "status IN (?, ?, ?)", *_LIVE)


def _checked(text: str) -> None:
    """Raises UserError for what is no single mutation of the schema."""
    document, errors = graph.judged(text)
    rows = (
        [one for one in document.definitions if isinstance(one, OperationDefinitionNode)] if document else []
    )
    if errors or len(rows) != 1 or rows[0].operation is not OperationType.MUTATION:
        said = errors[0].message if errors else "It must be one mutation."
        raise UserError(f"Invalid mutation: {said}", "INVALID_MUTATION", "mutation")
    named = [one.name.value for one in rows[0].selection_set.selections if isinstance(one, FieldNode)]
    if len(named) != 1 or named[0].startswith("bulkOperation"):
        raise UserError(
            "Invalid mutation: it must be one that may run in bulk.", "INVALID_MUTATION", "mutation"
        )
    if document is not None and graph.connections(document) > 1:
        raise UserError("Invalid mutation: it may have one connection.", "INVALID_MUTATION", "mutation")


def _executed(site: Site, document: DocumentNode, line: bytes) -> Fields:
    variables = _object(line)
    if variables is None:
        return {"errors": [{"message": "The line is not a JSON object."}]}
    result = graph.run(site, document, variables, None)
    body: Fields = {"data": result.data}
    if result.errors:
        body["errors"] = [one.formatted for one in result.errors]
    return body


def _object(line: bytes) -> Fields | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
