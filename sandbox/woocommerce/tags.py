"""Tags: a flat list of words that products carry, made by name inside a product's own request or at their address.

As WooCommerce's Version1/class-wc-rest-terms-controller.php and, for a product's list, its
Version3/class-wc-rest-products-controller.php have it; shapes from developer.woocommerce.com, "Product tags".
"""

from sandbox.woocommerce import schema, taxonomy, terms
from sandbox.woocommerce.answers import Answer, Call, Fields, NotSimulated, Refusal, fields_of
from sandbox.woocommerce.site import Site, links

_NEW = {"name": schema.STRING, "slug": schema.STRING, "description": schema.STRING}


def tags(site: Site, call: Call) -> Answer:
    return terms.listed(site, call, "tag", lambda doc: _view(site, call, doc))


def tag(site: Site, call: Call, number: int) -> Answer:
    return Answer(200, _view(site, call, terms.the_term(site, "tag", number)))


def new_tag(site: Site, call: Call) -> Answer:
    fields = fields_of(call)
    schema.check(fields, _NEW)
    name = taxonomy.tag_name(fields.get("name"))
    if not name:
        raise NotSimulated("a tag without a name")
    found = taxonomy.known_tag(site, name)
    if found is not None:
        message = "A term with the name provided already exists in this taxonomy."
        raise Refusal("term_exists", message, 400, resource_id=found["id"])
    doc = taxonomy.add_tag(site, name, str(fields.get("slug") or ""))
    return Answer(201, _view(site, call, doc), {"Location": f"{call.api}/products/tags/{doc['id']}"})


def remove_tag(site: Site, call: Call, number: int) -> Answer:
    doc = terms.the_term(site, "tag", number)
    return terms.removed(site, call, "tag", number, _view(site, call, doc))


def _view(site: Site, call: Call, doc: Fields) -> Fields:
    return {
        "id": doc["id"],
        "name": doc["name"],
        "slug": doc["slug"],
        "description": "",
        "count": site.store.on_shelf(doc["id"]),
        "_links": links(call, f"products/tags/{doc['id']}", "products/tags", allow=terms.ALLOW),
    }
