"""Who uses the lab's server, and what their role lets them do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from dnalm.errors import InputError
from dnalm.lab import audit
from dnalm.lab.database import Database, database
from dnalm.lab.schema import UserRow

Role = Literal["admin", "member"]
ROLES: tuple[Role, ...] = ("admin", "member")
LOCAL = "local"


@dataclass(frozen=True)
class User:
    """A person who acts. An admin sees and may do everything; a member what is theirs, and sees what is shared."""

    id: str
    name: str
    role: Role

    @property
    def is_admin(self) -> bool:
        """Whether everything is theirs to see and do."""
        return self.role == "admin"


def local_user(db: Database | None = None) -> User:
    """The one built-in person of an installation without accounts: an admin."""
    db = db or database()
    with db.reading() as session:
        row = session.get(UserRow, LOCAL)
    if row is None:
        with db.session() as session:
            row = _ensure(session, LOCAL, "local user", "admin", actor="dnalm")
    return _user(row)


def add_user(user: User, user_id: str, name: str, role: Role = "member", *, db: Database | None = None) -> User:
    """Let one more person in.

    Raises:
        InputError: the acting person is no admin, the id is taken or empty, or the role is unknown.
    """
    require_admin(user, "let people in")
    if role not in ROLES:
        raise InputError(f"role {role!r}: wanted {' or '.join(ROLES)}")
    if not user_id or len(user_id) > 64:
        raise InputError(f"user id {user_id!r}: wanted 1 to 64 characters")
    with (db or database()).session() as session:
        if session.get(UserRow, user_id) is not None:
            raise InputError(f"user {user_id!r}: there is one already")
        return _user(_ensure(session, user_id, name, role, actor=user.id))


def set_role(user: User, user_id: str, role: Role, *, db: Database | None = None) -> User:
    """Make a person an admin, or a member again. Saying what they are already changes nothing.

    The local user stays an admin: whoever works at the installation's own shell can always put things right.

    Raises:
        InputError: the acting person is no admin, there is no such person, the role is unknown, or it is the local
            user who would be no admin any more.
    """
    require_admin(user, "change a person's role")
    if role not in ROLES:
        raise InputError(f"role {role!r}: wanted {' or '.join(ROLES)}")
    if user_id == LOCAL and role != "admin":
        raise InputError("the local user stays an admin: it is who puts roles right at the shell")
    with (db or database()).session() as session:
        row = session.get(UserRow, user_id, with_for_update=True)
        if row is None:
            known = ", ".join(session.scalars(select(UserRow.id).order_by(UserRow.id)))
            raise InputError(
                f"no person {user_id!r}; known are {known}; after the database was lost, run `dnalm lab reindex` first"
            )
        if row.role != role:
            audit.record(session, user.id, "user.role", f"user:{user_id}", was=row.role, now=role)
            row.role = role
        return _user(row)


def users(user: User, *, db: Database | None = None) -> list[User]:
    """Everyone, by name: the names of colleagues are no secret within the lab."""
    with (db or database()).reading() as session:
        return [_user(row) for row in session.scalars(select(UserRow).order_by(UserRow.name, UserRow.id))]


def remember(session: Session, user_id: str, name: str) -> str:
    """Make sure that a person is known whom a folder names as its owner; a new one is a member. Gives the id."""
    return _ensure(session, user_id, name, "admin" if user_id == LOCAL else "member", actor="dnalm").id


def require_admin(user: User, what: str) -> None:
    """Refuse what only an admin may do.

    Raises:
        InputError: the person is none.
    """
    if not user.is_admin:
        raise InputError(f"only an admin may {what}")


def _ensure(session: Session, user_id: str, name: str, role: Role, *, actor: str) -> UserRow:
    """The person's row, made where there is none: two processes may both be the first."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    row = dialect.insert(UserRow).values(id=user_id, name=name, role=role, served=0)
    if session.scalar(row.on_conflict_do_nothing(index_elements=["id"]).returning(UserRow.id)) is not None:
        audit.record(session, actor, "user.add", f"user:{user_id}", name=name, role=role)
    return session.get_one(UserRow, user_id)


def _user(row: UserRow) -> User:
    return User(row.id, row.name, "admin" if row.role == "admin" else "member")
