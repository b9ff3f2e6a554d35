"""How a shop is connected: its owner agrees on the shop's own page, or gives a key; tokens that end are renewed here.

A connection that was begun is known by the hash of a token that only its owner carries; it counts once and for an hour.
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from connectors.base import ShopFacts
from connectors.registry import SHOPS
from connectors.shops.shopify import grant as shopify
from connectors.shops.shopify.client import site_of as shopify_site_of
from connectors.shops.woocommerce import grant as woocommerce
from connectors.shops.woocommerce.client import site_of
from core.clock import now
from core.database import Database, UnitOfWork
from core.errors import EntrepotError, Misconfigured, Refused, there_is
from core.settings import Settings, load
from core.vault import load_vault
from models.events import HooksDue, ListingsDue
from models.shops import ConnectionRequest, Listing, Shop

LIFE = timedelta(hours=1)
"""How long a begun connection waits for its owner: he may have to look for his password."""
FORGET = timedelta(days=7)
BEFORE = timedelta(minutes=5)
"""So long before its end a token is renewed."""
APP_NAME = "Entrepot"
GRANTS = ("shopify", "woocommerce")
DISCONNECTED = (
    "It was disconnected: its key is forgotten. Connect it anew, or its orders and listings stay as they are."
)
UNINSTALLED = (
    "The shop removed the hub's app: connect the shop anew, or its orders and listings stay as they are."
)
TAKEN_BACK = (
    "The shop gives the hub no access any more: connect it anew, or its orders and listings stay as they are."
)
AWAY = (DISCONNECTED, UNINSTALLED, TAKEN_BACK)
"""The problems of a shop with which nothing can be done before it is connected anew."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants to connect what. `seller_id` is a company's; `ca_file` the authority of a shop with a certificate of its own."""

    seller_id: int
    channel: str
    name: str
    url: str
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What a shop told, and what opens it: the connector's `key` and `secret`, with `refresh` where they are renewed."""

    facts: ShopFacts
    credentials: dict[str, Any] = field(repr=False)
    renews_at: datetime | None = None


def begin(uow: UnitOfWork, settings: Settings, wish: Wish, session: bytes | None = None) -> str:
    """The page of the shop on which its owner agrees. With `session` only this signed-in browser can come back from it.

    Raises Misconfigured where the operator or the address is not ready for it.
    """
    name = " ".join(wish.name.split())
    if not name or len(name) > 100:
        raise Refused("A shop needs a name of at most 100 characters.", rule="name")
    token = secrets.token_urlsafe(32)
    uow.cursor().execute("DELETE FROM connection_request WHERE created_at < %s", [now() - FORGET])
    if wish.channel == "shopify":
        site = shopify_site(settings, wish.url)
        back = f"{settings.own_url}/connect/shopify"
        address = shopify.authorize_url(site, app_of(settings).client_id, shopify.SCOPES, back, token)
    elif wish.channel == "woocommerce":
        site = woo_site(settings, wish.url)
        if not settings.own_url.startswith("https://") and not _private(settings, site):
            raise Misconfigured(
                "WooCommerce sends its keys to https addresses only: set ENTREPOT_PUBLIC_URL to the hub's, or paste a key "
                "made under WooCommerce → Settings → Advanced → REST API."
            )
        address = woocommerce.authorize_url(
            site, app_name=APP_NAME, state=token, return_url=f"{settings.own_url}/connect/woocommerce",
            callback_url=f"{settings.own_url}/connect/woocommerce/{token}",
        )  # fmt: skip
    else:
        raise Refused(f"A shop of channel {wish.channel!r} is connected by its key.", rule="channel")
    session = session if wish.channel == "shopify" else None  # WooCommerce itself calls, not the browser
    uow.session.add(
        ConnectionRequest(
            token_hash=hash_of(token, session), seller_id=wish.seller_id, channel=wish.channel, name=name, url=site,
            ca_file=wish.ca_file,
        )
    )  # fmt: skip
    return address


def anew(settings: Settings, shop: Shop) -> Wish:
    """The wish that connects a stored shop once more, by the same name and address."""
    return Wish(shop.seller_id, shop.channel, shop.name, shop.url, _authority(settings, shop))


def agreed_on_shopify(
    db: Database, settings: Settings, query: Mapping[str, str], session: bytes | None
) -> int:
    """The owner came back with a code: the shop's number. Raises Refused where Shopify did not send him, or not from this
    browser's request, and where he did not agree to all that the hub needs."""
    app = app_of(settings)
    if not shopify.verify_query_hmac(query, app.client_secret):
        raise Refused(
            "This address does not carry Shopify's signature. Connect the shop anew.", rule="signature"
        )
    state = query.get("state", "")
    wish, name = _taken(db, [hash_of(state, session), hash_of(state)])
    try:
        if query.get("shop", "").casefold() != urlsplit(wish.url).netloc.casefold():
            raise Refused("Another shop answered than the one that was asked. Connect it anew.", rule="grant")
        tokens = shopify.exchange(
            wish.url, app.client_id, app.client_secret, query.get("code", ""), **_way(settings, wish.ca_file)
        )
        if missing := shopify.missing_scopes(tokens.scopes):
            raise Misconfigured(
                f"The shop did not grant {', '.join(missing)}, without which the hub cannot keep it. Connect it anew and "
                "agree to all; the app at Shopify must ask for the same."
            )
        credentials = {
            "key": tokens.access, "secret": app.client_secret, "ca_file": wish.ca_file, "refresh": tokens.refresh,
        }  # fmt: skip
        facts = asked(settings, "shopify", wish.url, credentials)
        return _ended(db, settings, name, wish, Opened(facts, credentials, tokens.expires_at))
    except EntrepotError as error:
        _failed(db, name, str(error))
        raise


def agreed_on_woocommerce(db: Database, settings: Settings, token: str, body: bytes) -> int:
    """The shop sent its keys: its number. Raises Refused where it was not asked; then the shop takes them back."""
    keys = woocommerce.keys_of(body, token)
    wish, name = _taken(db, [hash_of(token)])
    try:
        credentials = {"key": keys.key, "secret": keys.secret, "ca_file": wish.ca_file}
        facts = asked(settings, "woocommerce", wish.url, credentials)
        return _ended(db, settings, name, wish, Opened(facts, credentials))
    except EntrepotError as error:
        _failed(db, name, str(error))
        raise


def outcome_of(uow: UnitOfWork, token: str) -> ConnectionRequest | None:
    """How a begun connection stands, for the owner who comes back; None where there was none."""
    found = uow.session.get(ConnectionRequest, hash_of(token))
    uow.session.expunge_all()
    return found


def asked(settings: Settings, channel: str, url: str, credentials: Mapping[str, Any]) -> ShopFacts:
    """What the shop says of itself with this key. No unit of work may be open."""
    return SHOPS[channel](url, **arguments(settings, url, credentials)).check()


def arguments(settings: Settings, url: str, credentials: Mapping[str, Any]) -> dict[str, Any]:
    """What a channel's class is opened with: the key, and the operator's exceptions for this address."""
    given = {name: value for name, value in credentials.items() if name != "refresh"}
    if urlsplit(url).scheme == "http" and urlsplit(url).hostname in settings.insecure_shop_names:
        given["insecure_http"] = True
    return {**given, "private_hosts": settings.private_host_names}


def keep(uow: UnitOfWork, settings: Settings, wish: Wish, opened: Opened) -> Shop:
    """Stores a shop that answered; the same name of a seller gets the new key and goes on where it stopped.

    Raises Refused where that shop is another one, whose listings are there.
    """
    name = " ".join(wish.name.split())
    found = uow.session.scalars(
        select(Shop).filter_by(seller_id=wish.seller_id, name=name).with_for_update(key_share=True)
    ).first()
    shop = found or Shop(seller_id=wish.seller_id, name=name)
    sent = select(Listing.id).where(Listing.shop_id == shop.id, Listing.external_id.is_not(None)).limit(1)
    there = found is not None and uow.session.scalar(sent) is not None
    if there and (shop.channel, _host(shop.url)) != (wish.channel, _host(wish.url)):
        raise Refused(
            f"Shop {name!r} is {shop.url} and has listings there: give {wish.url} a name of its own.",
            rule="name",
        )
    # What was only adopted waits for its first push, which a person lets go.
    pushed = uow.session.scalar(sent.where(Listing.state != "waiting")) is not None
    stopped = there and pushed and shop.live_since is None and shop.problem is not None
    shop.channel, shop.url = wish.channel, wish.url
    shop.currency, shop.facts = opened.facts.currency, _facts(opened.facts, shop.facts if there else {})
    shop.credentials, shop.renews_at = load_vault(settings).seal(opened.credentials), opened.renews_at
    shop.problem, shop.checked_at = None, now()
    uow.session.add(shop)
    uow.session.flush()
    if stopped:
        shop.live_since = now()
    if found is not None and shop.live_since is not None:
        # What changed while nobody could reach it: its calls are looked after, orders swept, listings planned.
        uow.emit(HooksDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
        uow.emit(ListingsDue(tenant=shop.seller_id, lane=shop.lane, shop_id=shop.id))
    return shop


def _facts(told: ShopFacts, before: Mapping[str, Any]) -> dict[str, Any]:
    """As they are stored. The place that keeps our stock stays the first one: another would be sold on top of it."""
    facts, kept = asdict(told), (before.get("location_ids") or (None,))[0]
    if kept in told.location_ids:
        order = sorted(zip(told.location_ids, told.locations, strict=True), key=lambda one: one[0] != kept)
        facts["location_ids"], facts["locations"] = map(list, zip(*order, strict=True))
    return facts


def disconnect(uow: UnitOfWork, shop_id: int) -> Shop:
    """Forgets a shop's key: nothing goes there any more. Its listings and orders stay, and connecting it anew goes on."""
    shop = there_is(uow.session.get(Shop, shop_id, with_for_update={"key_share": True}), f"Shop {shop_id}")
    put_away(shop, DISCONNECTED)
    # No secret, and without it a shop with a certificate of its own could not be connected anew by a click.
    shop.facts = {**shop.facts, "ca_file": _authority(load(), shop)}
    shop.credentials, shop.renews_at = b"", None
    return shop


def put_away(shop: Shop, why: str) -> None:
    """Nothing is done in the shop by itself until it is connected anew."""
    shop.live_since, shop.problem = None, why


def renewed(db: Database, shop: Shop, settings: Settings) -> Shop:
    """The shop with credentials that still hold; they are renewed where they end within BEFORE.

    No unit of work may be open. Of two that renew at once the first wins and the other takes its tokens. Raises
    Misconfigured where the owner took the access back.
    """
    if shop.renews_at is None or shop.renews_at > now() + BEFORE:
        return shop
    vault = load_vault(settings)
    held = vault.open(shop.credentials)
    try:
        app = app_of(settings)
        way = _way(settings, held.get("ca_file"))
        tokens = shopify.refresh(shop.url, app.client_id, app.client_secret, str(held.get("refresh")), **way)
    except (Refused, Misconfigured) as error:
        newest, ends = _stored(db, shop.id)
        if newest == shop.credentials:
            problem = TAKEN_BACK if isinstance(error, Refused) else str(error)
            with db.unit_of_work() as uow:
                stored = uow.session.get_one(Shop, shop.id)
                if isinstance(error, Refused):
                    put_away(stored, problem)
                stored.problem = problem
            raise Misconfigured(problem) from None
        shop.credentials, shop.renews_at = newest, ends
        return shop
    sealed = vault.seal({**held, "key": tokens.access, "refresh": tokens.refresh or held.get("refresh")})
    with db.unit_of_work() as uow:
        uow.cursor().execute(
            "UPDATE shop SET credentials = %s, renews_at = %s WHERE id = %s AND credentials = %s",
            [sealed, tokens.expires_at, shop.id, shop.credentials],
        )
    shop.credentials, shop.renews_at = _stored(db, shop.id)
    return shop


@dataclass(frozen=True, slots=True)
class App:
    """The operator's app at Shopify, as its Dev Dashboard shows it."""

    client_id: str
    client_secret: str = field(repr=False)


def app_of(settings: Settings) -> App:
    """The operator's app. Raises Misconfigured where he has none."""
    if not settings.shopify_client_id or not settings.shopify_client_secret:
        raise Misconfigured(
            "This hub has no app at Shopify yet: the operator sets ENTREPOT_SHOPIFY_CLIENT_ID and "
            "ENTREPOT_SHOPIFY_CLIENT_SECRET, or the access token of a custom app is pasted."
        )
    return App(settings.shopify_client_id, settings.shopify_client_secret)


def shopify_site(settings: Settings, url: str) -> str:
    """The shop's address, https://NAME.myshopify.com; a name alone will do. Raises Misconfigured for any other host that
    is none of the operator's exceptions: the client secret goes there."""
    url = whole(url)
    site = shopify_site_of(url if re.search(r"[./:]", url) else f"{url}.myshopify.com")
    host = urlsplit(site).netloc
    if not shopify.is_shopify(host, settings.private_host_names):
        raise Misconfigured(
            f"{host} is not a shop's own name at Shopify. Enter the one that ends in .myshopify.com: Shopify shows it under "
            "Settings → Domains."
        )
    return site


def woo_site(settings: Settings, url: str) -> str:
    """The shop's address without what people paste along; http only where the operator allows it for this host."""
    allowed = urlsplit(whole(url)).hostname in settings.insecure_shop_names
    return site_of(url, insecure_http=allowed)


def whole(url: str) -> str:
    """An address as it was entered, without spaces around it. Raises Refused where it is none at all."""
    url = url.strip()
    try:
        port = urlsplit(url if "://" in url else f"https://{url}").port
    except ValueError:
        port = 0
    if port == 0:
        raise Refused(f"{url!r} is no address; write it like https://shop.example.", rule="url")
    return url


def hash_of(token: str, session: bytes | None = None) -> str:
    """What the table holds instead of a token; a session's digest binds it to that browser."""
    return hashlib.sha256(token.encode() + (session or b"")).hexdigest()


def _taken(db: Database, hashes: list[str]) -> tuple[Wish, str]:
    """The request that waits under one of the hashes, which is then used up."""
    with db.unit_of_work() as uow:
        found = uow.session.scalars(
            select(ConnectionRequest)
            .where(
                ConnectionRequest.token_hash.in_(hashes),
                ConnectionRequest.used_at.is_(None),
                ConnectionRequest.created_at > now() - LIFE,
            )
            .with_for_update()
        ).first()
        if found is None:
            raise Refused(
                "This connection was not begun here, was used already, or waited longer than an hour. Begin it anew.",
                rule="state",
            )
        found.used_at = now()
        wish = Wish(found.seller_id, found.channel, found.name, found.url, found.ca_file)
        return wish, found.token_hash


def _ended(db: Database, settings: Settings, token_hash: str, wish: Wish, opened: Opened) -> int:
    with db.unit_of_work() as uow:
        shop = keep(uow, settings, wish, opened)
        uow.session.get_one(ConnectionRequest, token_hash).shop_id = shop.id
        return shop.id


def _failed(db: Database, token_hash: str, problem: str) -> None:
    with db.unit_of_work() as uow:
        uow.session.get_one(ConnectionRequest, token_hash).problem = problem


def _stored(db: Database, shop_id: int) -> tuple[bytes, datetime | None]:
    with db.unit_of_work() as uow:
        stored = uow.session.get_one(Shop, shop_id)
        return stored.credentials, stored.renews_at


def _authority(settings: Settings, shop: Shop) -> str | None:
    """The file of the shop's own certificate authority: sealed with its key, or kept when that was forgotten. None where
    the key cannot be opened any more: then it is given anew with a new one."""
    try:
        held = load_vault(settings).open(shop.credentials) if shop.credentials else shop.facts
    except Misconfigured:
        return None
    found: str | None = held.get("ca_file")
    return found


def _host(url: str) -> str | None:
    return urlsplit(url if "://" in url else f"https://{url}").hostname


def _way(settings: Settings, ca_file: str | None) -> dict[str, Any]:
    return {"private_hosts": settings.private_host_names, "ca_file": ca_file}


def _private(settings: Settings, url: str) -> bool:
    return urlsplit(url).hostname in settings.private_host_names
