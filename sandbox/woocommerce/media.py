"""The shop's media library: pictures fetched inside the request that names them, as recorded."""

import http.client
import ipaddress
import re
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from sandbox.woocommerce import coerce, text
from sandbox.woocommerce.answers import Call, Fields, NotSimulated, Refusal
from sandbox.woocommerce.site import Site

TIMEOUT = 20.0  # seconds for one picture
MAX_BYTES = 64 * 1024 * 1024
_KINDS = {
    "jpg": b"\xff\xd8\xff",
    "jpeg": b"\xff\xd8\xff",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF8",
    "webp": b"RIFF",
}
_BAD_URL = "A valid URL was not provided."
_NOWHERE = (
    "invalid",
    "test",
    "example",
    "local",
)  # names that resolve nowhere (RFC 6761): never asked of a DNS


@dataclass(frozen=True)
class Picture:
    """One fetched picture; `content` is None where the shop takes addresses without fetching."""

    name: str
    content: bytes | None
    width: int
    height: int


@dataclass(frozen=True)
class Failure:
    """Why a picture could not be had, in the shop's own words."""

    message: str


Fetched = dict[str, Picture | Failure]


def fetch_all(site: Site, call: Call, body: Any) -> Fetched:
    """Every picture a request body names, by its address; done before the shop takes its lock."""
    return {source: fetch(site, call, source) for source in dict.fromkeys(_sources(body))}


def fetch(site: Site, call: Call, source: str) -> Picture | Failure:
    """One picture. Never raises: a failure is the sentence the shop answers with."""
    parts = urlsplit(source)
    name = unquote(parts.path.rsplit("/", 1)[-1])
    refused = _refused_host(site, call, source)
    if refused:
        return Failure(f"Error getting remote image {source}. Error: {refused}")
    if site.images == "accept":
        return Picture(name, None, 600, 400)
    content, error = _download(source)
    if error:
        return Failure(f"Error getting remote image {source}. Error: {error}")
    magic = _KINDS.get(name.rsplit(".", 1)[-1].lower())
    if magic is None or not content.startswith(magic):
        return Failure("Invalid image: Sorry, you are not allowed to upload this file type.")
    return Picture(name, content, *_size(content))


def take(site: Site, call: Call, wish: Fields, error_code: str, id_code: str) -> int:
    """The media id for one `{id | src, name, alt}`: an address makes a new one, even when it was sent before."""
    number = coerce.integer(wish.get("id"))
    if number == 0 and wish.get("src"):
        picture = call.fetched[str(wish["src"])]
        if isinstance(picture, Failure):
            raise Refusal(error_code, picture.message, 400)
        number = _keep(site, picture, str(wish["src"]))
    record = site.store.get("media", number)
    if record is None:
        raise Refusal(id_code, f"#{number} is an invalid image ID.", 400)
    record["alt"] = text.clean(wish["alt"]) if wish.get("alt") else record["alt"]
    record["name"] = str(wish["name"]) if wish.get("name") else record["name"]
    site.store.put("media", record)
    return number


def view(site: Site, call: Call, number: int, *, sizes: bool = True) -> Fields | None:
    """A picture as the API shows it; its local dates are one offset too late, as recorded."""
    record = site.store.get("media", number)
    if record is None:
        return None
    address = call.base + quote(record["path"])
    created = {
        "date_created": site.local(record["created"] + site.utc_offset),
        "date_created_gmt": site.gmt(record["created"]),
        "date_modified": site.local(record["created"] + site.utc_offset),
        "date_modified_gmt": site.gmt(record["created"]),
    }
    shown = {"id": number, **created, "src": address, "name": record["name"], "alt": record["alt"]}
    return shown | _sizes(address, record["width"], record["height"]) if sizes else shown


def _sizes(address: str, width: int, height: int) -> Fields:
    stem, _, ending = address.rpartition(".")
    narrower = [f"{stem}-{w}x{round(height * w / width)}.{ending} {w}w" for w in (300, 416) if w < width]
    thumbnail = f"{stem}-324x324.{ending}" if width > 324 and height > 324 else address
    return {
        "srcset": ", ".join([f"{address} {width}w", *narrower]) if narrower else "",
        "sizes": f"(max-width: {width}px) 100vw, {width}px" if narrower else "",
        "thumbnail": thumbnail,
    }


def _keep(site: Site, picture: Picture, source: str) -> int:
    month = time.strftime("%Y/%m", time.gmtime(site.now() + site.utc_offset))
    stem, dot, ending = re.sub(r"[^\w.-]", "-", picture.name).rpartition(".")
    path, copies = f"/wp-content/uploads/{month}/{stem}{dot}{ending}", 0
    while site.store.count("kind = 'media' AND slug = ?", (path,)):
        copies += 1
        path = f"/wp-content/uploads/{month}/{stem or ending}-{copies}{dot}{ending if stem else ''}"
    number = site.store.next("post")
    if picture.content is not None:
        file = site.folder / "public" / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture.content)
    site.store.put(
        "media",
        {
            "id": number,
            "created": site.now(),
            "slug": path,
            "path": path,
            "name": Path(picture.name).stem,
            "alt": "",
            "origin": source,
            "width": picture.width,
            "height": picture.height,
        },
    )
    return number


def _sources(body: Any) -> list[str]:
    if not isinstance(body, dict):
        return []
    found = []
    for fields in [body, *_members(body.get("create")), *_members(body.get("update"))]:
        wishes = [*_members(fields.get("images")), *_members([fields.get("image")])]
        found += [
            str(wish["src"]) for wish in wishes if wish.get("src") and not coerce.integer(wish.get("id"))
        ]
    return found


def _members(value: Any) -> list[Fields]:
    return [member for member in value if isinstance(member, dict)] if isinstance(value, list) else []


def _refused_host(site: Site, call: Call, source: str) -> str | None:
    """WordPress' rule: a known scheme, a resolvable public host, port 80, 443 or 8080; the shop itself always."""
    parts = urlsplit(source)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return _BAD_URL
    if parts.netloc in site.own_hosts or site.images == "private":
        return None
    try:
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except ValueError:
        return _BAD_URL
    if port not in (80, 443, 8080):
        return _BAD_URL
    if site.images == "accept":
        return None
    if parts.hostname.rsplit(".", 1)[-1] in _NOWHERE:
        return _BAD_URL
    try:
        address = ipaddress.ip_address(socket.getaddrinfo(parts.hostname, port)[0][4][0])
    except OSError:
        return _BAD_URL
    return None if address.is_global else _BAD_URL


@lru_cache(maxsize=1)
def _opener() -> OpenerDirector:
    """No proxy; and certificates unchecked: only pictures of this machine are ever fetched."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return build_opener(ProxyHandler({}), HTTPSHandler(context=trusting))


def _download(source: str) -> tuple[bytes, str | None]:
    parts = urlsplit(source)
    started = time.monotonic()
    try:
        with _opener().open(
            Request(source, headers={"User-Agent": "WordPress/7.0.4"}), timeout=TIMEOUT
        ) as reply:
            content = reply.read(MAX_BYTES + 1)
    except HTTPError as error:
        return b"", http.client.responses.get(error.code, "Unknown")
    except (URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            waited = int((time.monotonic() - started) * 1000)
            return (
                b"",
                f"cURL error 28: Operation timed out after {waited} milliseconds with 0 bytes received",
            )
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        return b"", (
            f"cURL error 7: Failed to connect to {parts.hostname} port {port} after 0 ms: "
            "Couldn't connect to server"
        )
    return (
        (content, None) if len(content) <= MAX_BYTES else (b"", "cURL error 63: Maximum file size exceeded")
    )


def _size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the file's own header."""
    if content.startswith(_KINDS["png"]):
        return struct.unpack(">II", content[16:24])
    if content.startswith(_KINDS["gif"]):
        return struct.unpack("<HH", content[6:10])
    if content.startswith(_KINDS["jpg"]):
        return _jpeg_size(content)
    raise NotSimulated("a WebP picture")


def _jpeg_size(content: bytes) -> tuple[int, int]:
    position = 2
    while position + 9 < len(content):
        marker, length = content[position + 1], struct.unpack(">H", content[position + 2 : position + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[position + 5 : position + 9])
            return width, height
        position += 2 + length
    raise NotSimulated("a JPEG without a frame")
