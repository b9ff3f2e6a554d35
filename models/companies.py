"""Companies (hub, suppliers, sellers) and what the one operator signs in with."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity, LargeBinary, String, func
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.errors import Refused
from core.tables import Base

HUB = 1


class Company(Base):
    """A tenant: the hub itself (id 1), a supplier or a seller."""

    __tablename__ = "company"
    __table_args__ = (CheckConstraint("kind IN ('hub', 'supplier', 'seller')", name="kind"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    code: Mapped[str] = mapped_column(String(24), unique=True)
    """A short name in capitals and digits: unique, stable, and the head of every SKU the company brings."""
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Operator(Base):
    """The one operator of this installation: argon2id hash of the password made at first start."""

    __tablename__ = "operator"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    password_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A key for the REST API: shown once when made, then known only by its prefix and SHA-256."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]


class WebSession(Base):
    """A signed-in browser: the cookie's SHA-256, so that a stolen table opens nothing."""

    __tablename__ = "web_session"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


def number_in(name: str) -> int | None:
    """The id that `name` writes in plain digits; None where it is a name, or a number that no row can have."""
    return int(name) if name.isascii() and name.isdigit() and int(name) < 2**31 else None


def find_company(session: Session, kind: str, name: str) -> Company:
    """The company of `kind` with this code, name or id. Raises Refused where there is none."""
    query = session.query(Company).filter(Company.kind == kind)
    if (number := number_in(name)) is not None:
        found = query.filter(Company.id == number).one_or_none()
    else:
        found = (
            query.filter((Company.code == name.upper()) | (Company.name == name)).order_by(Company.id).first()
        )
    if found is None:
        raise Refused(
            f"There is no {kind} {name!r}. `entrepot {kind} list` shows those there are.", rule="not_found"
        )
    return found
