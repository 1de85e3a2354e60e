"""Payloads are any bytes: how people read them. Pure."""

from __future__ import annotations

_SHOWN = 80
_ROW = 16
# What a text may hold beside what can be printed.
_SPACES = "\t\n\r"


def text_of(payload: bytes) -> str | None:
    """The payload as text, None when it is none: not UTF-8, or with control characters."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in _SPACES for c in text) else None


def excerpt(payload: bytes, length: int = _SHOWN) -> str:
    """The beginning on one line: as text, else as hexadecimal bytes."""
    text = text_of(payload)
    line = payload[: length // 3 + 1].hex(" ") if text is None else " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def dump(payload: bytes) -> str:
    """Offset, sixteen bytes and their characters in each line."""
    return "\n".join(
        f"{at:04x}  {_padded(payload[at : at + _ROW])}  {_characters(payload[at : at + _ROW])}"
        for at in range(0, len(payload), _ROW)
    )


def _padded(row: bytes) -> str:
    return row.hex(" ").ljust(_ROW * 3 - 1)


def _characters(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
