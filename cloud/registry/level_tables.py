"""How far the cloud is with what it writes itself: roll-ups and series."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from cloud.registry.models import Base


class PositionRow(Base):
    """How far something was done: a time in epoch milliseconds, or a number."""

    __tablename__ = "position"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class RolledRow(Base):
    """How many fields an hour of a kind had when it was rolled up; more now means that some came late."""

    __tablename__ = "rolled"

    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    start_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    fields: Mapped[int] = mapped_column(BigInteger)


class DueRow(Base):
    """A window that has to be rolled up again: a day because one of its hours was, an hour by late data."""

    __tablename__ = "roll_due"

    level: Mapped[str] = mapped_column(String(8), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64), primary_key=True)
    start_ms: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
