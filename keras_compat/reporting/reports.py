"""Reports by the names of their experiments: a package of sections and one line here each."""

from keras_compat.registry import Registry
from keras_compat.reporting import (
    classifier_transfer,
    compatibility_analysis,
    domain_adaptation,
    transfer_learning,
)
from keras_compat.reporting.report import ReportWriter

REPORTS: Registry[ReportWriter] = Registry("experiment")
REPORTS.register("classifier_transfer")(classifier_transfer.REPORT)
REPORTS.register("compatibility_analysis")(compatibility_analysis.REPORT)
REPORTS.register("domain_adaptation")(domain_adaptation.REPORT)
REPORTS.register("transfer_learning")(transfer_learning.REPORT)
