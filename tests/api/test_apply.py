"""`apply` and `export`: idempotent, all or nothing, and every mistake with its place."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command

from consulops.accounts.models import AuditEntry
from consulops.alerts.models import Route
from consulops.clusters.models import Cluster
from consulops.notifiers.models import Notifier

pytestmark = pytest.mark.django_db(transaction=True)

FILE = """
clusters:
  - {name: dc1, address: "http://127.0.0.1:8500", token: "s3cret-token", datacenter: dc1}
notifiers:
  - {name: hook, kind: webhook, config: {url: "http://127.0.0.1:9999/hook"}}
routes:
  - name: databases
    match: {service: "postgres|redis", status: [critical]}
    wait_s: 30
    group_by: [cluster, service]
    continue: true
    notifiers: [hook]
  - name: everything
    match:
      {cluster: ".*", service: ".*", node: ".*", check: ".*", tag: ".*", status: [warning]}
    remind_every_s: 3600
    notifiers: [hook]
"""

Applied = tuple[int, list[str], list[str]]
Apply = Callable[..., Applied]


@pytest.fixture
def apply(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Apply:
    """Applies a text; gives the exit status and the lines of both outputs."""

    def run(text: str | bytes, *options: str) -> Applied:
        file = tmp_path / "file.yaml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        status = 0
        try:
            call_command("apply", str(file), *options)
        except SystemExit as stop:
            status = int(str(stop.code))
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err.splitlines()

    return run


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def run(*options: str) -> str:
        call_command("export", *options)
        return capsys.readouterr().out

    return run


def counts() -> tuple[int, int, int, int]:
    return (
        Cluster.objects.count(),
        Notifier.objects.count(),
        Route.objects.count(),
        AuditEntry.objects.count(),
    )


def test_the_contracts_file_twice(apply: Apply) -> None:
    names = ["cluster dc1", "notifier hook", "route databases", "route everything"]
    assert apply(FILE) == (0, [f"created {name}" for name in names], [])
    before = counts()
    assert apply(FILE) == (0, [f"unchanged {name}" for name in names], [])
    assert counts() == before

    cluster = Cluster.objects.get()
    assert (cluster.address, cluster.token) == ("http://127.0.0.1:8500", "s3cret-token")
    first, second = Route.objects.all()
    assert (first.name, first.continues, first.wait_s) == ("databases", True, 30)
    assert first.group_by == ["cluster", "service"]
    assert (second.name, second.continues, second.remind_every_s) == ("everything", False, 3600)
    assert [notifier.name for notifier in second.notifiers.all()] == ["hook"]
    assert set(AuditEntry.objects.values_list("actor_name", flat=True)) == {"apply"}
    assert not any("s3cret" in str(entry.detail) for entry in AuditEntry.objects.all())


def test_what_changed_is_said(apply: Apply) -> None:
    apply(FILE)
    changed = FILE.replace("8500", "8501").replace("wait_s: 30", "wait_s: 31")
    status, out, _ = apply(changed.replace("/hook", "/other"))
    assert status == 0
    assert out == [
        "changed cluster dc1 (address)",
        "changed notifier hook (settings)",
        "changed route databases (wait_s)",
        "unchanged route everything",
    ]


def test_what_is_left_out_gets_its_default_but_secrets_stay(apply: Apply) -> None:
    apply(FILE)
    apply('clusters: [{name: dc1, address: "http://127.0.0.1:8500"}]')
    cluster = Cluster.objects.get()
    assert (cluster.datacenter, cluster.token) == ("", "s3cret-token")
    apply('clusters: [{name: dc1, address: "http://127.0.0.1:8500", token: ""}]')
    assert Cluster.objects.get().token == ""


def test_dry_run_says_the_same_and_changes_nothing(apply: Apply) -> None:
    before = counts()
    status, out, _ = apply(FILE, "--dry-run")
    assert status == 0
    assert out[0] == "created cluster dc1"
    assert out[-1] == "Dry run: nothing was changed."
    assert counts() == before


def test_the_order_of_the_file_is_the_order_of_the_routes(apply: Apply) -> None:
    apply(FILE)
    apply("routes: [{name: z}, {name: everything}]")
    assert [route.name for route in Route.objects.all()] == ["z", "everything", "databases"]


def test_prune_removes_only_in_sections_that_the_file_has(apply: Apply) -> None:
    apply(FILE)
    status, out, _ = apply("routes: [{name: other, notifiers: [hook]}]", "--prune")
    assert status == 0
    assert out == ["created route other", "removed route databases", "removed route everything"]
    assert counts()[:3] == (1, 1, 1)
    status, out, _ = apply("{clusters: [], notifiers: [], routes: []}", "--prune")
    assert out == ["removed route other", "removed notifier hook", "removed cluster dc1"]
    assert counts()[:3] == (0, 0, 0)


def test_prune_leaves_a_notifier_that_is_used(apply: Apply) -> None:
    apply(FILE)
    before = counts()
    status, _, err = apply("notifiers: []", "--prune")
    assert status == 2
    assert err[0] == "notifiers: 'hook' cannot be removed: It is used by databases, everything."
    assert counts() == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty"),
        ("# only a comment", "the file is empty"),
        ("- a", "the file must hold sections such as clusters:, notifiers: and routes:"),
        (b"clusters: \xff", "the file is not UTF-8: bad byte at position 10"),
        ("clusters: [", "line 1, column 12: "),
        ("a: 1\n---\nb: 2", "line 2, column 1: "),
        ("clusters: []\nclusters: []", "line 2, column 1: the key 'clusters' stands twice"),
        ("clusters: [{name: a, name: b}]", "line 1, column 22: the key 'name' stands twice"),
        ("clusters: [{on: a}]", "line 1, column 13: the key True is not text; put it in quotes"),
        ("clusters: !!python/object:os.system x", "line 1, column 11: could not determine"),
        ("a: &a [*a]", "an anchor holds itself"),
        ("[" * 3000, "the file is nested too deeply"),
        ("routes: [{name: 2026-02-31}]", "a value cannot be read: day is out of range"),
        ("routes: [{name: 2026-02-01}]", "routes[0].name: must be text; put it in quotes"),
        ("routes: [{name: on}]", "routes[0].name: must be text; put it in quotes"),
        ('routes: [{name: "a\\0b"}]', "routes[0].name: this text holds a character that"),
        ("storages: []", "storages: this version of ConsulOps has no such section yet"),
        ("cluster: []", "cluster: there is no such section"),
        ("clusters: {name: dc1}", "clusters: must be a list"),
        ("clusters: [dc1]", "clusters[0]: must hold settings"),
        ("clusters: [{name: dc1}]", "clusters[0].address: this is missing"),
        ("clusters: [{name: a b, address: 'http://h'}]", "clusters[0].name: Use letters, digits"),
        ("clusters: [{name: a, address: 'http://u:p@h'}]", "clusters[0].address: "),
        ("clusters: [{name: a, address: 'http://h/ui'}]", "clusters[0].address: "),
        ("clusters: [{name: a, address: 'http://h', x: 1}]", "clusters[0].x: there is no such"),
        ("notifiers: [{name: n, kind: pigeon}]", "notifiers[0].kind: There is no kind pigeon"),
        ("notifiers: [{name: n, kind: webhook}]", "notifiers[0].config.url: "),
        ("routes: [{name: r, wait_s: '5'}]", "routes[0].wait_s: must be a whole number"),
        ("routes: [{name: r, wait_s: -5}]", "routes[0].wait_s: input should be greater than"),
        ("routes: [{name: r, wait_s: 1e99}]", "routes[0].wait_s: must be a whole number"),
        ("routes: [{name: r, group_by: [rack]}]", "routes[0].group_by[0]: input should be"),
        ("routes: [{name: r, match: {service: '('}}]", "routes[0].match.service: no regular"),
        ("routes: [{name: r, match: {colour: red}}]", "routes[0].match.colour: no such matcher"),
        ("routes: [{name: r, match: {status: [critical, bad]}}]", "routes[0].match.status[1]: "),
        ("routes: [{name: r, notifiers: [x]}]", "routes[0].notifiers[0]: there is no notifier 'x'"),
        ("routes: [{name: r}, {name: r}]", "routes[1].name: 'r' is the name of routes[0] already"),
    ],
)
def test_a_mistake_has_its_place_and_changes_nothing(
    apply: Apply, text: str | bytes, problem: str
) -> None:
    before = counts()
    status, out, err = apply(text)
    assert status == 2
    assert out == []
    assert err[0].startswith(problem)
    assert err[-1] == "Nothing was changed."
    assert counts() == before


def test_all_mistakes_are_told_at_once_and_what_is_right_is_not_kept(apply: Apply) -> None:
    status, _, err = apply(
        """
clusters:
  - {name: good, address: "http://127.0.0.1:8500"}
  - {name: dc1, address: "ftp://x", tokn: y}
  - {name: dc2, address: "ftp://x"}
notifiers: [{name: h, kind: pigeon}]
routes:
  - {name: a, match: {service: "("}, notifiers: [h, ghost]}
"""
    )
    assert status == 2
    places = [line.split(":")[0] for line in err[:-1]]
    assert places == [
        "clusters[1].tokn",
        "clusters[2].address",
        "notifiers[0].kind",
        "routes[0].match.service",
        "routes[0].notifiers[1]",
    ]
    assert counts() == (0, 0, 0, 0)


def test_an_alias_bomb_is_refused_quickly(apply: Apply) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        parts = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{parts}]")
    status, _, err = apply("\n".join(lines))
    assert (status, err[0]) == (2, "the file holds too much")


def test_a_huge_file_is_refused(apply: Apply) -> None:
    assert apply("#" * 5_000_000)[2][0] == "the file is larger than 4 MB"


def test_anchors_are_fine(apply: Apply) -> None:
    status, out, _ = apply(
        """
clusters:
  - &base {name: a, address: "http://127.0.0.1:8500", colour: red}
  - {<<: *base, name: b}
"""
    )
    assert (status, out) == (0, ["created cluster a", "created cluster b"])
    assert Cluster.objects.get(name="b").colour == "red"


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call_command("apply", "/does/not/exist.yaml")
    assert stop.value.code == 2
    assert "cannot read /does/not/exist.yaml: No such file" in capsys.readouterr().err


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(FILE.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    call_command("apply", "-")
    assert Cluster.objects.get().name == "dc1"


def test_export_leaves_secrets_out_and_is_taken_back_unchanged(
    apply: Apply, export: Callable[..., str]
) -> None:
    apply(FILE)
    text = export()
    assert "s3cret" not in text
    assert list(yaml.safe_load(text)["routes"][1]["match"]) == [
        *("cluster", "service", "node", "check", "tag", "status"),
    ]
    _, out, _ = apply(text, "--prune")
    assert {line.split()[0] for line in out} == {"unchanged"}


def test_export_with_secrets_makes_the_same_elsewhere(
    apply: Apply, export: Callable[..., str]
) -> None:
    apply(FILE)
    text = export("--secrets")
    apply("{clusters: [], notifiers: [], routes: []}", "--prune")
    apply(text)
    assert Cluster.objects.get().token == "s3cret-token"
    assert export("--secrets") == text


def test_export_of_nothing_is_a_file_too(apply: Apply, export: Callable[..., str]) -> None:
    assert apply(export()) == (0, [], [])


def worded(body: str) -> str:
    config = '{url: "http://127.0.0.1:9999/", content_type: text/plain}'
    return f"notifiers: [{{name: hook, kind: http, config: {config}, body_template: {body!r}}}]"


def test_own_words_go_in_and_out(apply: Apply, export: Callable[..., str]) -> None:
    assert apply(worded("{{ title }}!"))[1] == ["created notifier hook"]
    assert Notifier.objects.get().body_template == "{{ title }}!"
    text = export()
    assert yaml.safe_load(text)["notifiers"][0]["body_template"] == "{{ title }}!"
    assert apply(text)[1] == ["unchanged notifier hook"]
    assert apply(worded("{{ counts }}"))[1] == ["changed notifier hook (settings)"]


def test_wrong_words_have_their_place_and_change_nothing(apply: Apply) -> None:
    status, _, err = apply(worded("{{ nodes }}"))
    assert status == 2
    assert err[0].startswith("notifiers[0].body_template: Line 1: 'nodes' is undefined")
    assert not Notifier.objects.exists()
