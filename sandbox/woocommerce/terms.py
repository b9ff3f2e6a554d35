"""Categories, and global attributes with their terms.

Their refusals were recorded; their full shape is the one WooCommerce's public REST reference documents
(https://woocommerce.github.io/woocommerce-rest-api-docs/#product-categories).
"""

from collections.abc import Callable
from typing import Any

from sandbox.woocommerce import coerce, listing, schema, taxonomy, text
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.site import UNCATEGORIZED, Site, links

ALLOW = "GET, POST, PUT, PATCH, DELETE"
_NEW_CATEGORY = {"name": schema.STRING, "slug": schema.STRING, "parent": schema.INTEGER}
_NEW_ATTRIBUTE = {"name": schema.STRING, "slug": schema.STRING, "type": schema.STRING}


def categories(site: Site, call: Call) -> Answer:
    return listed(site, call, "category", lambda doc: _category(site, call, doc))


def category(site: Site, call: Call, number: int) -> Answer:
    return Answer(200, _category(site, call, the_term(site, "category", number)))


def new_category(site: Site, call: Call) -> Answer:
    fields = fields_of(call)
    schema.check(fields, _NEW_CATEGORY)
    name = text.kses(str(fields.get("name") or "")).strip()
    parent = coerce.integer(fields.get("parent"))
    if not name or (parent and site.store.get("category", parent) is None):
        raise NotSimulated("a category without a name or with an unknown parent")
    siblings = site.store.find("kind = 'category' AND parent = ?", (parent,))
    same = [sibling["id"] for sibling in siblings if sibling["name"].casefold() == name.casefold()]
    if same:
        message = "A term with the name provided already exists with this parent."
        raise Refusal("term_exists", message, 400, resource_id=same[0])
    slug = text.slug(str(fields.get("slug") or name))
    if site.store.count("kind = 'category' AND slug = ?", (slug,)):
        above = site.store.get("category", parent)
        slug = f"{slug}-{above['slug'] if above else site.store.count('kind = ?', ('category',))}"
    doc = {"id": site.store.next("term"), "name": name, "slug": slug, "parent": parent}
    site.store.put("category", doc)
    return Answer(
        201, _category(site, call, doc), {"Location": f"{call.api}/products/categories/{doc['id']}"}
    )


def change_category(site: Site, call: Call, number: int) -> Answer:
    fields, doc = fields_of(call), the_term(site, "category", number)
    schema.check(fields, _NEW_CATEGORY)
    if fields.get("name"):
        doc["name"] = text.kses(str(fields["name"])).strip()
    if fields.get("slug"):
        doc["slug"] = text.slug(str(fields["slug"]))
    if fields.get("parent") is not None:
        doc["parent"] = coerce.integer(fields["parent"])
    site.store.put("category", doc)
    return Answer(200, _category(site, call, doc))


def remove_category(site: Site, call: Call, number: int) -> Answer:
    """Its products fall back to the first category, which itself stays; its children move up."""
    doc = the_term(site, "category", number)
    if number == UNCATEGORIZED:
        raise Refusal("woocommerce_rest_cannot_delete", "The resource cannot be deleted.", 500)
    found = removed(site, call, "category", number, _category(site, call, doc))
    for child in site.store.find("kind = 'category' AND parent = ?", (number,)):
        site.store.put("category", {**child, "parent": doc["parent"]})
    return found


def attributes(site: Site, call: Call) -> Answer:
    docs = site.store.find("kind = 'attribute'", ())
    return Answer(200, [_attribute(call, doc) for doc in docs])


def attribute(site: Site, call: Call, number: int) -> Answer:
    return Answer(200, _attribute(call, _known(site, number)))


def new_attribute(site: Site, call: Call) -> Answer:
    fields = fields_of(call)
    schema.check(fields, _NEW_ATTRIBUTE)
    name = text.clean(fields.get("name") or "")
    if not name:
        raise NotSimulated("an attribute without a name")
    bare = text.slug(str(fields.get("slug") or name)).removeprefix("pa_")
    if len(bare) > 28:
        raise NotSimulated("an attribute whose slug is longer than 28 characters")
    if site.store.count("kind = 'attribute' AND slug = ?", (f"pa_{bare}",)):
        message = f'Slug "{bare}" is already in use. Change it, please.'
        raise Refusal("woocommerce_rest_cannot_create", message, 400)
    doc = {"id": site.store.next("attribute"), "name": name, "slug": f"pa_{bare}"}
    site.store.put("attribute", doc)
    return Answer(201, _attribute(call, doc), {"Location": f"{call.api}/products/attributes/{doc['id']}"})


def remove_attribute(site: Site, call: Call, number: int) -> Answer:
    doc = _known(site, number)
    return removed(site, call, "attribute", number, _attribute(call, doc))


def terms(site: Site, call: Call, number: int) -> Answer:
    _known(site, number)
    return listed(site, call, f"term {number}", lambda doc: _term(call, number, doc))


def remove_term(site: Site, call: Call, attribute: int, number: int) -> Answer:
    _known(site, attribute)
    doc = the_term(site, f"term {attribute}", number)
    return removed(site, call, f"term {attribute}", number, _term(call, attribute, doc))


def new_term(site: Site, call: Call, number: int) -> Answer:
    _known(site, number)
    name = text.clean(fields_of(call).get("name") or "")
    found = site.store.find("kind = ? AND status = ?", (f"term {number}", name.casefold()))
    if not name:
        raise NotSimulated("a term without a name")
    if found:
        message = "A term with the name provided already exists in this taxonomy."
        raise Refusal("term_exists", message, 400, resource_id=found[0]["id"])
    doc = taxonomy.add_term(site, number, name)
    address = f"{call.api}/products/attributes/{number}/terms/{doc['id']}"
    return Answer(201, _term(call, number, doc), {"Location": address})


def listed(site: Site, call: Call, kind: str, show: Callable[[Fields], Fields]) -> Answer:
    """A page of terms by name or id, which may be narrowed by `parent`, `slug`, `include` and `search`."""
    query = listing.checked(call, schema.PAGES, also=("slug", "search"))
    where, values = ["kind = ?"], list[Any]([kind])
    if query.get("parent"):
        where.append("parent = ?")
        values.append(coerce.integer(query["parent"]))
    if query.get("slug"):
        where.append("slug = ?")
        values.append(text.slug(query["slug"]))
    if query.get("search"):
        where.append("(instr(lower(json_extract(doc, '$.name')), ?) OR instr(slug, ?))")
        values += [query["search"].lower()] * 2
    if query.get("include"):
        listing.among(query["include"], "id", where, values)
    order = None if query.get("orderby") == "id" else "json_extract(doc, '$.name') COLLATE NOCASE"
    return listing.page(site, call, " AND ".join(where), values, query, show, order=order)


def the_term(site: Site, kind: str, number: int) -> Fields:
    doc = site.store.get(kind, number)
    if doc is None:
        raise Refusal("woocommerce_rest_term_invalid", "Resource does not exist.", 404)
    return doc


def removed(site: Site, call: Call, kind: str, number: int, shown: Fields) -> Answer:
    """Terms know no trash: without `force` nothing is done."""
    if call.query.get("force") not in ("true", "1"):
        message = "Resource does not support trashing."
        raise Refusal("woocommerce_rest_trash_not_supported", message, 501)
    site.store.drop(kind, number)
    return Answer(200, shown)


def _known(site: Site, number: int) -> Fields:
    doc = site.store.get("attribute", number)
    if doc is None:
        raise Refusal("woocommerce_rest_taxonomy_invalid", "Resource does not exist.", 404)
    return doc


def _category(site: Site, call: Call, doc: Fields) -> Fields:
    up = f"products/categories/{doc['parent']}" if doc["parent"] else None
    return {
        "id": doc["id"],
        "name": doc["name"],
        "slug": doc["slug"],
        "parent": doc["parent"],
        "description": "",
        "display": "default",
        "image": None,
        "menu_order": 0,
        "count": site.store.on_shelf(doc["id"]),
        "_links": links(call, f"products/categories/{doc['id']}", "products/categories", allow=ALLOW, up=up),
    }


def _attribute(call: Call, doc: Fields) -> Fields:
    return {
        "id": doc["id"],
        "name": doc["name"],
        "slug": doc["slug"],
        "type": "select",
        "order_by": "menu_order",
        "has_archives": False,
        "_links": links(call, f"products/attributes/{doc['id']}", "products/attributes", allow=ALLOW),
    }


def _term(call: Call, attribute: int, doc: Fields) -> Fields:
    address = f"products/attributes/{attribute}/terms"
    return {
        "id": doc["id"],
        "name": doc["name"],
        "slug": doc["slug"],
        "description": "",
        "menu_order": 0,
        "count": 0,
        "_links": links(call, f"{address}/{doc['id']}", address, allow=ALLOW),
    }
