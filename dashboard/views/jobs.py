"""Jobs: what is running, what comes next, and how each is doing."""

from __future__ import annotations

import streamlit as st

from dashboard.person import acting_user
from dashboard.views import jobs_list, jobs_one
from dnalm.errors import InputError
from dnalm.lab import jobs


def main() -> None:
    """Draw the page: one job where the address names one, else all."""
    user = acting_user()
    job_id = st.query_params.get("job")
    if not job_id:
        jobs_list.show(user)
        return
    try:
        job = jobs.find(user, job_id)
    except InputError:
        st.title("Where is this job?")
        st.warning(
            f"The address asks for the job {job_id}, which is not here, or is not shared with you.",
            icon=":material/warning:",
        )
        jobs_one.back()
        return
    jobs_one.show(user, job)


main()
