"""A form's field for windows of the week: some rows, of which empty ones do not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count, takewhile
from typing import Any

from django import forms
from django.http import QueryDict
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from consulops.core.windows import DAYS, BadWindow, parse, stored, timezones

_ROWS_SHOWN = 3
_ROW_KEYS = ("begin", "end", "timezone")


class WindowsWidget(forms.Widget):
    """A row of seven boxes, two times and a zone for each window, and some empty rows."""

    use_fieldset = True

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """The rows, through a template of the project."""
        given = value or []
        empty = max(1, _ROWS_SHOWN - len(given))
        context = {
            "name": name,
            "rows": [_row(row) for row in [*given, *[{}] * empty]],
            "is_open": bool(given),
        }
        return SafeString(render_to_string("_windows.html", context))

    def value_from_datadict(
        self, data: Mapping[str, Any], files: Any, name: str
    ) -> list[dict[str, Any]]:
        """The rows in which anything but the zone was given."""
        numbers = takewhile(lambda number: f"{name}-{number}-timezone" in data, count())
        rows = [_given(data, f"{name}-{number}-") for number in numbers]
        return [row for row in rows if row["days"] or row["begin"] or row["end"]]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        """Boxes without a tick are not sent, so nothing can be told from their absence."""
        return False


class WindowsField(forms.Field):
    """Windows of the week as a list to store; the first mistake is told with its row."""

    widget = WindowsWidget

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """The rows as core/windows.py keeps them."""
        try:
            return stored(parse(value))
        except BadWindow as error:
            raise forms.ValidationError(_said(error)) from error


def _given(data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    days = (
        data.getlist(f"{prefix}days") if isinstance(data, QueryDict) else data.get(f"{prefix}days")
    )
    times = {key: str(data.get(prefix + key, "")).strip() for key in _ROW_KEYS}
    return {"days": list(days or []), **times}


def _row(value: Mapping[str, Any]) -> dict[str, Any]:
    chosen: Sequence[str] = value.get("days", ())
    return {
        "days": [(day, day.capitalize(), day in chosen) for day in DAYS],
        "begin": value.get("begin", ""),
        "end": value.get("end", ""),
        "zones": _options(value.get("timezone", "UTC")),
    }


# A page has several rows of 600 zones each, of which most are alike.
@lru_cache(maxsize=32)
def _options(chosen: str) -> SafeString:
    """All time zones to choose from; one that there is not stays, so that it can be seen."""
    return format_html_join(
        "",
        "<option{}>{}</option>",
        ((" selected" if name == chosen else "", name) for name in sorted({*timezones(), chosen})),
    )


def _said(error: BadWindow) -> str:
    """The mistake with the number of its row, as people count: "Row 2, timezone: …"."""
    number, _, setting = error.path.removeprefix("[").partition("]")
    if not number:
        return f"{error.text[:1].upper()}{error.text[1:]}."
    name = setting.lstrip(".").partition("[")[0]
    return f"Row {int(number) + 1}{f', {name}' if name else ''}: {error.text}."
