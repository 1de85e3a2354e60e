"""HipChat is over: its settings can be kept, and nothing can be sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from consulops.notifiers.base import SendError
from consulops.notifiers.config import from_config
from consulops.notifiers.kinds.hipchat import HipChat
from consulops.notifiers.models import Notifier
from tests.notifiers.conftest import Send
from tests.notifiers.harness import message
from tests.notifiers.pages import posted, text


def test_settings_of_consul_alerts_can_be_kept() -> None:
    config = {
        "room_id": "ops",
        "auth_token": "s3cr3t",
        "base_url": "https://api.hipchat.com/v2/",
        "sender": "Consul",
    }
    kept, secrets = from_config("hipchat", config)
    assert {**kept, **secrets} == config
    assert secrets == {"auth_token": "s3cr3t"}


def test_message_fails_at_once_and_says_why(send: Send) -> None:
    with pytest.raises(SendError, match="HipChat ended in February 2019") as caught:
        send("hipchat", {}, message())
    assert caught.value.permanent


def test_form_says_it_and_keeps_it_switched_off(as_admin: Client) -> None:
    page = text(as_admin, reverse("notifiers:new"), kind="hipchat")
    assert HipChat.ended in page
    box = re.search(r'<input[^>]*name="enabled"[^>]*>', page)
    assert box
    assert "disabled" in box[0]
    assert "checked" not in box[0]
    as_admin.post(reverse("notifiers:new"), posted(kind="hipchat", config_room_id="ops"))
    saved = Notifier.objects.get()
    assert (saved.kind, saved.enabled) == ("hipchat", False)


@pytest.mark.django_db(transaction=True)
def test_file_may_name_it_only_switched_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("notifiers: [{name: old, kind: hipchat}]")
    with pytest.raises(SystemExit):
        call_command("apply", str(file))
    assert HipChat.ended in capsys.readouterr().err
    file.write_text("notifiers: [{name: old, kind: hipchat, enabled: false}]")
    call_command("apply", str(file))
    assert not Notifier.objects.get().enabled
