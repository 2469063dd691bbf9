"""What `docs/results.md` shows: tasks as data, units of work that resume, figures with intervals, and the page."""
