"""Categories, and global attributes with their terms.

Their refusals were recorded; their full shape is the one WooCommerce's public REST reference documents
(https://woocommerce.github.io/woocommerce-rest-api-docs/#product-categories).
"""

from sandbox.woocommerce import coerce, listing, product_write, schema, text
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.site import Site, links

_ALLOW = "GET, POST, PUT, PATCH, DELETE"
_NEW_CATEGORY = {"name": schema.STRING, "slug": schema.STRING, "parent": schema.INTEGER}
_NEW_ATTRIBUTE = {"name": schema.STRING, "slug": schema.STRING, "type": schema.STRING}


def categories(site: Site, call: Call) -> Answer:
    query = listing.checked(call, schema.PAGES)
    where, values = ["kind = 'category'"], []
    if query.get("parent"):
        where.append("parent = ?")
        values.append(coerce.integer(query["parent"]))
    return listing.page(
        site,
        call,
        " AND ".join(where),
        values,
        query,
        lambda doc: _category(site, call, doc),
        order="json_extract(doc, '$.name') COLLATE NOCASE",
    )


def category(site: Site, call: Call, number: int) -> Answer:
    doc = site.store.get("category", number)
    if doc is None:
        raise Refusal("woocommerce_rest_term_invalid", "Resource does not exist.", 404)
    return Answer(200, _category(site, call, doc))


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


def terms(site: Site, call: Call, number: int) -> Answer:
    _known(site, number)
    query = listing.checked(call, schema.PAGES)
    return listing.page(
        site,
        call,
        "kind = ?",
        [f"term {number}"],
        query,
        lambda doc: _term(call, number, doc),
        order="json_extract(doc, '$.name') COLLATE NOCASE",
    )


def new_term(site: Site, call: Call, number: int) -> Answer:
    _known(site, number)
    name = text.clean(fields_of(call).get("name") or "")
    found = site.store.find("kind = ? AND status = ?", (f"term {number}", name.casefold()))
    if not name:
        raise NotSimulated("a term without a name")
    if found:
        message = "A term with the name provided already exists in this taxonomy."
        raise Refusal("term_exists", message, 400, resource_id=found[0]["id"])
    doc = product_write.add_term(site, number, name)
    address = f"{call.api}/products/attributes/{number}/terms/{doc['id']}"
    return Answer(201, _term(call, number, doc), {"Location": address})


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
        "_links": links(call, f"products/categories/{doc['id']}", "products/categories", allow=_ALLOW, up=up),
    }


def _attribute(call: Call, doc: Fields) -> Fields:
    return {
        "id": doc["id"],
        "name": doc["name"],
        "slug": doc["slug"],
        "type": "select",
        "order_by": "menu_order",
        "has_archives": False,
        "_links": links(call, f"products/attributes/{doc['id']}", "products/attributes", allow=_ALLOW),
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
        "_links": links(call, f"{address}/{doc['id']}", address, allow=_ALLOW),
    }
