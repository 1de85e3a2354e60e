"""Configurations of consul-alerts for tests: one with every key that it has."""

from __future__ import annotations

import base64
import json

from consulops.lab.cluster import LocalCluster

PREFIX = "consul-alerts/config/"
SECRET = "s3cret-of-consul-alerts"

NOTIFIERS: dict[str, dict[str, str]] = {
    "email": {
        "enabled": "true",
        "cluster-name": "Consul-Alerts",
        "template": "/etc/consul-alerts/mail.html",
        "url": "smtp.example.com",
        "port": "587",
        "username": "alerts",
        "password": SECRET,
        "sender-alias": "Consul Alerts",
        "sender-email": "alerts@example.com",
        "receivers": '["ops@example.com", "team@example.com"]',
        "one-per-alert": "false",
        "one-per-node": "true",
    },
    "log": {"enabled": "true", "path": "/var/log/consul-alerts.log"},
    "influxdb": {
        "enabled": "true",
        "host": "influx:8086",
        "username": "alerts",
        "password": SECRET,
        "database": "health",
        "series-name": "checks",
    },
    "slack": {
        "enabled": "true",
        "cluster-name": "Consul-Alerts",
        "url": f"https://hooks.example.com/{SECRET}",
        "channel": "#ops",
        "username": "consul",
        "icon-url": "https://example.com/icon.png",
        "icon-emoji": ":fire:",
        "detailed": "true",
    },
    "mattermost": {
        "enabled": "true",
        "cluster-name": "Consul-Alerts",
        "url": "chat.example.com",
        "username": "alerts",
        "password": SECRET,
        "team": "ops",
        "channel": "town-square",
        "detailed": "true",
    },
    "mattermost-webhook": {
        "enabled": "true",
        "cluster-name": "Consul-Alerts",
        "url": f"https://chat.example.com/hooks/{SECRET}",
        "channel": "ops",
        "username": "consul",
        "icon-url": "https://example.com/icon.png",
    },
    "pagerduty": {
        "enabled": "true",
        "service-key": "a" * 32,
        "client-name": "consul",
        "client-url": "https://consul.example.com",
        "max-retry": "3",
        "retry-base-interval": "30",
    },
    "hipchat": {
        "enabled": "true",
        "cluster-name": "Consul-Alerts",
        "room-id": "12",
        "auth-token": SECRET,
        "base-url": "https://hipchat.example.com/v2/",
        "from": "consul",
    },
    "opsgenie": {"enabled": "true", "cluster-name": "Consul-Alerts", "api-key": "b" * 36},
    "jsm": {"enabled": "true", "cluster-name": "Consul-Alerts", "api-key": "c" * 36},
    "awssns": {
        "enabled": "true",
        "cluster-name": "Consul-Alerts",
        "region": "eu-central-1",
        "topic-arn": "arn:aws:sns:eu-central-1:123456789012:alerts",
        "template": "/etc/consul-alerts/sns.txt",
    },
    "victorops": {"enabled": "true", "api-key": "d" * 36, "routing-key": "ops"},
    "http-endpoint": {
        "enabled": "true",
        "cluster-name": "production",
        "base-url": "https://example.com/",
        "endpoint": "/hook",
        "payload": json.dumps(
            {
                "text": "{{.ClusterName}} is {{.SystemStatus}}: {{range $node, $checks := .Nodes}}"
                "{{range $check := $checks}}{{$check.Node}}/{{$check.Check}} {{$check.Output}} "
                "{{end}}{{end}}",
            }
        ),
    },
    "ilert": {
        "enabled": "true",
        "api-key": "il1api123",
        "incident-key-template": "{{.Node}}:{{.Service}}:{{.Check}}",
    },
}

PROFILES = {
    "default": {"Interval": 60, "NotifList": {"log": True, "slack": True}},
    "ops": {
        "Interval": 10,
        "NotifList": {"slack": True, "pagerduty": True, "email": False},
        "VarOverrides": {"slack": {"channel": "#pager", "detailed": False}},
    },
    "slack_off": {"Interval": 0, "NotifList": {"slack": False}},
}

KEYS: dict[str, str] = {
    "checks/enabled": "true",
    "checks/change-threshold": "30",
    "checks/single/n1/web-1/web-1-http/change-threshold": "5",
    "checks/check/serfHealth/change-threshold": "0",
    "checks/service/db-1/change-threshold": "120",
    "checks/node/n9/change-threshold": "300",
    "checks/blacklist/nodes/n2": "",
    "checks/blacklist/services/batch-1": "",
    "checks/blacklist/checks/flaky": "",
    "checks/blacklist/status/warning": "",
    "checks/blacklist/single/n3/_/disk": "",
    "checks/blacklist/nodes": '["^test-", "lab$"]',
    "checks/blacklist/services": '["canary"]',
    "checks/blacklist/checks": '["experimental"]',
    "checks/blacklist/status": '["unknown"]',
    "events/enabled": "true",
    "events/handlers": '["/opt/handlers/deploy.sh"]',
    "notif-selection/services/web-1": "ops",
    "notif-selection/services": '{"^infra-": "ops"}',
    "notif-selection/checks/mem": "slack_off",
    "notif-selection/checks": '{"cpu": "slack_off"}',
    "notif-selection/hosts/n7": "ops",
    "notif-selection/hosts": '{"^db-": "ops"}',
    "notif-selection/status/passing": "default",
    "notif-selection/status": '{"warn": "slack_off"}',
    "notifiers/custom/pager": "/opt/notifiers/pager.py",
    **{f"notif-profiles/{name}": json.dumps(value) for name, value in PROFILES.items()},
    **{
        f"notifiers/{name}/{setting}": value
        for name, settings in NOTIFIERS.items()
        for setting, value in settings.items()
    },
}


def as_bytes(keys: dict[str, str]) -> dict[str, bytes]:
    """As the planner takes them."""
    return {key: value.encode() for key, value in keys.items()}


def put(consul: LocalCluster, keys: dict[str, str], prefix: str = PREFIX) -> None:
    """Writes them into a Consul, under the prefix."""
    for key, value in keys.items():
        operation = {"Verb": "set", "Key": prefix + key, "Value": _encoded(value)}
        consul.call("PUT", "txn", [{"KV": operation}])


def exported(keys: dict[str, str], prefix: str = PREFIX) -> bytes:
    """As `consul kv export` writes them."""
    rows = [
        {"key": prefix + key, "flags": 0, "value": _encoded(value)} for key, value in keys.items()
    ]
    return json.dumps(rows).encode()


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
