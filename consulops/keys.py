"""Keys that are generated into the data folder when the environment gives none."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet


def secret_key(data: Path) -> str:
    """Django's SECRET_KEY, made at the first start."""
    return _kept(data / "secret.key", secrets.token_urlsafe(48))


def encryption_keys(data: Path) -> list[str]:
    """The Fernet keys of secrets at rest, newest first, one per line of the file."""
    return _kept(data / "encryption.keys", Fernet.generate_key().decode()).split()


def add_encryption_key(data: Path, fresh: str) -> None:
    """Puts a key in front of those in the data folder: it encrypts from the next start on."""
    path = data / "encryption.keys"
    _draft(path, "\n".join([fresh, *encryption_keys(data)])).replace(path)


def _kept(path: Path, fresh: str) -> str:
    """The file's text; if there is no file, `fresh`, written for its owner's eyes only."""
    if path.exists():
        return path.read_text().strip()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _draft(path, fresh)
    # The link fails when another process was first: then both use that one's key.
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
    return path.read_text().strip()


def _draft(path: Path, text: str) -> Path:
    """A file beside this one, complete and on disk, to be put in its place in one step."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    return draft
