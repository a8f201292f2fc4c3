"""Report of the compatibility analysis (Sec. 4, Appendix B.1 to B.6).

One file a study or a kind of figures; each makes one section of the report from records alone.
"""

from keras_compat.reporting.compatibility_analysis.report import REPORT

terminal_text, write_report = REPORT.terminal_text, REPORT.write

__all__ = ["REPORT", "terminal_text", "write_report"]
