from __future__ import annotations

import copy
import gc
import logging
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from finetune_client.errors import NotFoundError, PaginationError
from finetune_client.models import FineTuningJob, FineTuningJobEvent, Page
from finetune_client.resources import Pager

if TYPE_CHECKING:
    from collections.abc import Callable


class Pages:
    """Answers by cursor; what is asked for is remembered."""

    def __init__(self, pages: dict[str | None, dict[str, Any]]) -> None:
        self.pages = pages
        self.asked: list[str | None] = []

    def fetch(self, after: str | None) -> Page[FineTuningJob]:
        self.asked.append(after)
        return Page.from_dict(self.pages[after], FineTuningJob)

    def pager(self, *, after: str | None = None, by_last_id: bool = False) -> Pager[FineTuningJob]:
        return Pager(self.fetch, name="GET /jobs", after=after, by_last_id=by_last_id)


def _page(ids: str, *, more: bool | None = None, **keys: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"object": "list", "data": [{"id": one} for one in ids], **keys}
    return body if more is None else {**body, "has_more": more}


def _ids(pager: Pager[FineTuningJob]) -> str:
    return "".join(job.id for job in pager)


def test_pager__asks_for_its_first_page_at_once() -> None:
    pages = Pages({None: _page("a", more=True, first_id="a", last_id="z")})
    pager = pages.pager()
    assert repr(pager) == "<Pager of GET /jobs>"
    assert pages.asked == [None]
    assert pager.first_page().data == pager.data == [FineTuningJob(id="a")]
    assert (pager.object, pager.has_more) == ("list", True)
    assert (pager.first_id, pager.last_id) == ("a", "z")
    assert pages.asked == [None]


def test_pager__has_nothing_that_the_server_did_not_send() -> None:
    pager = Pages({None: {"data": []}}).pager()
    assert (pager.object, pager.first_id, pager.last_id, pager.has_more) == (
        None,
        None,
        None,
        False,
    )


def test_pager__that_cannot_fetch_its_first_page_says_so_at_once() -> None:
    def fetch(after: str | None) -> Page[FineTuningJob]:
        raise NotFoundError("no", status_code=404)

    with pytest.raises(NotFoundError):
        Pager(fetch, name="GET /jobs")


def test_pager__walks_every_page_and_keeps_the_first() -> None:
    pages = Pages({None: _page("ab", more=True), "b": _page("cd", more=True), "d": _page("e")})
    pages.pages["e"] = _page("")
    pager = pages.pager()
    assert [job.id for job in pager.data] == ["a", "b"]
    assert pages.asked == [None]
    assert _ids(pager) == "abcde"
    assert [len(page.data) for page in pager.pages()] == [2, 2, 1]
    assert pages.asked == [None, *"bde", *"bde"]


def test_pager__is_false_where_its_first_page_is_empty() -> None:
    pages = Pages({None: _page("", more=False)})
    assert not pages.pager()
    assert pages.asked == [None]
    assert Pages({None: _page("a")}).pager()


def test_pager__has_no_length() -> None:
    pager: Any = Pages({None: _page("ab", more=False)}).pager()
    with pytest.raises(TypeError, match=r"no len\(\)"):
        len(pager)
    assert len(list(pager)) == 2


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_pager__says_why_it_cannot_be_pickled(attempt: Callable[[object], object]) -> None:
    pager = Pages({None: _page("ab", more=False)}).pager()
    with pytest.raises(TypeError) as caught:
        attempt(pager)
    assert str(caught.value) == (
        "A pager asks its client for the further pages, so it cannot be copied or pickled; "
        "list(pager) and pager.first_page() can."
    )
    assert pickle.loads(pickle.dumps(list(pager))) == pager.data
    assert pickle.loads(pickle.dumps(pager.first_page())) == pager.first_page()


def test_pager__starts_after_a_row() -> None:
    pages = Pages({"b": _page("cd", more=False)})
    assert _ids(pages.pager(after="b")) == "cd"


def test_pager__stops_at_a_page_without_rows_even_if_there_is_said_to_be_more() -> None:
    pages = Pages({None: _page("a", more=True), "a": _page("", more=True)})
    assert _ids(pages.pager()) == "a"


def test_pager__goes_on_without_has_more_while_pages_bring_new_rows() -> None:
    pages = Pages({None: _page("ab"), "b": _page("bc"), "c": _page("bc")})
    assert _ids(pages.pager()) == "abc"
    assert pages.pager().has_more is False


def test_pager__stops_quietly_at_a_server_that_ignores_the_cursor() -> None:
    class Same(Pages):
        def fetch(self, after: str | None) -> Page[FineTuningJob]:
            return super().fetch(None)

    pages = Same({None: _page("abc")})
    assert _ids(pages.pager()) == "abc"
    assert len(pages.asked) == 2


@pytest.mark.parametrize(
    ("pages", "given"),
    [
        ({None: _page("a", more=True), "a": _page("a", more=True)}, "a"),
        (
            {
                None: _page("a", more=True),
                "a": _page("b", more=True),
                "b": _page("a", more=True),
            },
            "ab",
        ),
        ({"a": _page("ba", more=True)}, "ba"),
    ],
    ids=["the same at once", "A-B-A", "the one it started from"],
)
def test_pager__raises_at_a_cursor_that_came_before(
    pages: dict[str | None, dict[str, Any]], given: str
) -> None:
    rows: list[str] = []
    after = None if None in pages else "a"
    with pytest.raises(PaginationError) as caught:
        _collect(Pages(pages).pager(after=after), rows)
    assert "".join(rows) == given
    assert caught.value.message == (
        "GET /jobs would never end: the server gave the cursor 'a' twice and said that there was "
        "more. The rows so far are right."
    )
    assert (caught.value.method, caught.value.path) == ("GET", "/jobs")
    assert caught.value.outcome == "bad_answer"


def test_pager__raises_at_a_cursor_that_no_request_can_hold() -> None:
    rows: list[str] = []
    with pytest.raises(PaginationError) as caught:
        _collect(Pages({None: _page("a\ud800", more=True)}).pager(), rows)
    assert rows == ["a", "\ud800"]
    assert caught.value.message == (
        "GET /jobs cannot be continued: the server gave the cursor '\\ud800', which is not valid "
        "Unicode. The rows so far are right."
    )


def _collect(pager: Pager[FineTuningJob], rows: list[str]) -> None:
    for job in pager:
        rows.append(job.id)  # noqa: PERF401  what came before the error counts


def test_pager__goes_by_last_id_where_the_list_says_so() -> None:
    pages = Pages({None: _page("ab", more=True, last_id="x"), "x": _page("c", more=False)})
    assert _ids(pages.pager(by_last_id=True)) == "abc"
    pages = Pages({None: _page("ab", more=True), "b": _page("c", more=False)})
    assert _ids(pages.pager(by_last_id=True)) == "abc"


def test_pager__keeps_unreadable_rows_and_tells_once(caplog: pytest.LogCaptureFixture) -> None:
    first = _page("a", more=True)
    first["data"] += [{"status": "queued"}]
    second: dict[str, Any] = {"data": [7, None], "has_more": True, "last_id": "z"}
    third = _page("b", more=False)
    third["data"].insert(0, "x")
    pager = Pages({None: first, "a": second, "z": third}).pager()
    with caplog.at_level(logging.WARNING, "finetune_client"):
        assert _ids(pager) == "ab"
    assert [page.unreadable for page in pager.pages()] == [[{"status": "queued"}], [7, None], ["x"]]
    said = "GET /jobs has rows that cannot be read; see Page.unreadable"
    assert caplog.record_tuples == [("finetune_client", logging.WARNING, said)]


def test_pager__says_when_it_cannot_go_on(caplog: pytest.LogCaptureFixture) -> None:
    page: Page[FineTuningJobEvent] = Page.from_dict(
        {"data": [{"message": "x"}], "has_more": True}, FineTuningJobEvent
    )
    with caplog.at_level(logging.WARNING, "finetune_client"):
        assert [row.message for row in Pager(lambda _: page, name="GET /e")] == ["x"]
    assert caplog.messages == ["GET /e has more pages, but no id to continue from"]


def test_pager__rows_without_an_id_are_known_only_where_they_stand_as_before() -> None:
    pages = {
        None: {"data": [{"id": "a"}, {"message": "x"}], "has_more": True},
        "a": {"data": [{"message": "y"}, {"id": "b"}], "has_more": False},
    }
    rows = Pager(lambda after: Page.from_dict(pages[after], FineTuningJobEvent), name="GET /e")
    assert [row.id or row.message for row in rows] == ["a", "x", "y", "b"]


def test_pager__forgets_what_stood_after_a_cursor_when_it_has_another() -> None:
    pages = {
        None: {"data": [{"id": "a"}, {"message": "x"}], "has_more": True},
        "a": {"data": [{"message": "x"}, {"id": "b"}], "has_more": True, "last_id": "z"},
        "z": {"data": [{"message": "x"}, {"id": "c"}], "has_more": False},
    }
    rows = Pager(
        lambda after: Page.from_dict(pages[after], FineTuningJobEvent),
        name="GET /e",
        by_last_id=True,
    )
    assert [row.id or row.message for row in rows] == ["a", "x", "b", "x", "c"]


def test_pager__shows_its_first_page_in_a_notebook() -> None:
    pager = Pages({None: _page("ab", more=True)}).pager()
    assert pager._repr_html_() == pager.first_page()._repr_html_()
    assert "<table" in pager._repr_html_()


def test_pager_of__is_the_page_that_is_here() -> None:
    page: Page[FineTuningJob] = Page.from_dict(_page("ab", more=True), FineTuningJob)
    pager = Pager.of(page, name="POST /x")
    assert _ids(pager) == "ab"
    assert pager.has_more is False


@st.composite
def _lists(draw: st.DrawFn) -> tuple[list[dict[str, Any]], int, list[int], bool | None]:
    """Draw rows (some without an id, equal to one another), a page size, and overlaps."""
    named = draw(st.lists(st.booleans(), max_size=30))
    rows: list[dict[str, Any]] = []
    for number, has_id in enumerate(named):
        before = rows[-1] if rows else {"id": ""}
        alone = not has_id and "id" in before
        rows.append({"message": "same"} if alone else {"id": f"e{number}"})
    overlaps = draw(st.lists(st.integers(0, 3), min_size=20, max_size=20))
    return rows, draw(st.integers(2, 6)), overlaps, draw(st.sampled_from([True, None]))


@settings(max_examples=100, deadline=None)
@given(_lists())
def test_pager__gives_every_row_once(
    drawn: tuple[list[dict[str, Any]], int, list[int], bool | None],
) -> None:
    rows, size, overlaps, says_more = drawn
    left = iter(overlaps)

    def fetch(after: str | None) -> Page[FineTuningJobEvent]:
        begin = 0 if after is None else [row.get("id") for row in rows].index(after) + 1
        end = begin + size
        shift = 0 if after is None else min(begin, next(left, 0))
        body: dict[str, Any] = {"data": rows[begin - shift : end]}
        if says_more:
            body["has_more"] = end < len(rows)
        return Page.from_dict(body, FineTuningJobEvent)

    walked = [row.to_dict() for row in Pager(fetch, name="GET /e")]
    assert walked == rows


def test_pager__lets_go_of_pages_that_were_walked() -> None:
    total, size = 5_000, 100

    def fetch(after: str | None) -> Page[FineTuningJob]:
        begin = 0 if after is None else int(after) + 1
        rows = [{"id": str(number)} for number in range(begin, begin + size)]
        return Page.from_dict({"data": rows, "has_more": begin + size < total}, FineTuningJob)

    assert sum(1 for _ in Pager(fetch, name="GET /jobs")) == total
    walk = iter(Pager(fetch, name="GET /jobs"))
    for _ in range(total // 2):
        next(walk)
    alive = sum(1 for thing in gc.get_objects() if type(thing) is FineTuningJob)
    assert alive <= 3 * size, "the first page, the one at hand and one that is being let go of"
