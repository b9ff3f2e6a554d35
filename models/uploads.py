"""Files on their way in pieces: what is announced, how much of it is there, and the run it became."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from core.tables import Base


class Upload(Base):
    """One file being sent to a feed. `received` bytes lie in the archive's folder for uploads, safe against a power cut.

    `id` is 32 hex digits that nobody guesses. `sha256` is what its sender says, None where he says nothing.
    `run_id` is set once it is finished: finishing again gives the same run.
    """

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("received BETWEEN 0 AND size", name="received"),
        Index("ix_upload_feed", "feed_id"),
        Index("ix_upload_touched", "touched_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    feed_id: Mapped[int] = mapped_column(ForeignKey("feed.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    received: Mapped[int] = mapped_column(BigInteger, server_default="0")
    run_id: Mapped[int | None] = mapped_column(ForeignKey("feed_run.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    touched_at: Mapped[datetime] = mapped_column(server_default=func.now())
