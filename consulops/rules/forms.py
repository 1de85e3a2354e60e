"""The form of a service rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms

from consulops.core.status import FAILING
from consulops.health.matching import LONGEST_PATTERN, METAS, BadMatch
from consulops.rules.counting import MATCHERS, compiled
from consulops.rules.models import ServiceRule

_MATCH = "match_"
_NUMBER, _PERCENT = "number", "percent"
_MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
_HELP = {
    "cluster": "<code>dc1|dc2</code>",
    "service": "<code>web-.*</code>. Each service is judged on its own.",
    "service_id": "The instance's id: <code>web-[0-9]+</code>",
    "node": "<code>db-[0-9]+</code>",
    "tag": "One of the service's tags has to agree.",
}
_META_HELP = "One in a line, as <code>key: expression</code>; all have to agree."


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A new rule, or the settings of one; each matcher has a field of its own."""

    least = forms.IntegerField(label="At least", min_value=1, max_value=1_000_000, initial=1)
    unit = forms.ChoiceField(
        label="Of what",
        choices=[(_NUMBER, "instances"), (_PERCENT, "% of the instances")],
        widget=forms.RadioSelect,
        initial=_NUMBER,
    )
    status = forms.ChoiceField(
        label="Otherwise it is",
        choices=[(status.value, status.label) for status in FAILING],
        widget=forms.RadioSelect,
        initial=FAILING[0].value,
    )

    class Meta:
        model = ServiceRule
        fields = ("name", "enabled", "warning_passes", "status")
        labels = {"enabled": "Use this rule", "warning_passes": "A warning counts as passing"}
        help_texts = {
            "name": "How people and messages call it.",
            "enabled": "Switched off, it says nothing, and what it has said is over.",
            "warning_passes": "As it does for Consul's own DNS. Maintenance never does.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        match = self.instance.match
        for name in MATCHERS:
            is_meta = name in METAS
            self.fields[_MATCH + name] = forms.CharField(
                label=name.replace("_", " ").capitalize(),
                required=False,
                max_length=None if is_meta else LONGEST_PATTERN,
                strip=False,
                initial=_lines(match.get(name, {})) if is_meta else match.get(name, ""),
                help_text=_HELP.get(name, _META_HELP),
                widget=forms.Textarea(attrs={**_MONO, "rows": 2})
                if is_meta
                else forms.TextInput(attrs=_MONO),
            )
        if self.instance.least_percent is not None:
            self.initial.update(least=self.instance.least_percent, unit=_PERCENT)
        elif self.instance.least_passing is not None:
            self.initial.update(least=self.instance.least_passing, unit=_NUMBER)

    def clean_match_service_meta(self) -> dict[str, str]:
        return _pairs(self.cleaned_data["match_service_meta"])

    def clean_match_node_meta(self) -> dict[str, str]:
        return _pairs(self.cleaned_data["match_node_meta"])

    def clean(self) -> dict[str, Any]:
        """Tries the matchers and the measure, and puts what is wrong beside its field."""
        super().clean()
        try:
            compiled(self.match())
        except BadMatch as error:
            name = error.path.partition(".")[0]
            self.add_error(_MATCH + name, error.text[:1].upper() + error.text[1:] + ".")
        if self.cleaned_data.get("unit") == _PERCENT and self.cleaned_data.get("least", 0) > 100:
            self.add_error("least", "At most 100 %.")
        # The model's constraint is told of it as well.
        self.instance.least_passing, self.instance.least_percent = self._measure()
        return self.cleaned_data

    def _measure(self) -> tuple[int | None, int | None]:
        least = self.cleaned_data.get("least") or 1
        return (None, least) if self.cleaned_data.get("unit") == _PERCENT else (least, None)

    def match(self) -> dict[str, Any]:
        """The matchers, as rules store them; empty ones are left out."""
        return {
            name: self.cleaned_data[_MATCH + name]
            for name in MATCHERS
            if self.cleaned_data.get(_MATCH + name)
        }

    def values(self) -> dict[str, Any]:
        """The settings to save, but for the name."""
        least_passing, least_percent = self._measure()
        return {
            "match": self.match(),
            "least_passing": least_passing,
            "least_percent": least_percent,
            **{name: self.cleaned_data[name] for name in self.Meta.fields if name != "name"},
        }

    def unsaved(self) -> ServiceRule:
        """The rule that the form asks for, for a preview; matchers and measure must be right."""
        wanted = ("least_passing", "least_percent", "match", "status", "warning_passes")
        values = self.values()
        return ServiceRule(name="preview", **{name: values[name] for name in wanted})

    def wrong_for_preview(self) -> list[tuple[str, str]]:
        """What keeps the rule from being tried, as label and text."""
        return [
            (str(self[name].label), str(text))
            for name, texts in self.errors.items()
            if name.startswith(_MATCH) or name in ("least", "unit", "status")
            for text in texts
        ]

    def match_fields(self) -> Iterator[forms.BoundField]:
        """The fields of the matchers."""
        return (self[_MATCH + name] for name in MATCHERS)


def _lines(pairs: dict[str, str]) -> str:
    return "\n".join(f"{key}: {pattern}" for key, pattern in pairs.items())


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key, colon, pattern = (part.strip() for part in line.partition(":"))
        if not line.strip():
            continue
        if not key or not colon:
            raise forms.ValidationError(f"Line {number}: write it as key: expression.")
        if key in found:
            raise forms.ValidationError(f"Line {number}: {key} stands twice.")
        found[key] = pattern
    return found
