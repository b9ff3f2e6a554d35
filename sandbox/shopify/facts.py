"""What a client asks first: the shop, its token's scopes, its places and sales channels, and anything by id."""

from typing import Any

from sandbox.shopify.answers import Fields, not_simulated
from sandbox.shopify.graph import field
from sandbox.shopify.site import APP, Site, connection

_PLANS = {"basic": "Basic", "advanced": "Advanced", "plus": "Shopify Plus", "enterprise": "Shopify Plus"}


@field("QueryRoot.shop", "PublishablePublishPayload.shop", "ProductDeletePayload.shop")
def shop(site: Site, _source: Any, _arguments: Fields) -> Fields:
    plan = site.bucket.plan
    return {
        "__typename": "Shop",
        "id": 1,
        "name": site.name,
        "myshopifyDomain": site.domain,
        "email": "owner@example.com",
        "contactEmail": "owner@example.com",
        "currencyCode": site.currency,
        "enabledPresentmentCurrencies": [site.currency],
        "ianaTimezone": "Europe/Berlin",
        "taxesIncluded": site.tax_included,
        "taxShipping": True,
        "weightUnit": "KILOGRAMS",
        "unitSystem": "METRIC_SYSTEM",
        "url": f"https://{site.domain}",
        "primaryDomain": {"id": 1, "host": site.domain, "url": f"https://{site.domain}"},
        "plan": {
            "publicDisplayName": _PLANS[plan],
            "partnerDevelopment": False,
            "shopifyPlus": plan in ("plus", "enterprise"),
        },
    }


@field("QueryRoot.currentAppInstallation")
def installation(site: Site, _source: Any, _arguments: Fields) -> Fields:
    scopes = [{"handle": scope, "description": scope.replace("_", " ")} for scope in site.scopes]
    app = {"id": APP, "title": "Hub", "handle": "hub"}
    return {"__typename": "AppInstallation", "id": 1, "accessScopes": scopes, "app": app}


@field("QueryRoot.locations", scope="read_locations")
def locations(site: Site, _source: Any, arguments: Fields) -> Fields:
    if arguments.get("query"):
        raise not_simulated("a search for locations")
    every = bool(arguments.get("includeInactive"))
    found = [one for one in site.all("Location") if every or one["isActive"]]
    if arguments.get("sortKey") in (None, "NAME"):
        found.sort(key=lambda one: (str(one["name"]).casefold(), one["id"]))
    elif arguments["sortKey"] != "ID":
        raise not_simulated(f"locations by {arguments['sortKey']}")
    return connection(found, arguments)


@field("QueryRoot.location", scope="read_locations")
def location(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    if arguments.get("id") is None:
        return site.all("Location")[0]
    return site.one("Location", arguments["id"])


@field("Location.isFulfillmentService")
def own_place(_site: Site, place: Fields, _arguments: Fields) -> bool:
    """Every place is the shop's own, but one that is said to be a fulfilment service's."""
    return bool(place.get("service"))


@field("QueryRoot.publications", scope="read_publications")
def publications(site: Site, _source: Any, arguments: Fields) -> Fields:
    if arguments.get("catalogType") not in (None, "APP"):
        return connection([], arguments)
    return connection(site.all("Publication"), arguments)


@field("Publication.catalog")
def catalog(_site: Site, publication: Fields, _arguments: Fields) -> Fields:
    return {
        "__typename": "AppCatalog",
        "id": publication["id"],
        "title": publication["title"],
        "status": "ACTIVE",
        "channel": publication.get("app") or {"id": 580111, "handle": "online_store"},
    }


@field("AppCatalog.apps")
def apps(_site: Site, catalog: Fields, arguments: Fields) -> Fields:
    """The Online Store's is 580111, as its orders tell (shopify.dev, "app_id" of the REST order)."""
    return connection([{"__typename": "App", "title": catalog["title"], **catalog["channel"]}], arguments)


@field("QueryRoot.node")
def node(site: Site, _source: Any, arguments: Fields) -> Fields | None:
    return site.any(arguments["id"])


@field("QueryRoot.nodes")
def nodes(site: Site, _source: Any, arguments: Fields) -> list[Fields | None]:
    return [site.any(one) for one in arguments["ids"]]
