"""Tables, report and figures of the compatibility analysis (Sec. 4, Appendix B.1 to B.6).

One file a study or a kind of figures; each makes one section of the report from records alone.
"""

from keras_compat.reporting.compatibility_analysis.report import (
    draw_figures,
    report_text,
    terminal_text,
    write_report,
)

__all__ = ["draw_figures", "report_text", "terminal_text", "write_report"]
