"""Template tags of every page; loaded as built-ins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django import template
from django.http import QueryDict
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from consulops.core.bars import BarHour
from consulops.core.status import LOOKS, Status, by_rank, parse
from consulops.core.times import in_words

register = template.Library()

# A new filter or cluster begins at the first page.
PAGE_KEY = "after"


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; without a label it is decoration, and screen readers skip it."""
    address = f"{static('vendor/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>',
            label,
            address,
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', address)


@register.simple_tag
def status(value: str, label: str = "", large: bool = False) -> SafeString:
    """A state as icon, word and colour; `label` is another word for it, such as "Failed"."""
    return _state(value, str(label), large)


@lru_cache(maxsize=256)
def _state(value: str, label: str, large: bool) -> SafeString:
    state = parse(value)
    word = label or state.label
    if state is Status.NONE:
        return format_html('<span class="state state-none">{}</span>', word)
    return format_html(
        '<span class="state state-{}{}">{}<span>{}</span></span>',
        state.value,
        " state-large" if large else "",
        icon(LOOKS[state].icon),
        word,
    )


@register.simple_tag
def ago(when: datetime | None, never: str = "never") -> SafeString:
    """How long ago, with the absolute time in the title; the browser keeps it true."""
    if when is None:
        return format_html('<span class="muted">{}</span>', never)
    seconds = (timezone.now() - when).total_seconds()
    words = "just now" if seconds < 1 else f"{in_words(seconds)} ago"
    return _time(when, "ago", words)


@register.simple_tag
def since(when: datetime | None) -> SafeString:
    """How long something has lasted, without the word "ago"."""
    if when is None:
        return format_html('<span class="muted">{}</span>', "unknown")
    return _time(when, "since", in_words((timezone.now() - when).total_seconds()))


@register.simple_tag
def at(when: datetime | None, never: str = "never") -> SafeString:
    """An absolute time; the browser writes it in its reader's zone."""
    if when is None:
        return format_html('<span class="muted">{}</span>', never)
    return _time(when, "at", f"{when:%Y-%m-%d %H:%M:%S}")


def _time(when: datetime, style: str, words: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}" data-time="{}">{}</time>',
        when.isoformat(timespec="milliseconds"),
        f"{when:%Y-%m-%d %H:%M:%S} UTC",
        style,
        words,
    )


@register.filter
def duration(value: float | timedelta | None) -> str:
    """Seconds in words."""
    if value is None:
        return "\N{EN DASH}"
    return in_words(value.total_seconds() if isinstance(value, timedelta) else value)


@register.simple_tag
def bar(hours: Sequence[BarHour]) -> SafeString:
    """The bar of the last hours, oldest first; its label says what the colours say."""
    counts = Counter(hour.status for hour in hours)
    told = [f"{state.label.lower()} in {counts[state]}" for state in by_rank() if counts[state]]
    label = f"Last {len(hours)} hours: {', '.join(told) or 'nothing known'}"
    blocks = SafeString("".join(map(_block, hours)))
    return format_html('<span class="bar" role="img" aria-label="{}">{}</span>', label, blocks)


# A page has thousands of them, of which most are alike.
@lru_cache(maxsize=4096)
def _block(hour: BarHour) -> SafeString:
    return format_html('<span class="bar-{}" title="{}"></span>', hour.status, _hour_text(hour))


def _hour_text(hour: BarHour) -> str:
    end = hour.start + timedelta(hours=1)
    return f"{hour.start:%H:%M}\N{EN DASH}{end:%H:%M} UTC {hour.text}"


@register.simple_tag(takes_context=True)
def query_with(context: Context, **changes: Any) -> str:
    """The current query string with these keys set, or removed when None or empty."""
    return _query_with(context, changes)


def _query_with(context: Context, changes: dict[str, Any]) -> str:
    query = _query(context)
    query.pop(PAGE_KEY, None)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}"


def _query(context: Context) -> QueryDict:
    request = context.get("request")
    return request.GET.copy() if request is not None else QueryDict(mutable=True)


@register.simple_tag(takes_context=True)
def keep_query(context: Context, *without: str) -> SafeString:
    """Hidden fields that carry the query string through a GET form, but for the form's own keys."""
    dropped = {PAGE_KEY, "format", *without}
    pairs = [
        (key, value)
        for key, values in _query(context).lists()
        if key not in dropped
        for value in values
    ]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag(takes_context=True)
def chip(
    context: Context, key: str, value: str, label: str, count: int | None = None
) -> SafeString:
    """A filter as a link with its count; the chosen one is marked, and clears the filter."""
    chosen = _query(context).get(key, "") == value
    look = LOOKS[Status(value)] if key == "status" and value in Status.values else None
    return format_html(
        '<a class="chip{}" href="{}"{}>{}<span>{}</span>{}</a>',
        f" state-{value}" if look else "",
        _query_with(context, {key: None if chosen else value}),
        SafeString(' aria-current="true"') if chosen else "",
        icon(look.icon) if look and look.icon else "",
        label,
        "" if count is None else format_html("<b>{}</b>", f"{count:,}"),
    )


@register.simple_tag
def copy(text: str, label: str = "Copy") -> SafeString:
    """A button that copies this text; shown only where scripts run."""
    return format_html(
        '<button class="copy" type="button" data-copy="{}" aria-label="{}" title="{}">{}</button>',
        text,
        label,
        label,
        icon("copy"),
    )


@register.simple_tag(takes_context=True)
def live(
    context: Context, topics: str, *, id: str, url: str = "", every: str = "60s"
) -> SafeString:
    """The attributes of an element whose content is fetched again when one of the topics rings.

    Prints the id too. The element itself stays and its child elements are exchanged: htmx drops
    what rang during a request when the asking element has been replaced, and its `throttle` drops
    the last ring of a row, so the stream sets the pace (see live/views.py).
    What is inside keeps its own targets: htmx would hand these down to its forms and links.
    """
    address = url or context["request"].get_full_path()
    rings = [f"sse:{topic}" for topic in topics.split()]
    trigger = ", ".join([*rings, "live:resync from:body", f"every {every}"])
    return format_html(
        'id="{}" data-live hx-get="{}" hx-trigger="{}" hx-select="{}" hx-target="this"'
        ' hx-swap="innerHTML" hx-disinherit="hx-select hx-target hx-swap"',
        id,
        address,
        trigger,
        f"#{id} > *",
    )


@register.simple_tag(takes_context=True)
def here(context: Context, *names: str) -> SafeString:
    """Marks a menu's link when the page's URL name begins with one of these."""
    match = getattr(context.get("request"), "resolver_match", None)
    if match is None or not match.view_name.startswith(names):
        return SafeString("")
    return SafeString('aria-current="page"')


@register.inclusion_tag("_pager.html", takes_context=True)
def pager(context: Context, page: Any) -> dict[str, Any]:
    """Links to the first and the next page of a keyset page (core/paging.py)."""
    following = _query(context)
    following[PAGE_KEY] = page.following
    return {
        "page": page,
        "first": _query_with(context, {}),
        "next": f"?{following.urlencode()}",
    }
