"""From the settings of consul-alerts' notifiers to those of ours. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from consulops.api.consul_alerts import findings, gotemplates
from consulops.api.consul_alerts.findings import Finding
from consulops.api.consul_alerts.parsing import BadValue, boolean, load, number, strings

DEFAULT_LOG = "/tmp/consul-notifications.log"  # noqa: S108 - consul-alerts' own default
DEFAULT_CLUSTER_NAME = "Consul-Alerts"
# As the code has it, and as the documentation does.
_DEFAULT_NAMES = (DEFAULT_CLUSTER_NAME, "Consul Alerts")
_LOCAL = ("localhost", "127.0.0.1", "::1", "")


@dataclass(slots=True)
class Work:
    """One notifier on its way: what it has in consul-alerts, and what it gets here."""

    key: str
    settings: Mapping[str, str]
    config: dict[str, Any] = field(default_factory=dict)
    body_template: str = ""
    # From our fields to its settings, for errors.
    origins: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def put(self, ours: str, theirs: str, value: Any) -> None:
        """Sets one of our fields; the key of their setting is where it comes from."""
        self.config[ours], self.origins[ours] = value, theirs

    def key_of(self, theirs: str) -> str:
        return f"{self.key}/{theirs}"

    def get(self, theirs: str, default: str = "") -> str:
        return self.settings.get(theirs) or default


@dataclass(frozen=True, slots=True)
class Shape:
    """How one of consul-alerts' notifiers becomes a kind of ours."""

    kind: str
    # Their setting to our field, as it is.
    same: Mapping[str, str] = field(default_factory=dict)
    # Settings that `finish` reads, and those of which there is only something to say.
    read: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    finish: Callable[[Work], None] | None = None
    # Something to know about every notifier of the sort.
    remark: str = ""


def translate(name: str, work: Work) -> Shape | None:
    """Fills in `work` and says which kind it is; None for what consul-alerts does not have."""
    shape = SHAPES.get(name)
    if shape is None:
        work.findings.append(findings.lost(work.key, "consul-alerts has no such notifier."))
        return None
    for setting, value in work.settings.items():
        if setting in shape.same:
            _copy(work, setting, shape.same[setting], value)
        elif setting in shape.said:
            work.findings += _SAID[setting](work.key_of(setting), value)
        elif setting != "enabled" and setting not in shape.read:
            text = "This notifier of consul-alerts has no such setting."
            work.findings.append(findings.lost(work.key_of(setting), text))
    if shape.finish is not None:
        shape.finish(work)
    if shape.remark:
        work.findings.append(findings.changed(work.key, shape.remark))
    return shape


def _copy(work: Work, setting: str, ours: str, value: str) -> None:
    if setting in _FLAGS:
        try:
            work.put(ours, setting, boolean(value))
        except BadValue as error:
            work.findings.append(findings.lost(work.key_of(setting), str(error)))
    elif value:
        work.put(ours, setting, value)


def _cluster_name(key: str, value: str) -> list[Finding]:
    text = f"Messages name the cluster as ConsulOps does, not “{value}”."
    is_own = bool(value) and value not in _DEFAULT_NAMES
    return [findings.changed(key, text)] if is_own else []


def _template(key: str, value: str) -> list[Finding]:
    text = f"The file {value} is not read; write its words as the notifier's template."
    return [findings.lost(key, text)] if value else []


def _retry(key: str, value: str) -> list[Finding]:
    text = "Every message is tried again for 24 hours, ever more slowly."
    return [findings.note(key, text)] if value else []


_NAME = ("cluster-name",)
_NAME_AND_TEMPLATE = ("cluster-name", "template")
_FLAGS = frozenset({"detailed"})
_SAID: Mapping[str, Callable[[str, str], list[Finding]]] = {
    "cluster-name": _cluster_name,
    "template": _template,
    "max-retry": _retry,
    "retry-base-interval": _retry,
}


def _email(work: Work) -> None:
    host, colon, port = work.get("url").rpartition(":")
    if not (colon and port.isdecimal()):
        host, port = work.get("url"), ""
    work.put("host", "url", host)
    try:
        wanted = number(work.get("port", port or "0"))
        work.put("recipients", "receivers", strings(work.get("receivers", "[]")))
    except BadValue as error:
        work.findings.append(findings.lost(work.key, f"port or receivers: {error}"))
        return
    secured = "tls" if wanted == 465 else "starttls"
    if wanted != 465 and not (work.get("username") and host not in _LOCAL):
        secured = "plain"
        text = "Mails go unencrypted; consul-alerts used STARTTLS where the server offered it."
        work.findings.append(findings.changed(work.key_of("url"), text))
    work.put("security", "url", secured)
    work.put("port", "port", wanted or 25)
    one_per = [name for name in ("one-per-alert", "one-per-node") if _is_true(work, name)]
    if one_per:
        work.put("mails", one_per[0], one_per[0].removeprefix("one-per-"))
    name = work.get("cluster-name")
    if name and name not in _DEFAULT_NAMES:
        work.put("subject_prefix", "cluster-name", f"[{name}]")


def _is_true(work: Work, setting: str) -> bool:
    try:
        return boolean(work.get(setting, "false"))
    except BadValue as error:
        work.findings.append(findings.lost(work.key_of(setting), str(error)))
        return False


def _log(work: Work) -> None:
    path = work.get("path", DEFAULT_LOG)
    name = PurePosixPath(path).name
    work.put("path", "path", name)
    work.put("format", "path", "consul-alerts")
    text = f"Instead of {path} it writes {name} in the folder “notifications” of the data folder."
    work.findings.append(findings.changed(work.key_of("path"), text))


def _influxdb(work: Work) -> None:
    _address(work, "url", "host")
    work.put("version", "host", "1")
    work.put("measurement", "series-name", work.get("series-name", "consul-alerts"))


def _mattermost(work: Work) -> None:
    _address(work, "url", "url")


def _address(work: Work, ours: str, theirs: str) -> None:
    value = work.get(theirs)
    work.put(ours, theirs, value if "://" in value or not value else f"http://{value}")


def _jsm(work: Work) -> None:
    work.put("product", "api-key", "jsm")


def _http(work: Work) -> None:
    base, endpoint = work.get("base-url"), work.get("endpoint")
    joint = "/" if endpoint else ""
    url = f"{base.rstrip('/')}{joint}{endpoint.lstrip('/')}" if base else ""
    work.put("url", "base-url", url)
    try:
        payload = load(work.get("payload", "{}"))
        if not isinstance(payload, dict) or not all(isinstance(v, str) for v in payload.values()):
            raise BadValue("The value is not a JSON object of texts.")
        name = work.get("cluster-name", DEFAULT_CLUSTER_NAME)
        work.body_template = gotemplates.payload(payload, name)
    except (BadValue, gotemplates.Untranslatable) as error:
        text = f"The payload cannot be translated, the default body is sent: {error}"
        work.findings.append(findings.lost(work.key_of("payload"), text))


def _ilert(work: Work) -> None:
    template = work.get("incident-key-template")
    if not template:
        return
    try:
        work.put("alert_key", "incident-key-template", gotemplates.of_message(template))
    except gotemplates.Untranslatable as error:
        text = f"The template cannot be translated; each check has a key of its own: {error}"
        work.findings.append(findings.lost(work.key_of("incident-key-template"), text))


_KEY_REMARK = "Each check has an incident of its own; consul-alerts closed one with another's end."
SHAPES: Mapping[str, Shape] = {
    "email": Shape(
        "email",
        {"username": "username", "password": "password", "sender-email": "sender"}
        | {"sender-alias": "sender_name"},
        ("url", "port", "receivers", "one-per-alert", "one-per-node", "cluster-name"),
        ("template",),
        _email,
    ),
    "log": Shape("log", {}, ("path",), finish=_log),
    "influxdb": Shape(
        "influxdb",
        {"username": "username", "password": "password", "database": "database"},
        ("host", "series-name"),
        finish=_influxdb,
        remark="Points are written as InfluxDB 1.x takes them; consul-alerts spoke 0.8.",
    ),
    "slack": Shape(
        "slack",
        {"url": "url", "channel": "channel", "username": "username", "icon-url": "icon_url"}
        | {"icon-emoji": "icon_emoji", "detailed": "detailed"},
        said=_NAME,
    ),
    "mattermost": Shape(
        "mattermost",
        {"username": "username", "password": "password", "team": "team", "channel": "channel"},
        ("url", "detailed"),
        _NAME,
        _mattermost,
    ),
    "mattermost-webhook": Shape(
        "mattermost-webhook",
        {"url": "url", "channel": "channel", "username": "username", "icon-url": "icon_url"},
        said=_NAME,
    ),
    "pagerduty": Shape(
        "pagerduty",
        {"service-key": "routing_key", "client-name": "client", "client-url": "client_url"},
        said=("max-retry", "retry-base-interval"),
        remark="It speaks Events API v2: the key must be of such an integration, not of v1.",
    ),
    "hipchat": Shape(
        "hipchat",
        {"room-id": "room_id", "auth-token": "auth_token", "base-url": "base_url"}
        | {"from": "sender"},
        said=_NAME,
        remark="HipChat has ended: the notifier is kept switched off.",
    ),
    "opsgenie": Shape("opsgenie", {"api-key": "api_key"}, said=_NAME, remark=_KEY_REMARK),
    "jsm": Shape("opsgenie", {"api-key": "api_key"}, said=_NAME, finish=_jsm),
    "awssns": Shape("sns", {"region": "region", "topic-arn": "topic_arn"}, said=_NAME_AND_TEMPLATE),
    "victorops": Shape(
        "victorops", {"api-key": "api_key", "routing-key": "routing_key"}, remark=_KEY_REMARK
    ),
    "http-endpoint": Shape(
        "http", {}, ("cluster-name", "base-url", "endpoint", "payload"), finish=_http
    ),
    "ilert": Shape(
        "ilert",
        {"api-key": "api_key"},
        ("incident-key-template",),
        finish=_ilert,
        remark="A warning raises an alert; with consul-alerts it resolved one.",
    ),
}
# Those of which there is no other way to be switched on.
ENDED = frozenset({"hipchat"})
