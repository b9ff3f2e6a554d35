"""Metafields and their definitions: a client's own keys on products and variants, unique where so defined."""

import json
from typing import Any

from graphql import GraphQLError

from sandbox.shopify.answers import Fields, UserError, not_simulated, only
from sandbox.shopify.graph import field, mutation
from sandbox.shopify.site import APP, Site, connection, gid

_OWNERS = {"Product": "PRODUCT", "ProductVariant": "PRODUCTVARIANT", "Order": "ORDER"}
_UNIQUE_ONLY = "Metafield definition of type 'id' is required when using custom ids."


def full(namespace: str | None) -> str:
    """The namespace as stored: `$app` stands for the app's own."""
    given = namespace or "$app"
    return given.replace("$app", f"app--{APP}", 1) if given.startswith("$app") else given


def put(site: Site, owner: Fields, given: Fields) -> Fields:
    """Sets one. Raises UserError for one without key, type or a value that is taken."""
    namespace, key, value = full(given.get("namespace")), given.get("key"), given.get("value")
    definition = _definition(site, owner["__typename"], namespace, str(key))
    kind = given.get("type") or (definition and definition["type"])
    if not key or not kind or value in (None, ""):
        raise UserError("Key, type and value can't be blank", "INVALID_METAFIELD", "metafields")
    if definition and definition["type"] != kind:
        raise UserError(f"Type must be {definition['type']}", "INVALID_METAFIELD", "metafields")
    if kind == "json" and not _is_json(value):
        raise UserError("Value is invalid JSON", "INVALID_METAFIELD", "metafields")
    if definition and definition["unique"]:
        holder = _holder(site, owner["__typename"], namespace, key, str(value))
        if holder not in (None, owner["id"]):
            raise UserError(
                "Value is already assigned to another metafield", "DUPLICATED_METAFIELD_VALUE", "metafields"
            )
    found = _of(site, owner, namespace, key) or site.new(
        "Metafield", parent=owner["id"], namespace=namespace, key=key, owner=owner["__typename"]
    )
    found.update(value=str(value), type=kind, slug=_slug(owner["__typename"], namespace, key, str(value)))
    found["ownerType"] = _OWNERS[owner["__typename"]]
    site.touch(found)
    return found


def add(site: Site, owner: Fields, given: Fields) -> Fields:
    """One that its owner has already is meant by its id; without one it is made anew."""
    if given.get("id"):
        held = site.one("Metafield", given["id"])
        if held is None or held["parent"] != owner["id"]:
            raise UserError("Metafield does not exist", "INVALID_METAFIELD", "product", "metafields")
        return put(site, owner, {**given, "namespace": held["namespace"], "key": held["key"]})
    if _of(site, owner, full(given.get("namespace")), str(given.get("key"))):
        message = "Key must be unique within this namespace on this resource"
        raise UserError(message, "INVALID_METAFIELD", "product", "metafields")
    return put(site, owner, given)


def put_all(site: Site, owner: Fields, given: list[Fields]) -> None:
    """These and no others: what is left out is deleted, as productSet does."""
    kept = {put(site, owner, one)["id"] for one in given}
    for one in of(site, owner):
        if one["id"] not in kept:
            site.store.drop("Metafield", one["id"])


def drop_all(site: Site, owner: Fields) -> None:
    for one in of(site, owner):
        site.store.drop("Metafield", one["id"])


def of(site: Site, owner: Fields) -> list[Fields]:
    return [
        one for one in site.all("Metafield", "parent = ?", owner["id"]) if one["owner"] == owner["__typename"]
    ]


def named(site: Site, kind: str, custom: Fields) -> int | None:
    """Whose custom id it is. Raises where no definition makes that key an id."""
    namespace = full(custom.get("namespace"))
    definition = _definition(site, kind, namespace, custom["key"])
    if not definition or definition["type"] != "id":
        raise GraphQLError(_UNIQUE_ONLY, extensions={"code": "NOT_FOUND"})
    return _holder(site, kind, namespace, custom["key"], custom["value"])


@mutation("metafieldDefinitionCreate", scope="write_products")
def create_definition(site: Site, _source: Any, arguments: Fields) -> Fields:
    wish = arguments["definition"]
    only(
        wish,
        "a metafield definition",
        *["name", "namespace", "key", "type", "ownerType", "description", "capabilities", "access", "pin"],
    )
    kind = next((kind for kind, owner in _OWNERS.items() if owner == wish["ownerType"]), None)
    if kind is None:
        raise not_simulated(f"metafields of {wish['ownerType']}")
    namespace = full(wish.get("namespace"))
    if _definition(site, kind, namespace, wish["key"]):
        raise UserError(
            f"Key is in use for {kind} metafields on the '{namespace}' namespace.",
            "TAKEN",
            "definition",
            "key",
        )
    asked = ((wish.get("capabilities") or {}).get("uniqueValues") or {}).get("enabled")
    made = site.new(
        "MetafieldDefinition",
        name=wish["name"],
        namespace=namespace,
        key=wish["key"],
        type=wish["type"],
        unique=bool(asked) or wish["type"] == "id",
        ownerType=wish["ownerType"],
        description=wish.get("description"),
        slug=f"{kind} {namespace}.{wish['key']}",
    )
    site.put("MetafieldDefinition", made)
    return {"createdDefinition": made, "userErrors": []}


@mutation("metafieldDefinitionDelete", scope="write_products")
def delete_definition(site: Site, _source: Any, arguments: Fields) -> Fields:
    """With the values: an id's definition cannot go without them."""
    only(arguments, "the end of a definition", "id", "deleteAllAssociatedMetafields")
    found = site.one("MetafieldDefinition", arguments.get("id"))
    if found is None:
        raise UserError("Definition not found.", "NOT_FOUND", "id")
    if not arguments.get("deleteAllAssociatedMetafields"):
        message = "Deleting an id type metafield definition requires deletion of its associated metafields."
        raise UserError(message, "ID_TYPE_DELETION_ERROR", "deleteAllAssociatedMetafields")
    for one in site.all("Metafield"):
        if (one["namespace"], one["key"], _OWNERS[one["owner"]]) == (found["namespace"], found["key"], found["ownerType"]):  # fmt: skip
            site.store.drop("Metafield", one["id"])
    site.store.drop("MetafieldDefinition", found["id"])
    return {"deletedDefinitionId": gid("MetafieldDefinition", found["id"]), "userErrors": []}


@field("MetafieldDefinition.type")
def definition_type(_site: Site, definition: Fields, _arguments: Fields) -> Fields:
    return {"name": definition["type"], "category": "STRING"}


@field("QueryRoot.metafieldDefinitions")
def definitions(site: Site, _source: Any, arguments: Fields) -> Fields:
    if arguments.get("query"):
        raise not_simulated("a search for metafield definitions")
    rows = [one for one in site.all("MetafieldDefinition") if one["ownerType"] == arguments["ownerType"]]
    if arguments.get("namespace"):
        rows = [one for one in rows if one["namespace"] == full(arguments["namespace"])]
    if arguments.get("key"):
        rows = [one for one in rows if one["key"] == arguments["key"]]
    return connection(rows, arguments)


@mutation("metafieldsSet", scope="write_products")
def set_metafields(site: Site, _source: Any, arguments: Fields) -> Fields:
    made = []
    if len(arguments["metafields"]) > 25:
        raise UserError(
            "Exceeded the maximum metafields input limit of 25.", "LESS_THAN_OR_EQUAL_TO", "metafields"
        )
    for at, one in enumerate(arguments["metafields"]):
        only(one, "metafieldsSet", "ownerId", "namespace", "key", "type", "value")
        owner = site.any(one["ownerId"])
        if owner is None or owner["__typename"] not in _OWNERS:
            raise UserError("Owner does not exist.", "INVALID", "metafields", str(at), "ownerId")
        try:
            made.append(put(site, owner, one))
        except UserError as error:
            # The codes of productSet are others than those of this mutation.
            code = "CAPABILITY_VIOLATION" if error.code == "DUPLICATED_METAFIELD_VALUE" else "INVALID_VALUE"
            raise UserError(str(error), code, "metafields", str(at), "value") from None
    return {"metafields": made, "userErrors": []}


@field("Product.metafield", "ProductVariant.metafield", "Order.metafield")
def metafield(site: Site, owner: Fields, arguments: Fields) -> Fields | None:
    return _of(site, owner, full(arguments.get("namespace")), arguments["key"])


@field("Product.metafields", "ProductVariant.metafields", "Order.metafields")
def metafields(site: Site, owner: Fields, arguments: Fields) -> Fields:
    rows = of(site, owner)
    if arguments.get("namespace"):
        rows = [one for one in rows if one["namespace"] == full(arguments["namespace"])]
    if arguments.get("keys"):
        rows = [one for one in rows if f"{one['namespace']}.{one['key']}" in arguments["keys"]]
    return connection(rows, arguments)


@field("Metafield.owner")
def owner_of(site: Site, one: Fields, _arguments: Fields) -> Fields | None:
    return site.one(one["owner"], gid(one["owner"], one["parent"]))


def _of(site: Site, owner: Fields, namespace: str, key: str) -> Fields | None:
    return next((one for one in of(site, owner) if (one["namespace"], one["key"]) == (namespace, key)), None)


def _definition(site: Site, kind: str, namespace: str, key: str) -> Fields | None:
    found = site.all("MetafieldDefinition", "slug = ?", f"{kind} {namespace}.{key}")
    return found[0] if found else None


def _holder(site: Site, kind: str, namespace: str, key: str, value: str) -> int | None:
    found = site.all("Metafield", "slug = ?", _slug(kind, namespace, key, value))
    return found[0]["parent"] if found else None


def _is_json(value: Any) -> bool:
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return False
    return True


def _slug(kind: str, namespace: str, key: str, value: str) -> str:
    return f"{kind} {namespace}.{key}={value}"
