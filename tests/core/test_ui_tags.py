"""The template tags that every page is built from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory

from consulops.core.bars import BarHour
from consulops.core.paging import Page
from consulops.core.status import Status

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def render(source: str, address: str = "/checks/", **context: object) -> str:
    request = RequestFactory().get(address)
    return Template(source).render(Context({"request": request, **context}))


@pytest.mark.parametrize("state", [state for state in Status if state is not Status.NONE])
def test_a_state_is_icon_word_and_colour(state: Status) -> None:
    html = render("{% status state %}", state=state.value)
    assert f"state-{state.value}" in html
    assert "icons.svg#" in html
    assert state.label in html


def test_no_checks_is_plain_text() -> None:
    html = render('{% status "none" %}')
    assert "No checks" in html
    assert "<svg" not in html


def test_a_state_that_we_do_not_know_is_never_green() -> None:
    assert "state-unknown" in render('{% status "excellent" %}')


def test_a_state_may_have_another_word() -> None:
    html = render('{% status "critical" label=word %}', word="<b>Failed</b>")
    assert "&lt;b&gt;Failed" in html


def test_an_icon_is_hidden_from_readers_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in render('{% icon "bell" %}')
    assert 'aria-label="Alerts"' in render('{% icon "bell" "Alerts" %}')


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7512, "2 h 5 min"),
        (86400, "1 d"),
        (273600, "3 d 4 h"),
        (-5, "0 s"),
        (timedelta(minutes=3), "3 min"),
        (None, "\N{EN DASH}"),
    ],
)
def test_spans_in_words(seconds: float | timedelta | None, words: str) -> None:
    assert render("{{ span|duration }}", span=seconds) == words


@time_machine.travel(NOW, tick=False)
def test_times_are_relative_with_the_absolute_in_the_title() -> None:
    html = render("{% ago when %}", when=NOW - timedelta(minutes=5))
    assert ">5 min ago</time>" in html
    assert 'title="2026-03-04 11:55:00 UTC"' in html
    assert 'datetime="2026-03-04T11:55:00.000+00:00"' in html
    assert ">5 min</time>" in render("{% since when %}", when=NOW - timedelta(minutes=5))
    assert ">just now</time>" in render("{% ago when %}", when=NOW)


def test_times_that_never_were() -> None:
    assert "never" in render("{% ago when %}", when=None)
    assert "unknown" in render("{% since when %}", when=None)
    assert "not yet" in render('{% at when "not yet" %}', when=None)


def test_the_bar_says_in_words_what_its_colours_say() -> None:
    hours = [
        BarHour(NOW, Status.PASSING, "passing"),
        BarHour(NOW + timedelta(hours=1), Status.CRITICAL, "critical 6 min"),
    ]
    html = render("{% bar hours %}", hours=hours)
    assert 'role="img"' in html
    assert 'aria-label="Last 2 hours: critical in 1, passing in 1"' in html
    assert 'title="13:00\N{EN DASH}14:00 UTC critical 6 min"' in html


def test_a_query_is_changed_in_part_and_begins_at_the_first_page() -> None:
    address = "/checks/?status=critical&q=a%26b&after=xyz"
    html = render('{% query_with status="warning" %}', address)
    assert html == "?status=warning&amp;q=a%26b"
    assert render('{% query_with status=None q="" %}', address) == "?"


def test_a_form_keeps_the_rest_of_the_query() -> None:
    html = render('{% keep_query "q" %}', '/checks/?q=x&after=1&format=csv&cluster="dc1')
    assert html == '<input type="hidden" name="cluster" value="&quot;dc1">'


def test_a_chip_sets_its_filter_and_the_chosen_one_clears_it() -> None:
    source = '{% chip "status" "critical" "Critical" 1234 %}'
    other = render(source, "/checks/?q=web")
    assert 'href="?q=web&amp;status=critical"' in other
    assert "1,234" in other
    assert "aria-current" not in other
    chosen = render(source, "/checks/?status=critical&q=web")
    assert 'href="?q=web"' in chosen
    assert 'aria-current="true"' in chosen


def test_copied_text_cannot_leave_its_attribute() -> None:
    assert 'data-copy="&quot;&gt;&lt;script&gt;"' in render("{% copy text %}", text='"><script>')


def test_a_live_element_asks_for_its_own_children() -> None:
    html = render('<div {% live "checks alerts" id="rows" %}></div>', "/checks/?q=a&b=c")
    assert 'id="rows"' in html
    assert 'hx-get="/checks/?q=a&amp;b=c"' in html
    assert "sse:checks, sse:alerts, live:resync from:body, every 60s" in html
    assert 'hx-select="#rows &gt; *"' in html


def test_a_live_element_without_an_id_is_refused() -> None:
    with pytest.raises(TemplateSyntaxError):
        render('{% live "checks" %}')


def test_the_pager_keeps_filters_and_says_where_one_can_go() -> None:
    page: Page[Any] = Page([], "k2", is_first=False)
    html = render("{% pager page %}", "/checks/?status=critical&after=k1", page=page)
    assert 'href="?status=critical"' in html
    assert 'href="?status=critical&amp;after=k2"' in html
    assert "<nav" not in render("{% pager page %}", page=Page([], "", is_first=True))
