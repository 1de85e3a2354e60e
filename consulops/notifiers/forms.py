"""The form of a notifier, made from the fields that its kind declares."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils.html import format_html
from django.utils.safestring import SafeString

from consulops.core.crypto import WrongKey
from consulops.notifiers import config, samples
from consulops.notifiers.base import Kind
from consulops.notifiers.models import Notifier
from consulops.notifiers.sandbox import LONGEST_TEMPLATE
from consulops.notifiers.wording import PLAIN, Wording

_CONFIG, _CLEAR = "config_", "clear_"


class SecretTextarea(forms.Textarea):
    """A text area that never sends back what was typed."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


class KindForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A row with a kind: the fields that its kind declares, and secrets that never come back.

    An empty secret means: keep the one that is there. A valid form has written everything into
    its `instance`, secrets too.
    """

    def __init__(self, kind: type[Kind], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind = kind
        same = self.instance.kind == kind.name
        self.kept, self.unreadable = _kept(self.instance) if same else ({}, "")
        for name, declared in kind.fields.items():
            self.fields[_CONFIG + name] = self._made(name, declared)
            if name in self.kept and not declared.required:
                self.fields[_CLEAR + name] = forms.BooleanField(
                    label=f"Remove the kept {self.fields[_CONFIG + name].label}", required=False
                )
            if same and name in self.instance.config:
                self.initial[_CONFIG + name] = self.instance.config[name]

    def _made(self, name: str, declared: forms.Field) -> forms.Field:
        field = copy.deepcopy(declared)
        field.label = field.label or name.replace("_", " ").capitalize()
        if isinstance(field.widget, forms.Textarea):
            field.widget.attrs |= {"rows": 4, "class": "mono", "spellcheck": "false"}
        if name in self.kind.secret_fields:
            field.widget = _secret_widget(field.widget)
            if name in self.kept:
                field.required = False
                field.help_text = self._kept_note()
            elif self.unreadable:
                field.help_text = format_html("<b>{}</b>", self.unreadable)
        return field

    def _kept_note(self) -> SafeString:
        when = self.instance.secrets_at
        on = f"Set on {when:%Y-%m-%d %H:%M} UTC." if when else "Set."
        return format_html("<b>{}</b> Leave empty to keep it.", on)

    def clean(self) -> dict[str, Any]:
        """Parts the settings from the secrets, and asks the kind whether they fit together."""
        super().clean()
        if any(name.startswith(_CONFIG) for name in self.errors):
            return self.cleaned_data
        values = {name: self._value(name) for name in self.kind.fields}
        for name, texts in self.kind.problems(values).items():
            for text in texts:
                self.add_error(_CONFIG + name, text)
        self.instance.kind = self.kind.name
        self.instance.config, self.instance.secrets = config.part(self.kind, values)
        return self.cleaned_data

    def _value(self, name: str) -> Any:
        given = self.cleaned_data[_CONFIG + name]
        if given or name not in self.kept:
            return given
        return given if self.cleaned_data.get(_CLEAR + name) else self.kept[name]

    def ask_again(self) -> None:
        """Tells the person to type secrets again: a page that is shown again has lost them."""
        for name in map(_CONFIG.__add__, sorted(self.kind.secret_fields)):
            if self.data.get(self.add_prefix(name)) and name not in self.errors:
                self.add_error(name, "Enter it again: a secret is not sent back to the page.")

    def reasons(self) -> list[tuple[str, str]]:
        """Everything that is wrong, as label and text."""
        return [
            ("" if name == NON_FIELD_ERRORS else str(self[name].label), str(text))
            for name, texts in self.errors.items()
            for text in texts
        ]

    def kind_fields(self) -> Iterator[forms.BoundField]:
        """The fields of the kind, each secret followed by the box that removes it."""
        for name in self.kind.fields:
            yield self[_CONFIG + name]
            if _CLEAR + name in self.fields:
                yield self[_CLEAR + name]


class TemplateField(forms.CharField):
    """A template of a message; browsers end lines in another way than everybody else."""

    def __init__(self, rows: int, **options: Any) -> None:
        attrs = {"class": "mono", "spellcheck": "false", "rows": rows}
        widget = forms.Textarea(attrs=attrs)
        super().__init__(
            widget=widget, required=False, strip=False, max_length=LONGEST_TEMPLATE, **options
        )

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value)).replace("\r\n", "\n")
        return text if text.strip() else ""


class NotifierForm(KindForm):
    """A new notifier, or the settings of one; templates are tried before they are stored."""

    subject_template = TemplateField(
        rows=2,
        help_text="Made into one line. Empty: the notifier's own words.",
    )
    body_template = TemplateField(rows=8, help_text="Empty: the notifier's own words.")

    class Meta:
        model = Notifier
        fields = (
            "name",
            "enabled",
            "timeout_s",
            "concurrency",
            "subject_template",
            "body_template",
        )
        labels = {
            "enabled": "Send messages",
            "timeout_s": "Timeout in seconds",
            "concurrency": "Messages at a time",
        }
        help_texts = {
            "name": "How routes and people call it.",
            "enabled": "Switched off, it gets no new messages, and those that wait go on waiting.",
            "timeout_s": "After this long without an answer the message is tried again later.",
            "concurrency": "More than these wait for their turn.",
        }

    def __init__(self, kind: type[Kind], *args: Any, **kwargs: Any) -> None:
        super().__init__(kind, *args, **kwargs)
        # The templates as they were typed, right or wrong.
        self.wording = PLAIN
        for part, name in samples.FIELDS.items():
            if part not in kind.templated:
                del self.fields[name]
        if kind.ended:
            self.fields["enabled"].disabled = True
            self.initial["enabled"] = False

    @property
    def settings(self) -> dict[str, Any]:
        """The cleaned settings of the kind, as far as they are right."""
        return {name: self.cleaned_data.get(_CONFIG + name) for name in self.kind.fields}

    def clean(self) -> dict[str, Any]:
        super().clean()
        typed = (self.cleaned_data.get(name, "") for name in samples.FIELDS.values())
        self.wording = Wording(*typed)
        for name, texts in samples.problems(self.kind, self.settings, self.wording).items():
            for text in texts:
                self.add_error(name, text)
        return self.cleaned_data

    @property
    def is_worded(self) -> bool:
        """Whether there is any template, stored or just typed."""
        return any(self[name].value() for name in samples.FIELDS.values() if name in self.fields)

    def wording_fields(self) -> list[forms.BoundField]:
        """The templates that this kind takes."""
        return [self[name] for name in samples.FIELDS.values() if name in self.fields]

    def common_fields(self) -> Iterator[forms.BoundField]:
        """The fields that every notifier has, but for its name."""
        return (self[name] for name in ("enabled", "timeout_s", "concurrency"))


def _kept(row: Any) -> tuple[dict[str, Any], str]:
    """The stored secrets, or none and why they cannot be read."""
    try:
        return dict(row.secrets), ""
    except WrongKey as error:
        return {}, str(error)


def _secret_widget(widget: forms.Widget) -> forms.Widget:
    attrs = {**widget.attrs, "autocomplete": "off", "class": "mono"}
    if isinstance(widget, forms.Textarea):
        return SecretTextarea(attrs=attrs)
    return forms.PasswordInput(attrs=attrs)
