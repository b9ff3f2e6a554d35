"""A first load in bulk: Shopify takes one file, works through it outside its meter, and answers with another file."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import orjson

from connectors.base import ProductDraft, PushResult
from connectors.shops.shopify.bulk_files import BulkFiles
from connectors.shops.shopify.client import Fields, GraphQL, document, refusals, sentence
from connectors.shops.shopify.facts import Facts
from connectors.shops.shopify.upsert import KEYS, PAGE, Attempt, Upsert
from core.errors import Refused, Temporary, Unknown

FROM = 500
"""New products of one push from which a load in bulk is quicker than one call each."""
LARGEST = 60 * 1024 * 1024
"""Bytes of one file; Shopify takes 100 MB."""
LOOK = 50
"""Products whose pictures are looked at in one call."""
LONGEST = 900.0
"""Seconds to wait for a load within one push; Shopify may take up to a day, and the push that is repeated finds it again."""
WAITS = (0.5, 1.0, 1.0, 2.0)
"""Seconds between two looks whether a load is done; the last one from then on."""
LIVE = ("CREATED", "RUNNING", "CANCELING")
OURS = ("BulkProductSet", "Publish")


class Bulk:
    """Every product has its own key, so a load that was interrupted doubles nothing: what runs is waited for, what came of
    it is found by its keys, and only the rest is loaded."""

    def __init__(self, graphql: GraphQL, facts: Facts, upsert: Upsert, files: BulkFiles) -> None:
        self._graphql, self._facts, self._upsert, self._files = graphql, facts, upsert, files

    def settle(self, drafts: Sequence[tuple[ProductDraft, dict[str, str]]]) -> Iterator[PushResult]:
        """The answers for new products, with their variants that are not to be sent: first the ids of all, then the last
        word on each. Raises Temporary where the load takes longer than the hub waits."""
        for number in self._running():
            self._ended(number)
        absent = self._absent([draft.key for draft, _ in drafts])
        loaded = [(draft, bad) for draft, bad in drafts if draft.key in absent]
        attempts = [self._upsert.begun(draft, bad) for draft, bad in loaded]
        made = self._load(attempts)
        for at, product in made.items():
            attempts[at].draft = replace(attempts[at].draft, external_id=str(product["id"]))
            yield attempts[at].result(problems={})
        self._see_pictures([(attempts[at], product) for at, product in made.items()])
        self._publish([product for product in made.values() if not product["published"]])
        for at, product in made.items():
            yield from self._upsert.finish(attempts[at], product, None)
        done = {attempts[at].draft.key for at in made}
        for draft, bad in drafts:
            if draft.key not in done:
                # It was there already, was refused or was lost: seen to on its own, which tells why.
                yield from self._upsert.settle(draft, bad)

    def _absent(self, keys: Sequence[str]) -> set[str]:
        pages = [list(keys[start : start + KEYS]) for start in range(0, len(keys), KEYS)]
        return {key for page in pages for key in self._upsert.absent(page)}

    def _load(self, attempts: Sequence[Attempt]) -> dict[int, Fields]:
        """The products that were made, by their place."""
        rows: list[Fields] = []
        for attempt in attempts:
            identifier, wish = self._upsert.fields(attempt, None)
            rows.append(
                {
                    "identifier": identifier,
                    "input": wish,
                    "publication": self._facts.publication,
                    "variants": min(len(wish["variants"]), PAGE),
                }
            )
        said = self._run("BulkProductSet", rows)
        payloads = {at: (one.get("data") or {}).get("productSet") or {} for at, one in said.items()}
        return {
            at: payload["product"]
            for at, payload in payloads.items()
            if payload.get("product") and not refusals(payload)
        }

    def _publish(self, products: Sequence[Fields]) -> None:
        """Shows them in the online store; one that is refused is asked for again on its own, which tells why."""
        wish = [{"publicationId": self._facts.publication}]
        for at, one in self._run(
            "Publish", [{"id": product["id"], "input": wish} for product in products]
        ).items():
            payload = (one.get("data") or {}).get("publishablePublish")
            if payload is not None and not refusals(payload):
                products[at]["published"] = True

    def _see_pictures(self, made: Sequence[tuple[Attempt, Fields]]) -> None:
        """The ids of pictures. An answer in bulk names the first alone: a mutation in bulk may have one list."""
        several = [str(product["id"]) for attempt, product in made if len(attempt.files) > 1]
        found: dict[str, Fields] = {}
        for start in range(0, len(several), LOOK):
            nodes = self._graphql.read("Pictures", ids=several[start : start + LOOK])["nodes"]
            found |= {str(one["id"]): one["media"] for one in nodes if one}
        for _, product in made:
            first = [product["featuredMedia"]] if product.get("featuredMedia") else []
            product["media"] = found.get(str(product["id"]), {"nodes": first})

    def _run(self, name: str, rows: Sequence[Mapping[str, object]]) -> dict[int, Fields]:
        """What the shop said to each of `rows`, by its place; none for those it did not get to."""
        said: dict[int, Fields] = {}
        for start, lines in _files([orjson.dumps(row) for row in rows]):
            url = self._ended(self._start(name, b"\n".join(lines)))
            for one in self._files.lines(url) if url else ():
                said[start + int(one.get("__lineNumber", 0))] = one
        return said

    def _start(self, name: str, content: bytes) -> str:
        """The id of the operation that works through `content`."""
        place = {"resource": "BULK_MUTATION_VARIABLES", "filename": "variables.jsonl", "mimeType": "text/jsonl", "httpMethod": "POST"}  # fmt: skip
        try:
            payload = self._graphql.change("Staged", input=[place])
        except Unknown as error:
            raise Temporary(f"The shop named no place for a load: {error}") from None
        if refusals(payload):
            raise Refused(f"The shop takes no load. {sentence(refusals(payload))}")
        staged = payload["stagedTargets"][0]
        parameters = {str(one["name"]): str(one["value"]) for one in staged["parameters"]}
        self._files.send(str(staged["url"]), parameters, content)
        try:
            payload = self._graphql.change(
                "BulkRun", mutation=document(name), path=parameters["key"], client=f"entrepot-{uuid.uuid4()}"
            )
        except Unknown as error:
            found = self._running()
            if not found:
                raise Temporary(f"A load may not have begun: {error}") from None
            return found[-1]
        errors = refusals(payload)
        if errors:
            raise Temporary(f"The shop begins no load now. {sentence(errors)}", retry_after=60.0)
        return str(payload["bulkOperation"]["id"])

    def _running(self) -> list[str]:
        """The ids of our own operations that are not done."""
        texts = {" ".join(document(name).split()) for name in OURS}
        found = [
            one
            for status in ("created", "running")
            for one in self._graphql.read("BulkRunning", status=f"status:{status}")["bulkOperations"]["nodes"]
        ]
        return sorted(
            {
                str(one["id"])
                for one in found
                if one["status"] in LIVE and " ".join(str(one["query"]).split()) in texts
            }
        )

    def _ended(self, number: str) -> str | None:
        """Waits until an operation is done; the address of what it did, even where it ended early."""
        begun = time.monotonic()
        turn = 0
        while True:
            one = self._graphql.read("Bulk", id=number)["bulkOperation"]
            if one is None or one["status"] not in LIVE:
                return (one or {}).get("url") or (one or {}).get("partialDataUrl")
            if time.monotonic() - begun > LONGEST:
                raise Temporary(
                    "The shop still works through a load; the hub comes back for it.", retry_after=60.0
                )
            self._graphql.wait(WAITS[min(turn, len(WAITS) - 1)])
            turn += 1


def _files(lines: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """(place of the first line, lines) of each file."""
    start, size, some = 0, 0, list[bytes]()
    for at, line in enumerate(lines):
        if some and size + len(line) > LARGEST:
            yield start, some
            start, size, some = at, 0, []
        some.append(line)
        size += len(line) + 1
    if some:
        yield start, some
