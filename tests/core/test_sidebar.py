"""The menu of every page: where one is, and the keys that lead there."""

from __future__ import annotations

import re

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def menu(html: str) -> dict[str, str]:
    """The word of each of its links, and the attributes."""
    (side,) = re.findall(r'<nav class="side".*?</nav>', html, re.S)
    links = re.findall(r"<li><a ([^>]*)>.*?<span>([^<]*)</span>", side, re.S)
    return {word: attributes for attributes, word in links}


@pytest.mark.parametrize(
    ("address", "entry"),
    [
        ("/", "Overview"),
        ("/services/", "Services"),
        ("/nodes/", "Nodes"),
        ("/checks/", "Checks"),
        ("/alerts/", "Alerts"),
        ("/history/", "Alerts"),
        ("/heatmap/", "Alerts"),
        ("/deliveries/", "Alerts"),
        ("/events/", "Events"),
        ("/events/handlers/new/", "Events"),
        ("/clusters/new/", "Clusters"),
        ("/notifiers/new/", "Notifiers"),
        ("/routes/", "Routes"),
        ("/routes/new/", "Routes"),
        ("/routes/would-tell/", "Routes"),
        ("/routes/noise/", "Routes"),
        ("/rules/new/", "Routes"),
        ("/silences/new/", "Silences"),
        ("/users/new/", "Users"),
        ("/audit/", "Audit"),
        ("/system/", "System"),
        ("/system/watchdog/", "System"),
    ],
)
def test_the_menu_says_where_one_is(as_admin: Client, address: str, entry: str) -> None:
    entries = menu(page(as_admin, address))
    assert [word for word, said in entries.items() if 'aria-current="page"' in said] == [entry]


def test_its_order(as_admin: Client, as_viewer: Client) -> None:
    words = (
        *("Overview", "Services", "Nodes", "Checks", "Alerts", "Events"),
        *("Clusters", "Notifiers", "Routes", "Silences", "Users", "Audit", "System"),
    )
    assert tuple(menu(page(as_admin, "/"))) == words
    assert tuple(menu(page(as_viewer, "/"))) == (*words[:-3], "System")


def test_the_list_of_keys_has_those_that_the_menu_answers_to(as_admin: Client) -> None:
    html = page(as_admin, "/")
    told = re.findall(r"<kbd>g</kbd> <kbd>(\w)</kbd></dt>\s*<dd>\s*(\w+)", html)
    answered = {
        key: word for word, said in menu(html).items() for key in re.findall('data-key="(.)"', said)
    }
    assert dict(told) == answered
    assert len(told) == len(answered) == 11
