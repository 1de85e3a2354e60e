"""What people type about accounts, and what they ask of the audit record."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import PasswordChangeForm, UsernameField

from consulops.accounts.models import AuditEntry, AuditQuerySet, Role, User

_NEW_PASSWORD = forms.PasswordInput(attrs={"autocomplete": "new-password"})
_WHEN = forms.DateTimeInput(attrs={"type": "datetime-local"})
_GOOD = "At least 10 characters, neither a common password nor like your name."
_MADE_UP = "Leave it empty to have one made up. It is shown once, on the next page."


class PasswordForm(PasswordChangeForm):
    """A new password of one's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django's text is a list, which may not stand inside our paragraph.
        self.fields["new_password1"].help_text = _GOOD
        self.fields["new_password2"].label = "New password again"
        self.fields["new_password2"].help_text = ""


class NewUserForm(forms.Form):
    """A new person; an empty password means: make one up."""

    username = UsernameField(
        max_length=150,
        validators=[User.username_validator],
        help_text="Letters, digits and @ . + - _",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(
        choices=Role.choices,
        help_text="Viewers look, operators also acknowledge and run, admins also configure.",
    )
    password = forms.CharField(
        required=False, strip=False, widget=_NEW_PASSWORD, help_text=_MADE_UP
    )

    def clean_username(self) -> str:
        name: str = self.cleaned_data["username"]
        # "Ada" beside "ada" would only serve to mistake one for the other.
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError("This name is taken.")
        return name

    def clean(self) -> dict[str, Any] | None:
        name = self.cleaned_data.get("username", "")
        _validate(self, "password", User(username=name))
        return self.cleaned_data


class UserForm(forms.Form):
    """What a person may do, and whether they may sign in."""

    role = forms.ChoiceField(choices=Role.choices)
    is_active = forms.BooleanField(
        required=False,
        label="May sign in",
        help_text="Switched off, a person is out at their next click. Their audit entries stay.",
    )


class ResetForm(forms.Form):
    """A new password for somebody else; empty means: make one up."""

    new_password = forms.CharField(
        required=False, strip=False, widget=_NEW_PASSWORD, help_text=_MADE_UP
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any] | None:
        _validate(self, "new_password", self.user)
        return self.cleaned_data


class AuditFilter(forms.Form):
    """The query string of the audit page; a part that cannot be read counts as absent."""

    actor = forms.CharField(required=False, label="Who", max_length=150)
    action = forms.CharField(required=False, label="Action", max_length=60)
    object = forms.CharField(required=False, label="Object", max_length=255)
    since = forms.DateTimeField(
        required=False,
        label="From (UTC)",
        widget=_WHEN,
    )
    until = forms.DateTimeField(
        required=False,
        label="Until (UTC)",
        widget=_WHEN,
    )

    def entries(self) -> AuditQuerySet:
        """The entries that are asked for, not yet in any order."""
        self.is_valid()
        asked = self.cleaned_data
        found = AuditEntry.objects.all()
        if asked.get("actor"):
            found = found.filter(actor_name=asked["actor"])
        if asked.get("action"):
            found = found.filter(action__startswith=asked["action"])
        if asked.get("object"):
            found = found.about(asked["object"])
        if asked.get("since"):
            found = found.filter(at__gte=asked["since"])
        if asked.get("until"):
            found = found.filter(at__lte=asked["until"])
        return found


def _validate(form: forms.Form, field: str, user: User) -> None:
    if password := form.cleaned_data.get(field):
        try:
            password_validation.validate_password(password, user)
        except forms.ValidationError as error:
            form.add_error(field, error)
