"""Reports by the names of their experiments: one line here each, loaded when they are asked for."""

from keras_compat.registry import Lazy, Registry
from keras_compat.reporting.report import ReportWriter


class _Reports(Registry[ReportWriter]):
    def __getitem__(self, name: str) -> ReportWriter:
        return super().__getitem__(name).load()


REPORTS = _Reports("experiment")
for _name in ("classifier_transfer", "domain_adaptation", "transfer_learning"):
    REPORTS.register(_name)(Lazy(f"keras_compat.reporting.{_name}:REPORT", f"report of {_name}"))
REPORTS.register("compatibility_analysis")(
    Lazy("keras_compat.studies.report:REPORT", "report of all studies")
)
