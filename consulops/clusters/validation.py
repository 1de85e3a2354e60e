"""What a cluster's settings may be: the one place that the form, `apply` and the API go through."""

from __future__ import annotations

import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from django.core.exceptions import ValidationError

from consulops import consulapi

_PEM = "It begins with a line of dashes and BEGIN {what}; paste the whole file."


def validate_address(text: str) -> None:
    """Refuses what is not just http(s)://host:port."""
    normal_address(text)


def normal_address(text: str) -> str:
    """The address in the form in which we keep it. Raises ValidationError."""
    try:
        return str(consulapi.parse_address(text))
    except consulapi.BadAddress as error:
        raise ValidationError(str(error)) from error


def validate_datacenter(text: str) -> None:
    """Consul's own rule for the name of a datacenter."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValidationError("Use letters, digits, dashes and underscores, as Consul does.")


def validate_token(text: str) -> None:
    """A token travels in a header: anything but printable ASCII would break the request."""
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValidationError(
            "The token holds a space, a line break or a character that no Consul token has; "
            "paste its secret id only."
        )


def validate_certificates(text: str) -> None:
    """One certificate or several, in PEM."""
    certificates(text)


def certificates(text: str) -> list[x509.Certificate]:
    """The certificates of a PEM text. Raises ValidationError."""
    if "PRIVATE KEY" in text:
        raise ValidationError("This holds a private key; it belongs into the field for the key.")
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ValidationError(
            f"This is not a certificate in PEM form. {_PEM.format(what='CERTIFICATE')}"
        ) from error


def validate_key(text: str) -> None:
    """A private key in PEM, without a passphrase."""
    private_key(text)


def private_key(text: str) -> PrivateKeyTypes:
    """The key of a PEM text. Raises ValidationError."""
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError as error:
        raise ValidationError(
            "The key is protected by a passphrase, which nobody could type when ConsulOps starts; "
            "remove it first (openssl pkey -in KEY -out PLAIN_KEY). It is encrypted here."
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValidationError(
            f"This is not a private key in PEM form. {_PEM.format(what='PRIVATE KEY')}"
        ) from error


def validate_pair(certificate: str, key: str) -> None:
    """A client certificate is of use with its own key only, and the other way round."""
    if not certificate and not key:
        return
    if not key:
        raise ValidationError({"client_key": "The client certificate needs its private key."})
    if not certificate:
        raise ValidationError({"client_certificate": "The client key needs its certificate."})
    try:
        ours, theirs = private_key(key).public_key(), certificates(certificate)[0].public_key()
    except ValidationError:
        return  # said beside the field already
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if ours.public_bytes(*form) != theirs.public_bytes(*form):
        raise ValidationError(
            {"client_key": "This key does not belong to the client certificate (the first in it)."}
        )
