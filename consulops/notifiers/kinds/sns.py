"""AWS SNS: one publication per message, with keys of its own or those that the machine has."""

from __future__ import annotations

import errno
import hashlib
import re
import socket
import ssl
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

import boto3
from botocore import exceptions as aws
from botocore.config import Config
from botocore.parsers import ResponseParserError
from django import forms

from consulops.notifiers.answers import classify, excerpt, retry_after
from consulops.notifiers.base import BlockingKind, Message, SendError
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.letter import text_body

# What SNS takes: characters of a subject, bytes of a message.
_MOST_SUBJECT = 100
_MOST_BYTES = 256 * 1024
# A subject counts alerts and a message has attributes, which count too.
_MOST_BODY = _MOST_BYTES - 4096
_MOST_ATTRIBUTE = 256
_ARN = re.compile(r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?\Z")
# Answers with the status 400 that a later try may change all the same.
_BUSY = frozenset(
    {
        "KMSThrottling",
        "KMSThrottlingException",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "RequestExpired",
    }
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Sns(BlockingKind):
    """Publishes to a topic; a FIFO topic drops the repetition of an attempt that had succeeded."""

    name = "sns"
    label = "AWS SNS"
    group = "Mail & push"
    fields: ClassVar[dict[str, forms.Field]] = {
        "topic_arn": forms.RegexField(
            _ARN,
            label="Topic ARN",
            max_length=400,
            help_text="For example arn:aws:sns:eu-central-1:123456789012:alerts.",
        ),
        "region": forms.RegexField(
            r"^[a-z0-9-]+\Z",
            required=False,
            max_length=40,
            help_text="Empty: that of the topic.",
        ),
        "access_key": forms.CharField(
            label="Access key ID",
            required=False,
            max_length=200,
            help_text="Empty: the keys of the machine's environment, profile or role are used.",
        ),
        "secret_key": forms.CharField(label="Secret access key", required=False, max_length=200),
        "endpoint": WebAddressField(
            required=False,
            max_length=2000,
            help_text="Another address than the region's own, for example a VPC endpoint.",
        ),
    }
    secret_fields = frozenset({"access_key", "secret_key"})
    templated = ("subject", "body")

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        if config.get("access_key") and not config.get("secret_key"):
            return {"secret_key": ["An access key needs its secret."]}
        if config.get("secret_key") and not config.get("access_key"):
            return {"access_key": ["A secret needs its access key."]}
        return {}

    def send(self, message: Message, timeout_s: float) -> str:
        client = _client(
            self.config["region"] or self.config["topic_arn"].split(":")[3],
            self.config["access_key"] or None,
            self.config["secret_key"] or None,
            self.config["endpoint"] or None,
            timeout_s,
        )
        try:
            answer = client.publish(**self.publication(message))
        except aws.ClientError as error:
            raise _refusal(error) from None
        except (aws.HTTPClientError, aws.ConnectionError) as error:
            raise _connection_error(error) from None
        except ResponseParserError:
            raise SendError("AWS: the answer is not one of SNS.") from None
        except aws.BotoCoreError as error:
            # No keys, or none that can be read now: a role may come back.
            raise SendError(f"AWS: {excerpt(str(error))}") from None
        return f"Published as {answer['MessageId']}"

    def publication(self, message: Message) -> dict[str, Any]:
        """What is published, in the words of the API."""
        said = {
            "TopicArn": self.config["topic_arn"],
            "Subject": _subject(self.subject(message)),
            "Message": _body(self.body(message, text_body(message))),
            "MessageAttributes": _attributes(message),
        }
        if self.config["topic_arn"].endswith(".fifo"):
            said["MessageGroupId"] = _group(message)
            said["MessageDeduplicationId"] = message.id
        return said


@lru_cache(maxsize=64)
def _client(
    region: str,
    access_key: str | None,
    secret_key: str | None,
    endpoint: str | None,
    timeout_s: float,
) -> Any:
    """A client, which threads share; made once, because boto reads megabytes to make one."""
    # We try again ourselves, later and for longer.
    config = Config(
        connect_timeout=timeout_s,
        read_timeout=timeout_s,
        retries={"total_max_attempts": 1},
        max_pool_connections=64,
    )
    # A session of its own: boto's default one is not made for threads.
    client = boto3.session.Session().client(
        "sns",
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        endpoint_url=endpoint,
        config=config,
    )
    client.meta.events.register("before-parse.sns.Publish", _look_first)
    return client


def _look_first(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raises SendError for an error that is not AWS's own, but of something on the way to it."""
    body = response_dict["body"]
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else ""
    if "<ErrorResponse" not in text:
        headers = {"Retry-After": response_dict["headers"].get("retry-after", "")}
        error = classify(response_dict["status_code"], headers, text)
        if error:
            raise error


def _refusal(error: aws.ClientError) -> SendError:
    """What AWS said, and whether it may say otherwise later."""
    said, about = error.response["Error"], error.response["ResponseMetadata"]
    text = f"AWS: {said['Code']}: {excerpt(said['Message'])}"
    status = about["HTTPStatusCode"]
    temporary = said["Code"] in _BUSY or status >= 500 or status == 429
    wait_s = retry_after(about["HTTPHeaders"].get("retry-after", ""), datetime.now(UTC))
    return SendError(text, permanent=not temporary, retry_after_s=wait_s)


def _connection_error(error: BaseException) -> BaseException:
    """The error that lies under boto's and urllib3's wrapping, as `sending` explains it."""
    if isinstance(error, aws.ConnectionClosedError):
        return ConnectionResetError(errno.ECONNRESET, "")
    for cause in _causes(error):
        match cause:
            case aws.ReadTimeoutError() | aws.ConnectTimeoutError() | TimeoutError():
                return TimeoutError()
            case ssl.SSLError() | socket.gaierror() | ConnectionError():
                return cause
    return OSError()


def _causes(error: BaseException) -> Iterator[BaseException]:
    left, seen = [error], set[int]()
    while left:
        one = left.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        more = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        left += [cause for cause in more if isinstance(cause, BaseException)]


def _subject(text: str) -> str:
    """ASCII on one line that begins with no blank; other letters without their accents."""
    plain = unicodedata.normalize("NFKD", excerpt(text, 400))
    kept = "".join(one for one in plain if not unicodedata.combining(one))
    ascii_only = kept.replace("…", "...").encode("ascii", "replace").decode().strip()
    if len(ascii_only) > _MOST_SUBJECT:
        ascii_only = ascii_only[: _MOST_SUBJECT - 3] + "..."
    return ascii_only or "ConsulOps"


def _body(text: str) -> str:
    data = _CONTROL.sub("", text).encode("utf-8", "replace")
    if len(data) > _MOST_BODY:
        data = data[: _MOST_BODY - 3] + "…".encode()
    # Without what is left of a character at the cut.
    return data.decode("utf-8", "ignore") or "ConsulOps"


def _attributes(message: Message) -> dict[str, dict[str, str]]:
    """What subscribers filter by; SNS takes no empty value."""
    worst = message.worst_first()[:1]
    values = {
        "cluster": message.cluster,
        "reason": message.reason,
        "route": message.route,
        "status": worst[0].status if worst else "",
    }
    return {
        name: {"DataType": "String", "StringValue": excerpt(value, _MOST_ATTRIBUTE)}
        for name, value in values.items()
        if value.strip()
    }


def _group(message: Message) -> str:
    """Messages of one group arrive in order: those about one alert, or of one route."""
    if len(message.alerts) == 1:
        key = message.alerts[0].incident_key()
    else:
        key = f"consulops/{message.cluster}/{message.route}"
    # SNS takes neither blanks nor letters beyond ASCII here.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
