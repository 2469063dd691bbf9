"""How the lab's tables came to be as they are: alembic's steps, shipped with the package and run by it."""
