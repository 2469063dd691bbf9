"""The shared server: database, people, jobs and their queue, and the index of what the lab has made."""
