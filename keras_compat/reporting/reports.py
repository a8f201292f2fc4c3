"""Which report an experiment has: one file and one line here each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_compat.registry import Registry
from keras_compat.reporting import (
    classifier_transfer,
    compatibility_analysis,
    domain_adaptation,
    transfer_learning,
)

Writer = Callable[[Mapping[str, Any], str | os.PathLike[str]], list[Path]]

REPORTS: Registry[Writer] = Registry("experiment")
REPORTS.register("classifier_transfer")(classifier_transfer.write_report)
REPORTS.register("compatibility_analysis")(compatibility_analysis.write_report)
REPORTS.register("domain_adaptation")(domain_adaptation.write_report)
REPORTS.register("transfer_learning")(transfer_learning.write_report)
