"""Tables as HTML, and what jobs, lists and checkpoints show in a notebook."""

from __future__ import annotations

from finetune_client import Client, FineTuningJob, FineTuningJobCheckpoint, Page
from finetune_client.tables import html_facts, html_table


def test_html_table__escapes_and_shortens() -> None:
    page = html_table(("a<b>", "b_at"), [("<script>", 0), (None, "x" * 400), (0.123456789, [1])])
    assert page == (
        "<table><thead><tr><th>a&lt;b&gt;</th><th>b_at</th></tr></thead><tbody>"
        "<tr><td>&lt;script&gt;</td><td>1970-01-01 00:00:00 UTC</td></tr>"
        f"<tr><td></td><td>{'x' * 300} …</td></tr>"
        "<tr><td>0.123457</td><td>[1]</td></tr></tbody></table>"
    )


def test_html_facts__takes_objects_apart_and_leaves_out_what_is_empty() -> None:
    facts = {"id": "x", "a": {"b": {"c": 1}}, "created_at": 1, "none": None, "list": [], "d": {}}
    page = html_facts("Thing", {**facts, "far_at": 10**15})
    assert page.count("<tr>") == 5
    assert "<th>a.b.c</th><td>1</td>" in page
    assert "<th>created_at</th><td>1970-01-01 00:00:01 UTC</td>" in page
    assert "<th>far_at</th><td>1000000000000000</td>" in page


def test_job__shows_all_that_is_known_of_it() -> None:
    job = FineTuningJob.from_dict(
        {
            "id": "ftjob-1",
            "status": "failed",
            "error": {"code": "bad", "message": "<b>no</b>", "param": None},
            "hyperparameters": {"n_epochs": "auto"},
        }
    )
    page = job._repr_html_()
    assert '<th colspan="2">FineTuningJob</th>' in page
    assert "<th>error.message</th><td>&lt;b&gt;no&lt;/b&gt;</td>" in page
    assert "<th>hyperparameters.n_epochs</th><td>auto</td>" in page
    assert "style" not in page


def test_checkpoint__shows_its_metrics() -> None:
    point = FineTuningJobCheckpoint.from_dict({"id": "c", "metrics": {"train_loss": 0.5}})
    assert "<th>metrics.train_loss</th><td>0.5</td>" in point._repr_html_()


def test_page__has_a_row_a_row_and_says_what_is_missing() -> None:
    rows = [{"id": "ftjob-1", "status": "running", "model": "m<>"}, 7]
    page = Page.from_dict({"data": rows, "has_more": True}, FineTuningJob)._repr_html_()
    assert "<th>id</th><th>status</th><th>model</th>" in page
    assert "<td>ftjob-1</td><td>running</td><td>m&lt;&gt;</td>" in page
    assert "<p>There are more pages.</p><p>1 row cannot be read; see unreadable.</p>" in page
    empty = Page.from_dict({"data": []}, FineTuningJob)._repr_html_()
    assert empty == "<div><p>The page has no rows.</p></div>"


def test_pager__shows_its_first_page() -> None:
    with Client.local() as client:
        page = client.models.list()._repr_html_()
    assert "<td>tiny</td>" in page
