"""The pages of all results are what the committed files say."""

from __future__ import annotations

import re

import pytest

from benchmarks import results_table
from benchmarks.results_table import README, RESULTS

pytestmark = pytest.mark.once
COMMAND = "run python -m benchmarks.results_table"


@pytest.fixture(scope="module")
def page():
    return results_table.results_readme()


def test_the_page_of_results_is_not_stale(page):
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == page, COMMAND


def test_the_readmes_table_is_not_stale():
    readme = README.read_text(encoding="utf-8")
    assert readme == results_table.with_results(readme), COMMAND
    assert results_table.short_table().markdown(left=2) in readme


def test_every_committed_file_is_on_the_page_with_its_commit_and_every_link_leads_somewhere(page):
    for path in RESULTS.rglob("*.json"):
        (line,) = [line for line in page.splitlines() if f"({path.relative_to(RESULTS)})" in line]
        assert re.search("`[0-9a-f]{7}`", line)
    links = re.findall(r"\]\((.*?)\)", page)
    assert len(links) > 60
    assert [link for link in links if not (RESULTS / link).exists()] == []


def test_the_figures_are_those_of_the_reports(page):
    rows = [line.split(" | ") for line in page.splitlines() if "report.md" in line]
    beside = [cell for row in rows if len(row) > 6 for cell in row]
    cells = [re.fullmatch(r"\[(.*)\]\((.*report\.md)\)", cell) for cell in beside]
    found = [(figure, cell[2]) for cell in cells if cell for figure in cell[1].split(" to ")]
    assert len(found) > 25
    for figure, report in found:
        assert figure in (RESULTS / report).read_text(encoding="utf-8"), (figure, report)


def test_a_figure_has_the_commit_of_the_part_that_measured_it():
    makers = [{"parts": [f"rp_seed{n}"], "versions": {"commit": str(n) * 40}} for n in range(3)]
    metrics = {"made_by": makers}
    assert results_table.commits(metrics, ["rp_seed1"]) == ["1" * 7]
    assert results_table.commits(metrics) == ["0" * 7, "1" * 7, "2" * 7]
