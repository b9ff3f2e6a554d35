"""What every page needs: the database, the signed-in browser, its form token, and the finished page."""

import secrets
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, File, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.clock import now
from core.database import Database
from core.errors import EntrepotError, Refused
from core.queues import count_dead_letters
from core.settings import Settings
from web import formats
from web.auth import SignedIn, find_session
from web.rendering import render

NAV = (
    ("Overview", "/", "layout-dashboard", "o"),
    ("Queues", "/queues", "stack-2", "q"),
    ("Feeds", "/feeds", "truck-delivery", "f"),
    ("Products", "/products", "package", "p"),
    ("Shops", "/shops", "building-store", "s"),
    ("Orders", "/orders", "shopping-cart", "r"),
    ("Money", "/money", "coins", "m"),
    ("Dead letters", "/dead-letters", "mail-x", "d"),
)
"""(word, address, icon, key after `g`): the pages there are."""

ON_PHONES = ("Overview", "Orders", "Money")
"""What a phone's bottom bar has beside "More"."""

SAYINGS = {
    "approved": "The run may pass; its differences are being written.",
    "added": "The feed is there. Send its first file, or let the hub look.",
    "changed": "The settings are stored; the next run follows them. Read the last file again to see what they change.",
    "mapped": "The mapping has a new version; the next run is read by it. Read the last file again to see it in the offers.",
    "mapped_back": "The old version counts again, as a new one.",
    "sourced": "The source is stored. Test it: the hub says at once what it finds there.",
    "connected": "The shop answered and is connected. Choose products for it, look at the plan, and let it go.",
    "comparing": "What the shop sells is being compared with what is wanted there.",
    "adopted": "Adopted. The next push sets price and stock on them instead of making them anew.",
    "adopted_held": "Adopted. The next push is beyond a limit and waits for you: look at the shop's plan.",
    "adopted_some": "Adopted, but for those whose sentence says why they cannot be: mend them in the shop, or say “Not ours”.",
    "adopted_none": "Nothing was adopted: the sentence beside each says why. Mend it in the shop and compare again, or say “Not ours”.",
    "plan_moved": "The shop changed meanwhile: some of what was chosen is no longer found there and was passed over.",
    "page_ours": "The page is the hub's now: the next push sends its texts and pictures too.",
    "page_stays": "The page is its owner's now: only price and stock are kept true.",
    "privacy_answered": "Noted: the buyer's data was sent.",
    "left": "Noted: these are none of ours.",
    "none_chosen": "Nothing was chosen, so nothing was changed.",
    "settings": "The settings are stored; the shop's listings are being planned.",
    "held": "Held: nothing but stock goes there by itself.",
    "released": "Released: what differs follows by itself.",
    "disconnected": "The shop's key is forgotten. Its listings and orders stay.",
    "taking_back": "The shop is being put back as it was before that push.",
    "checked": "The shop answered; its facts are up to date.",
    "landed": "The file is in the archive and is being read.",
    "unchanged": "This is the file that the offers show already: there is nothing to do.",
    "undoing": "The offers go back to what they were before the run; shops follow.",
    "replaying": "The file is being read with the other mapping; nothing changes before you approve the plan.",
    "mending": "The mended records are being read; they only add to what the run offered.",
    "split": "The offer has a variant of its own now; shops follow.",
    "joined": "The offer belongs to this variant now; shops follow.",
    "category": "That is what the path means from now on; its products follow.",
    "looking": "The hub looks at the feed's source now.",
    "pushing": "The push is on its way.",
    "true": "Nothing differs: the shop holds what is wanted.",
    "verifying": "The shop is being read back.",
    "replayed": "Put back into the queue.",
    "dropped": "Dropped for good.",
    "chosen": "The selection is stored; the shop's listings are being planned.",
    "unchosen": "The selection is ended; the shop's listings are being planned.",
    "ruled": "The rule is stored; what it concerns is being priced anew.",
    "unruled": "The rule is ended; what it priced is being priced anew.",
    "rates": "The rates are loaded; shops that price by them are planned anew.",
    "confirmed": "Noted: the supplier confirmed it.",
    "rejected": "Noted: the supplier will not deliver what was open. Stock and deposit go back.",
    "cancelled": "Noted: what the buyer no longer wants is cancelled at the supplier.",
    "kept": "Noted: the supplier ships it all the same.",
    "again": "It is sent to the supplier anew.",
    "shipped": "Noted: the parcel left. The shop is told, and the money is captured.",
    "refunded": "The seller has his money for these pieces back.",
    "topped_up": "The deposit is credited; orders that waited for it go on.",
    "withdrawn": "Set aside: the transfer joins the next payment file.",
    "given_up": "The withdrawal is given up; the amount is free again.",
    "drafted": "The run is drafted: look at its statements, then lock it.",
    "locked": "The run is locked: its cut-off and its lines are fixed. Approve it to have it paid.",
    "let_pay": "The run is approved; its payment file is being made.",
    "run_cancelled": "The run is given up; its lines go into the next one.",
    "closed": "The run is closed.",
    "maturing": "What outlived its return window is being looked for.",
    "stated": "The bank statement is taken in; its lines are being matched.",
    "allocated": "The money is in the seller's deposit.",
}
"""What a page says once after a form, by the key in its address."""

THEMES = ("auto", "light", "dark")


class NotSignedIn(Exception):
    """The browser has no valid session: app.py sends it to the sign-in page."""


class BadForm(EntrepotError):
    """A form came without its token: from another site, or from a page older than the session."""


def database(request: Request) -> Database:
    """The hub's database."""
    found: Database = request.app.state.db
    return found


def settings_of(request: Request) -> Settings:
    """The settings the app was made with."""
    found: Settings = request.app.state.settings
    return found


def cookie_name(request: Request) -> str:
    """`__Host-` where the page came by https; on plain http a name with the port, since cookies do not tell ports apart."""
    return "__Host-entrepot" if request.url.scheme == "https" else f"entrepot-{request.url.port or 80}"


def signed_in(request: Request) -> SignedIn:
    """The browser's session. Raises NotSignedIn."""
    token = request.cookies.get(cookie_name(request))
    if token:
        with database(request).unit_of_work() as uow:
            found = find_session(uow.session, token)
            request.state.dead = count_dead_letters(uow) if found else 0
        if found is not None:
            request.state.signed_in = found
            return found
    raise NotSignedIn


def checked_form(
    session: Annotated[SignedIn, Depends(signed_in)], csrf: Annotated[str, Form()] = ""
) -> SignedIn:
    """For every route that changes something. Raises BadForm where the form's token is not the session's."""
    check_token(session, csrf)
    return session


def check_token(session: SignedIn, csrf: str) -> None:
    """The check itself, for forms that bring a file."""
    if not secrets.compare_digest(session.csrf.encode(), csrf.encode()):
        raise BadForm("This form is from an older page. Nothing was changed; load the page again and repeat.")


def authority_sent(
    ca_text: Annotated[str, Form()] = "", ca_upload: Annotated[UploadFile | None, File()] = None
) -> str | None:
    """A shop's certificate authority, as a file or pasted; None where neither was given. Raises Refused for no text."""
    try:
        sent = ca_upload.file.read().decode() if ca_upload and ca_upload.filename else ""
    except UnicodeDecodeError:
        raise Refused(
            "That file is no PEM: export the certificate authority as text (Base-64), not as DER.", rule="ca"
        ) from None
    return sent or ca_text or None


Authority = Annotated[str | None, Depends(authority_sent)]
Db = Annotated[Database, Depends(database)]
Session = Annotated[SignedIn, Depends(signed_in)]
CheckedForm = Annotated[SignedIn, Depends(checked_form)]


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the console with everything its frame shows."""
    session: SignedIn | None = getattr(request.state, "signed_in", None)
    theme = request.cookies.get("theme", "auto")
    frame = {
        "nav": NAV,
        "here": request.url.path,
        "section": section(request.url.path),
        "on_phones": ON_PHONES,
        "address": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "csrf": session.csrf if session else "",
        "signed_in": session is not None,
        "locale": formats.language(request.headers.get("accept-language")),
        "theme": theme if theme in THEMES else "auto",
        "present": now(),
        "said": request.query_params.get("said", ""),
        "sayings": SAYINGS,
        "dead": getattr(request.state, "dead", 0),
    }
    return HTMLResponse(render(template, {**frame, **values}), status_code=status)


def section(path: str) -> str:
    """The address in NAV that a page belongs to: "/runs/7" is one of the feeds'."""
    first = "/" + path.split("/")[1]
    return {
        "/purchase-orders": "/orders",
        "/privacy": "/orders",
        "/runs": "/feeds",
        "/offers": "/products",
        "/connect": "/shops",
    }.get(first, first)


def go(address: str, said: str = "") -> Response:
    """After a form: to a page of ours, which says `said` (a key of SAYINGS) once."""
    if said:
        address += ("&" if "?" in address else "?") + "said=" + quote(said)
    return RedirectResponse(address, status_code=303)


def local_address(address: str) -> str:
    """`address` where it is a page of this console, else the Overview: a form must not send anybody elsewhere."""
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and "\\" not in address
    return address if plain and address.isprintable() else "/"
