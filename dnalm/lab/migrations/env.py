"""What alembic runs: on the connection, and in the transaction, that `Database.migrate` gives."""

from alembic import context

from dnalm.lab.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite can change tables within a transaction too: a step is done whole or not at all.
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
