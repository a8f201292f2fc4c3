"""Programs to run with `python -m apps.NAME`; each reads flags, runs a job and reports."""
