"""What the browser shows: each page a form, one call into dnalm, charts. Nothing here computes."""
