"""Staged uploads: a place for a file that a mutation will read, filled by a signed form and by no token.

Source: shopify.dev, "Bulk import data with the GraphQL Admin API": the target's parameters are sent back as form
fields, the file last, and the `key` among them is what bulkOperationRunMutation is told.
"""

import re
import secrets
from pathlib import Path
from typing import Any

from sandbox.shopify.answers import Answer, Call, Fields, UserError, not_simulated, only
from sandbox.shopify.graph import mutation
from sandbox.shopify.site import Site

MOST_BYTES = 100 * 1024 * 1024
PLACE = "/uploads/"
_XML = "application/xml; charset=utf-8"
_NAME = re.compile(rb'name="([^"]*)"')


@mutation("stagedUploadsCreate", scope="")
def create(site: Site, _source: Any, arguments: Fields) -> Fields:
    return {
        "stagedTargets": [_target(site, at, one) for at, one in enumerate(arguments["input"])],
        "userErrors": [],
    }


def path_of(site: Site, key: str) -> Path | None:
    """The file that was uploaded under a key, or None where none was."""
    if not site.all("Upload", "slug = ?", key):
        return None
    found = site.folder / "uploads" / key.replace("/", "_")
    return found if found.exists() else None


def answer(site: Site, call: Call) -> Answer:
    """201 for a form with every parameter as it was given; 403 for another one, 400 for one without its file."""
    if call.method != "POST":
        return _refused(405, "MethodNotAllowed")
    fields, content = _form(call)
    with site.lock:
        held = next(iter(site.all("Upload", "slug = ?", fields.get("key", ""))), None)
    if held is None or any(fields.get(one["name"]) != one["value"] for one in held["parameters"]):
        return _refused(403, "AccessDenied")
    if content is None:
        return _refused(400, "InvalidArgument")
    if len(content) > MOST_BYTES:
        return _refused(400, "EntityTooLarge")
    place = site.folder / "uploads" / held["slug"].replace("/", "_")
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    body = f"<?xml version='1.0' encoding='UTF-8'?><PostResponse><Key>{held['slug']}</Key></PostResponse>"
    return Answer(201, body.encode(), content_type=_XML)


def _target(site: Site, at: int, wish: Fields) -> Fields:
    only(wish, "a staged upload", "resource", "filename", "mimeType", "httpMethod", "fileSize")
    if wish["resource"] != "BULK_MUTATION_VARIABLES":
        raise not_simulated(f"a staged upload for {wish['resource']}")
    if wish.get("httpMethod") != "POST":
        raise not_simulated("a staged upload by PUT")
    if not wish["filename"].strip():
        raise UserError("Filename can't be blank", "", "input", str(at), "filename")
    key = f"tmp/{site.number('Upload')}/bulk/{secrets.token_hex(16)}/{wish['filename']}"
    parameters = {
        "key": key,
        "Content-Type": wish["mimeType"],
        "success_action_status": "201",
        "acl": "private",
        "x-goog-signature": secrets.token_hex(32),
    }
    rows = [{"name": name, "value": value} for name, value in parameters.items()]
    site.put(
        "Upload", {"id": site.number("UploadKey"), "slug": key, "parameters": rows, "created": site.now()}
    )
    return {"url": f"{site.address}{PLACE}", "resourceUrl": None, "parameters": rows}


def _form(call: Call) -> tuple[dict[str, str], bytes | None]:
    """The fields before the file, and the file; what stands behind the file is not read, as with a real bucket."""
    _, marked, boundary = call.headers.get("content-type", "").partition("boundary=")
    fields: dict[str, str] = {}
    if not marked:
        return fields, None
    line = b"--" + boundary.strip().strip('"').encode()
    for part in (b"\r\n" + call.body).split(b"\r\n" + line)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        if named and named[1] == b"file":
            return fields, content
        if named:
            fields[named[1].decode()] = content.decode("utf-8", "replace")
    return fields, None


def _refused(status: int, code: str) -> Answer:
    return Answer(
        status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode(), content_type=_XML
    )
