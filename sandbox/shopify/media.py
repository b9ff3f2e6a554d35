"""Pictures: taken in by their address without fetching, shown on products and variants."""

from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field
from sandbox.shopify.site import Site, connection, gid


def take_in(site: Site, given: Fields) -> int:
    """A kept file by its id; anything with a source is taken in anew, as Shopify cannot know it."""
    only(given, "a file", "id", "alt", "originalSource", "contentType", "filename", "duplicateResolutionMode")
    if given.get("id"):
        found = site.one("MediaImage", given["id"])
        if found is None:
            raise UserError("File does not exist", "INVALID_INPUT", "input", "files")
    elif given.get("contentType") not in (None, "IMAGE"):
        raise not_simulated(f"a file of {given['contentType']}")
    elif not str(given.get("originalSource") or "").startswith(("http://", "https://")):
        raise UserError("Image URL is invalid", "INVALID_INPUT", "input", "files")
    else:
        found = _new(site, given["originalSource"])
    if "alt" in given:
        found["alt"] = given["alt"]
    site.touch(found)
    return int(found["id"])


def of_variant(
    site: Site, product: Fields, given: Fields | None, shown: int | None, where: tuple[str, ...]
) -> int | None:
    """A variant's picture is one of its product's: the same source or id is the same file. One that is still worked on is
    taken with its source alone, or by who `shown` it already."""
    if not given:
        return None
    known = site.one("MediaImage", given["id"]) if given.get("id") else None
    if known and known["status"] != "READY" and known["id"] != shown:
        message = "Non-ready media cannot be attached to variants."
        raise UserError(message, "INVALID_VARIANT", *where, "file")
    for number in product["files"]:
        one = site.one("MediaImage", number)
        if one and (
            gid("MediaImage", number) == given.get("id") or one["source"] == given.get("originalSource")
        ):
            return int(number)
    made = take_in(site, given)
    product["files"].append(made)
    return made


def control(site: Site, wish: Fields) -> None:
    """`{"fail": text, "later": bool, "ready": true}`: addresses with that text can never be fetched; new pictures are
    still being worked on; those that were are ready now. Raises ValueError for another name."""
    unknown = set(wish) - {"fail", "later", "ready"}
    if unknown:
        raise ValueError(f"Pictures know nothing of {', '.join(sorted(unknown))}.")
    for name in ("fail", "later"):
        if name in wish:
            site.store.remember(f"pictures {name}", str(wish[name] or ""))
    for one in site.all("MediaImage", "status = 'PROCESSING'") if wish.get("ready") else ():
        site.put("MediaImage", {**one, "status": "READY", "fileStatus": "READY"})


def _new(site: Site, source: str) -> Fields:
    """Nothing is fetched: by the switches it could be, could not be, or will be later."""
    bad = site.fact("pictures fail")
    status = "PROCESSING" if site.fact("pictures later") else "READY"
    errors = []
    if bad and bad in source:
        status, message = "FAILED", "The image could not be downloaded."
        errors = [{"code": "IMAGE_DOWNLOAD_FAILURE", "message": message, "details": None}]
    return site.new(
        "MediaImage", source=source, alt=None, status=status, fileStatus=status, mediaContentType="IMAGE",
        mimeType="image/jpeg", mediaErrors=errors, mediaWarnings=[], fileErrors=errors,
    )  # fmt: skip


@field("Product.media")
def media(site: Site, product: Fields, arguments: Fields) -> Fields:
    return connection(
        [one for one in (site.one("MediaImage", i) for i in product["files"]) if one], arguments
    )


@field("Product.mediaCount")
def media_count(_site: Site, product: Fields, _arguments: Fields) -> Fields:
    return {"count": len(product["files"]), "precision": "EXACT"}


@field("Product.featuredMedia")
def featured(site: Site, product: Fields, _arguments: Fields) -> Fields | None:
    return site.one("MediaImage", product["files"][0]) if product["files"] else None


@field("ProductVariant.media")
def variant_media(site: Site, variant: Fields, arguments: Fields) -> Fields:
    found = site.one("MediaImage", variant["mediaId"]) if variant["mediaId"] else None
    return connection([found] if found else [], arguments)


@field("MediaImage.image", "MediaPreviewImage.image")
def image(site: Site, one: Fields, _arguments: Fields) -> Fields:
    address = f"https://cdn.{site.domain}/files/{one['id']}"
    return {"id": one["id"], "url": address, "altText": one["alt"], "width": 800, "height": 600}


@field("Image.url")
def image_url(_site: Site, one: Fields, _arguments: Fields) -> str:
    return str(one["url"])


@field("MediaImage.preview")
def preview(_site: Site, one: Fields, _arguments: Fields) -> Fields:
    return {"id": one["id"], "alt": one["alt"], "status": one["status"]}


@field("MediaImage.originalSource")
def original(_site: Site, one: Fields, _arguments: Fields) -> Fields:
    return {"url": one["source"], "fileSize": None}
