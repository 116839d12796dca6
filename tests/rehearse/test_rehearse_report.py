"""The report: tables that hold together as GitHub reads them, and nothing that a model says becomes markup."""

import re

import pytest
from markdown_it import MarkdownIt

from scripts.rehearse import report
from scripts.rehearse.record import Step
from tests.rehearse.told import told


def html(made):
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(report.markdown(made))


def test_a_rehearsal_that_passed():
    shown = report.markdown(told())
    for said in (
        "## Rehearsal of demo: passed",
        "commit `5471f7d7b216`, nothing changed",
        "| `finetune` | passed | 250 s |",
        "- the job takes 0.5 h, 0.27 USD",
        "Shorter than the YAML says: 110 of 230 steps.",
        "held-out 3.20 -> 0.30",
        "- SmolLM2-135M-Instruct stands in for Phi-4",
        "preflight stops it: quota-serving: no cores. <br>Past that: *(OutOfQuota) not ",
        "`make deploy ENV=demo` (9 s here)",
        "did not happen, as this YAML has no place for it: a pool of 0 cores",
    ):
        assert said in shown
    assert "failed at" not in shown


def test_every_row_of_a_table_is_one_and_no_answer_is_markup():
    page = html(told())
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    widths = [len(re.findall(r"<t[dh]", row)) for row in rows]
    assert widths == [3] * 3 + [2] * 4 + [4] * 3
    assert "<b>" not in page and "<img" not in page
    assert re.search(r"<code>Use &lt;b&gt;`x \| y`&lt;/b&gt; @everyone, see !\[img\]\(http://a.b\)</code>", page)
    assert "<code>why | not</code>" in page and "not asked" in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": [Step("deploy", 5, 1.0, "could not ask: *why*")], "outcome": "failed"},
         ["**It failed at `deploy`** (exit code 5)", r"> could not ask: \*why\*", "`make rehearse ENV=demo` runs it"]),
        ({"outcome": "interrupted"}, ["It was interrupted; nothing of it is left. `make rehearse ENV=demo` begins"]),
        ({"changed": [f"f{n}" for n in range(7)]}, ["with 7 files changed since (`f0`, `f1`, "]),
        ({"commit": ""}, ["a folder that is no git clone) on"]),
    ],
)  # fmt: skip
def test_how_it_ended_and_of_what_it_was(changed, said):
    shown = report.markdown(told(**changed))
    assert all(each in shown for each in said), shown


def test_a_rehearsal_that_ended_at_once_has_no_empty_parts():
    empty = {key: [] for key in ("steps", "stand_ins", "answers", "on_azure", "warnings", "faults")}
    shown = report.markdown(told(**empty, losses={}, outcome="interrupted"))
    assert "###" not in shown and "| ---" not in shown and "\n\n\n" not in shown


def test_a_chart_has_every_point_in_its_place():
    lines = report.chart([[1, 4.0], [10, 1.0]], [[0, 2.0], [5, float("nan")]])
    assert all(len(line) <= 72 for line in lines)
    drawn = {
        (row, line.index(sign)) for row, line in enumerate(lines[: report.HEIGHT]) for sign in "*o" if sign in line
    }
    assert drawn == {(0, 14), (6, 67), (4, 8)}
    assert lines[0].startswith("  4.00 |") and lines[-2].endswith("step 10")
    assert report.chart([], []) == [] and report.chart([[0, 0.0]], [])
