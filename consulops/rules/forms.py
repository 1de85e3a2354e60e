"""The form of a service rule."""

from __future__ import annotations

from typing import Any

from django import forms

from consulops.core.status import FAILING
from consulops.health.matcher_forms import PREFIX, MatcherFields
from consulops.rules.counting import MATCHERS
from consulops.rules.models import ServiceRule

_NUMBER, _PERCENT = "number", "percent"


class RuleForm(MatcherFields, forms.ModelForm):  # type: ignore[type-arg]  # not at run time
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
        self.add_matchers(self.instance.match, MATCHERS)
        self.fields[
            f"{PREFIX}service"
        ].help_text = "<code>web-.*</code>. Each service is judged on its own."
        if self.instance.least_percent is not None:
            self.initial.update(least=self.instance.least_percent, unit=_PERCENT)
        elif self.instance.least_passing is not None:
            self.initial.update(least=self.instance.least_passing, unit=_NUMBER)

    def clean(self) -> dict[str, Any]:
        """Tries the matchers and the measure, and puts what is wrong beside its field."""
        super().clean()
        self.try_matchers()
        if self.cleaned_data.get("unit") == _PERCENT and self.cleaned_data.get("least", 0) > 100:
            self.add_error("least", "At most 100 %.")
        # The model's constraint is told of it as well.
        self.instance.least_passing, self.instance.least_percent = self._measure()
        return self.cleaned_data

    def _measure(self) -> tuple[int | None, int | None]:
        least = self.cleaned_data.get("least") or 1
        return (None, least) if self.cleaned_data.get("unit") == _PERCENT else (least, None)

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
            *self.wrong_matchers(),
            *(
                (str(self[name].label), str(text))
                for name in ("least", "unit", "status")
                for text in self.errors.get(name, ())
            ),
        ]
