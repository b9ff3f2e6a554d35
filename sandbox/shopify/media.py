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
        found = site.new(
            "MediaImage", source=given["originalSource"], alt=None, status="READY", fileStatus="READY",
            mediaContentType="IMAGE", mimeType="image/jpeg", mediaErrors=[], mediaWarnings=[], fileErrors=[],
        )  # fmt: skip
    if "alt" in given:
        found["alt"] = given["alt"]
    site.touch(found)
    return int(found["id"])


def of_variant(site: Site, product: Fields, given: Fields | None) -> int | None:
    """A variant's picture is one of its product's: the same source or id is the same file."""
    if not given:
        return None
    for number in product["files"]:
        one = site.one("MediaImage", number)
        if one and (
            gid("MediaImage", number) == given.get("id") or one["source"] == given.get("originalSource")
        ):
            return int(number)
    made = take_in(site, given)
    product["files"].append(made)
    return made


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
    return {"id": one["id"], "alt": one["alt"], "status": "READY"}


@field("MediaImage.originalSource")
def original(_site: Site, one: Fields, _arguments: Fields) -> Fields:
    return {"url": one["source"], "fileSize": None}
