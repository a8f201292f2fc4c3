"""Records of what a run measured, and the reports with tables and figures made from them.

A report of one more app is one more package here and one line in `reports.py`.
"""

from keras_compat.reporting.hardware import collect_hardware
from keras_compat.reporting.metrics import load_metrics, write_metrics
from keras_compat.reporting.records import (
    Record,
    Summary,
    check_record,
    make_record,
    mean_by_seed,
    select,
    summarise,
    unique,
)
from keras_compat.reporting.run import Run
from keras_compat.reporting.table import Table, number, percent
from keras_compat.versions import collect_versions

__all__ = [
    "Record",
    "Run",
    "Summary",
    "Table",
    "check_record",
    "collect_hardware",
    "collect_versions",
    "load_metrics",
    "make_record",
    "mean_by_seed",
    "number",
    "percent",
    "select",
    "summarise",
    "unique",
    "write_metrics",
]
