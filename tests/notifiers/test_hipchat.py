"""HipChat is over: its settings can be kept, and nothing can be sent."""

from __future__ import annotations

import pytest

from consulops.notifiers.base import SendError
from consulops.notifiers.config import from_config
from tests.notifiers.conftest import Send
from tests.notifiers.harness import message


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
