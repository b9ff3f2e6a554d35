"""Access tokens: one that was made by hand and never ends, and those of grants, which end after an hour and are renewed.

Sources: shopify.dev, "About offline access tokens", and its changelog of 28 August 2026, "More resilient refreshes":
a used refresh token lives on until its replacement is used, at most 30 days, and 90 days in all.
"""

import secrets

from sandbox.shopify.answers import Fields
from sandbox.shopify.site import Site, new_token

LIFE = 3600
REFRESH_LIFE = 90 * 86400
RETRY_LIFE = 30 * 86400


def opens(site: Site, given: str) -> bool:
    """Whether a token lets its holder in now."""
    lasting = site.fact("access_token")
    if secrets.compare_digest(given.encode(), lasting.encode()):
        return site.store.fact("expired") != lasting
    found = _held(site, "Token", given)
    return found is not None and found["expires"] > site.now()


def plain(site: Site) -> Fields:
    """The token that does not expire, made anew where it had been taken back."""
    if site.store.fact("expired") == site.fact("access_token"):
        site.store.remember("access_token", new_token())
    return {"access_token": site.fact("access_token"), "scope": ",".join(site.scopes)}


def issue(site: Site, replaces: int | None = None) -> Fields:
    """A pair of an access token and the refresh token that renews it."""
    moment = site.now()
    access, renewal = new_token(), "shprt_" + secrets.token_hex(16)
    number = site.number("Token")
    site.put("Token", {"id": number, "slug": access, "expires": moment + LIFE})
    refresh = {"id": number, "slug": renewal, "parent": replaces, "expires": moment + REFRESH_LIFE}
    site.put("RefreshToken", refresh)
    return {
        "access_token": access,
        "scope": ",".join(site.scopes),
        "expires_in": LIFE,
        "refresh_token": renewal,
        "refresh_token_expires_in": REFRESH_LIFE,
    }


def renew(site: Site, given: str) -> Fields | None:
    """Another pair for a refresh token, or None where it is not good. The one that it replaced is retired by this."""
    held = _held(site, "RefreshToken", given)
    if held is None or held["expires"] <= site.now():
        return None
    if held["parent"] is not None:
        site.store.drop("RefreshToken", held["parent"])
    held["expires"] = min(held["expires"], held.setdefault("used", site.now()) + RETRY_LIFE)
    site.put("RefreshToken", held)
    return issue(site, held["id"])


def expire(site: Site) -> None:
    """No access token of now is good any more; refresh tokens are."""
    site.store.remember("expired", site.fact("access_token"))
    for one in site.all("Token"):
        site.store.drop("Token", one["id"])


def revoke(site: Site) -> None:
    """Nothing that was ever given lets anybody in: the app was taken out of the shop."""
    expire(site)
    for kind in ("RefreshToken", "Code"):
        for one in site.all(kind):
            site.store.drop(kind, one["id"])


def _held(site: Site, kind: str, given: str) -> Fields | None:
    return next(iter(site.all(kind, "slug = ?", given)), None) if given else None
