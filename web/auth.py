"""Who may come in: the one operator's password, his signed-in browsers, and API keys.

Failed sign-ins are counted in this process's memory: several web processes each count for themselves, a restart
forgets. The password is made by us with 99 bits, so the limit guards the processor, not the password.
"""

import hashlib
import secrets
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.clock import now
from core.database import UnitOfWork
from models.companies import ApiKey, Operator, WebSession

SESSION_LIFE = timedelta(hours=12)
"""How long a signed-in browser may be idle."""
SESSION_STEP = timedelta(minutes=10)
"""A session's end is moved at most so often: reading pages does not write a row each time."""
WINDOW = timedelta(minutes=15)
PER_ADDRESS, OVERALL = 5, 60
"""Failed sign-ins in WINDOW after which an address, or everybody, has to wait."""

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
HASHER = PasswordHasher()  # argon2id with the parameters of RFC 9106, low memory: 64 MiB, 3 passes
HASHING = threading.BoundedSemaphore(
    2
)  # each hash takes 64 MiB: a flood of sign-ins must not take the machine


@dataclass(frozen=True, slots=True)
class Credentials:
    """Shown once, never stored as they are."""

    password: str
    api_key: str

    def block(self, url: str) -> str:
        """What a person sees on the terminal."""
        return (
            "\n  The console's password and one API key. They are shown this once; `entrepot operator reset` makes new ones.\n"
            f"    console   {url}\n    password  {self.password}\n    API key   {self.api_key}\n"
        )


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser with a valid session; `csrf` is what its forms must bring back."""

    digest: bytes
    csrf: str


def first_start(uow: UnitOfWork) -> Credentials | None:
    """Makes the operator and an API key where there is none yet, else None. Several callers at once make one."""
    if uow.session.get(Operator, 1) is not None:
        return None
    password = make_password()
    made = uow.session.execute(
        insert(Operator)
        .values(id=1, password_hash=HASHER.hash(password))
        .on_conflict_do_nothing()
        .returning(Operator.id)
    )
    if made.first() is None:
        return None
    return Credentials(password, make_api_key(uow.session, "first start"))


def reset(uow: UnitOfWork) -> Credentials:
    """A new password and API key. Every browser is signed out and every older key is revoked."""
    password = make_password()
    hashed = HASHER.hash(password)
    uow.session.execute(
        insert(Operator)
        .values(id=1, password_hash=hashed)
        .on_conflict_do_update(index_elements=["id"], set_={"password_hash": hashed})
    )
    uow.session.execute(delete(WebSession))
    uow.session.execute(update(ApiKey).where(ApiKey.revoked_at.is_(None)).values(revoked_at=func.now()))
    return Credentials(password, make_api_key(uow.session, "operator reset"))


def make_password() -> str:
    """Four groups of five, to be typed from a screen: 99 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))


def make_api_key(session: Session, name: str) -> str:
    """A new key "ent_PREFIX_SECRET"; the table keeps its prefix and SHA-256."""
    prefix = "".join(secrets.choice(ALPHABET) for _ in range(10))
    key = f"ent_{prefix}_{secrets.token_urlsafe(32)}"
    session.add(ApiKey(prefix=prefix, digest=sha256(key), name=name))
    session.flush()
    return key


def is_password(stored: str | None, given: str) -> bool:
    """Whether `given` is the operator's password; as slow where there is no operator as where there is."""
    with HASHING:
        try:
            return HASHER.verify(stored or NOBODY, given[:200]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_api_key(session: Session, given: str) -> bool:
    """Whether `given` is a key that is not revoked. Compared in constant time."""
    kind, _, rest = given.partition("_")
    prefix, _, secret = rest.partition("_")
    found = session.scalar(select(ApiKey.digest).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None)))
    same = secrets.compare_digest(found or sha256(""), sha256(given))
    return same and found is not None and kind == "ent" and bool(secret)


def open_session(session: Session) -> str:
    """Signs a browser in: the token for its cookie. Ended sessions are swept on the way."""
    token, moment = secrets.token_urlsafe(32), now()
    session.execute(delete(WebSession).where(WebSession.expires_at < moment))
    session.add(
        WebSession(digest=sha256(token), csrf=secrets.token_urlsafe(32), expires_at=moment + SESSION_LIFE)
    )
    return token


def find_session(session: Session, token: str) -> SignedIn | None:
    """The session of a cookie's token, with its end moved on; None where there is none or it ended."""
    moment = now()
    found = session.get(WebSession, sha256(token))
    if found is None or found.expires_at <= moment:
        return None
    if found.expires_at < moment + SESSION_LIFE - SESSION_STEP:
        found.expires_at = moment + SESSION_LIFE
    return SignedIn(found.digest, found.csrf)


def close_session(session: Session, signed_in: SignedIn) -> None:
    """Signs a browser out."""
    session.execute(delete(WebSession).where(WebSession.digest == signed_in.digest))


class Attempts:
    """Failed sign-ins of the last WINDOW, per address and overall, in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed: dict[str, deque[datetime]] = defaultdict(deque)

    def wait(self, address: str) -> timedelta | None:
        """How long `address` must wait before it may try again; None where it may."""
        moment = now()
        with self._lock:
            self._forget(moment)
            for failures, limit in ((self._failed.get(address, ()), PER_ADDRESS), (self._all(), OVERALL)):
                if len(failures) >= limit:
                    return failures[-limit] + WINDOW - moment
        return None

    def failed(self, address: str) -> None:
        """Counts a wrong password."""
        with self._lock:
            self._failed[address].append(now())

    def succeeded(self, address: str) -> None:
        """Forgets the failures of an address that knew the password after all."""
        with self._lock:
            self._failed.pop(address, None)

    def _all(self) -> list[datetime]:
        return sorted(moment for failures in self._failed.values() for moment in failures)

    def _forget(self, moment: datetime) -> None:
        for address, failures in list(self._failed.items()):
            while failures and failures[0] <= moment - WINDOW:
                failures.popleft()
            if not failures:
                del self._failed[address]


def sha256(text: str) -> bytes:
    """The SHA-256 of a secret: what the tables hold instead of it."""
    return hashlib.sha256(text.encode()).digest()


NOBODY = HASHER.hash(secrets.token_urlsafe(32))
