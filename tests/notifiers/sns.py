"""A stand-in for SNS on loopback: the query API with its checks, its answers and its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from tests.receivers import Answer, Request

_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
# AWS Signature Version 4, as in "Authenticating Requests: Using the Authorization Header".
_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[a-z0-9-]+)/sns/aws4_request, "
    r"SignedHeaders=(?=[a-z0-9;-]*host)(?=[a-z0-9;-]*x-amz-date)[a-z0-9;-]+, "
    r"Signature=[0-9a-f]{64}"
)
_NAME = re.compile(r"MessageAttributes\.entry\.(\d+)\.Name")
_PUNCTUATED = re.compile(r"[!-~]{1,128}")


class Refused(Exception):
    """What the real one refuses, by its code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.answer = error(400, code, text)


def error(status: int, code: str, text: str) -> Answer:
    body = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{text}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    )
    return Answer(status, body, {"Content-Type": "text/xml"})


def accept(request: Request) -> Answer:
    """The answer of SNS to a publication; an error for what the real one does not take."""
    try:
        publication(request)
    except Refused as refused:
        return refused.answer
    body = (
        f'<PublishResponse xmlns="{_NAMESPACE}"><PublishResult><MessageId>sns-1</MessageId>'
        "</PublishResult><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
        "</PublishResponse>"
    )
    return Answer(200, body, {"Content-Type": "text/xml"})


def publication(request: Request) -> dict[str, str]:
    """The fields of a publication, its attributes among them as `@name`. Raises Refused."""
    signed = _SIGNATURE.fullmatch(request.headers.get("Authorization", ""))
    if not signed or "X-Amz-Date" not in request.headers:
        raise Refused("IncompleteSignature", "the signature is missing or malformed")
    fields = dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))
    if (request.method, fields.get("Action"), fields.get("Version")) != (
        *("POST", "Publish", "2010-03-31"),
    ):
        raise Refused("InvalidAction", json.dumps(fields))
    _check(fields)
    return {**fields, **_attributes(fields), "@key": signed["key"], "@region": signed["region"]}


def _check(fields: Mapping[str, str]) -> None:
    subject, message = fields.get("Subject", ""), fields.get("Message", "")
    if not message or len(message.encode()) > 262_144:
        raise Refused("InvalidParameter", "Invalid parameter: Message")
    if not re.fullmatch(r"[!-~][ -~]{0,99}", subject):
        raise Refused("InvalidParameter", "Invalid parameter: Subject")
    is_fifo = fields["TopicArn"].endswith(".fifo")
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if is_fifo is not bool(_PUNCTUATED.fullmatch(fields.get(name, ""))):
            raise Refused("InvalidParameter", f"Invalid parameter: {name}")


def _attributes(fields: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for field, name in fields.items():
        entry = _NAME.fullmatch(field)
        if entry:
            start = f"MessageAttributes.entry.{entry[1]}.Value."
            if fields.get(f"{start}DataType") != "String" or not fields.get(f"{start}StringValue"):
                raise Refused("ParameterValueInvalid", f"attribute {name}")
            found[f"@{name}"] = fields[f"{start}StringValue"]
    return found
