"""`dnalm lab`: look after the lab's database."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from dnalm.cli.frame import Json, examples, say
from dnalm.cli.output import print_json, print_table

app = typer.Typer(
    help="Look after the lab's database.",
    no_args_is_help=True,
    epilog=examples("dnalm lab migrate", "dnalm lab reindex", "dnalm lab role ann admin"),
)


@app.command("migrate", epilog=examples("dnalm lab migrate", "dnalm lab migrate --json"))
def migrate(as_json: Json = False) -> None:
    """Make the database's tables, or bring them to this version. Every other command does so too when it begins."""
    from dnalm.lab.database import Database

    db = Database()
    db.migrate()
    if as_json:
        print_json({"database": db.name, "revision": db.revision()})
        return
    say(f"{db.name}: at revision {db.revision()}")


@app.command("usage", epilog=examples("dnalm lab usage", "dnalm lab usage --json"))
def usage(as_json: Json = False) -> None:
    """Show what each person's runs, models, sets and uploads take on disk, the largest first."""
    from dnalm.lab.people import local_user
    from dnalm.lab.usage import KINDS, quota, size_text, usages

    found, most = usages(local_user()), quota()
    if as_json:
        people = [{"user": one.owner, "name": one.owner_name, "bytes": one.total, **one.bytes_of} for one in found]
        print_json({"quota_bytes": most, "people": people})
        return
    rows = [[one.owner_name, *(size_text(one.bytes_of[kind]) for kind in KINDS), size_text(one.total)] for one in found]
    print_table(["who", "runs", "models", "sets", "uploads", "in all"], rows)
    say(f"a person may have {size_text(most)}" if most else "there is no quota; DNALM_QUOTA_GB sets one")


@app.command("reindex", epilog=examples("dnalm lab reindex", "dnalm lab reindex --json"))
def reindex(as_json: Json = False) -> None:
    """Rebuild the index of models, datasets and runs from their folders; what people wrote there is kept."""
    from dnalm.lab.index import reindex as rebuild

    counts = asdict(rebuild())
    if as_json:
        print_json(counts)
        return
    for text in counts["unreadable"]:
        say(text)
    rows = [[name, ", ".join(value) if isinstance(value, tuple) else value] for name, value in counts.items()]
    print_table(["what", "number"], [row for row in rows if row[0] != "unreadable"])


@app.command("role", epilog=examples("dnalm lab role ann admin", "dnalm lab role ann member --json"))
def set_role(
    person: Annotated[str, typer.Argument(help="The person's id.", metavar="PERSON")],
    wanted: Annotated[str, typer.Argument(help="admin or member.", metavar="admin|member")],
    as_json: Json = False,
) -> None:
    """Make a person an admin, who sees and may do everything, or a member. For admins alone."""
    from dnalm.lab import people

    role: Any = wanted  # checked there, for whoever calls it
    found = people.set_role(people.local_user(), person, role)
    if as_json:
        print_json({"user": found.id, "name": found.name, "role": found.role})
    else:
        say(f"{found.name} ({found.id}): {found.role}")
