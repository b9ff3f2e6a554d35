"""The words products are filed under as the shop keeps them: terms of global attributes, and tags."""

from typing import Any

from sandbox.woocommerce import coerce, text
from sandbox.woocommerce.answers import Fields
from sandbox.woocommerce.site import Site


def add_term(site: Site, attribute: int, name: str) -> Fields:
    """The term of a global attribute by this name, made when absent; names are equal without regard to case."""
    kind = f"term {attribute}"
    found = site.store.find("kind = ? AND status = ?", (kind, name.casefold()))
    if found:
        return found[0]
    # `status` is the searchable column that holds the name without its case.
    term = {"id": site.store.next("term"), "name": name, "slug": text.slug(name), "status": name.casefold()}
    site.store.put(kind, term)
    return term


def tags_of(site: Site, wishes: list[Any]) -> list[int]:
    """The tags a product's request names, the whole list: by name they are made, an unknown id vanishes."""
    found = []
    for wish in wishes:
        if not isinstance(wish, dict):
            continue
        if wish.get("name") is None:
            number = coerce.integer(wish.get("id"))
            if site.store.get("tag", number):
                found.append(number)
        elif name := tag_name(wish["name"]):
            found.append((known_tag(site, name) or add_tag(site, name, ""))["id"])
    return list(dict.fromkeys(found))


def tags_shown(site: Site, numbers: list[int]) -> list[Fields]:
    """A product's tags, by name."""
    found = [doc for number in numbers if (doc := site.store.get("tag", number))]
    found.sort(key=lambda doc: str(doc["name"]).casefold())
    return [{key: doc[key] for key in ("id", "name", "slug")} for doc in found]


def tag_name(given: object) -> str:
    return text.kses(text.clean(coerce.string(given)))


def known_tag(site: Site, name: str) -> Fields | None:
    """By its address first, then by its name without regard to case, as `term_exists` looks."""
    for where, value in (("slug = ?", text.slug(name)), ("status = ?", name.casefold())):
        found = site.store.find(f"kind = 'tag' AND {where}", (value,))
        if found:
            return found[0]
    return None


def add_tag(site: Site, name: str, slug: str) -> Fields:
    wanted = text.slug(slug or name)
    found, copies = wanted, 1
    while site.store.count("kind = 'tag' AND slug = ?", (found,)):
        copies += 1
        found = f"{wanted}-{copies}"
    # `status` is the searchable column that holds the name without its case.
    doc = {"id": site.store.next("term"), "name": name, "slug": found, "status": name.casefold()}
    site.store.put("tag", doc)
    return doc
