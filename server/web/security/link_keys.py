"""Short ids for links, and the secret keys in the fragments of presenter links."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Container

__all__ = ["ID_PATTERN", "hash_key", "is_key", "new_id", "new_key"]

# Without letters and digits that look alike: an id may be read from a screen and typed.
ID_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
ID_CHARACTERS = 5
ID_PATTERN = rf"^[{ID_ALPHABET}]{{{ID_CHARACTERS}}}$"
KEY_BYTES = 24


def new_id(taken: Container[str]) -> str:
    """Return a random id that is not taken."""
    while True:
        chosen = "".join(secrets.choice(ID_ALPHABET) for _ in range(ID_CHARACTERS))
        if chosen not in taken:
            return chosen


def new_key() -> str:
    """Return a random key for a link."""
    return secrets.token_urlsafe(KEY_BYTES)


def hash_key(key: str) -> str:
    """Return the hash of a key, which is stored in place of the key."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def is_key(key: str, sha256: str) -> bool:
    """Whether a key has this hash, compared in constant time."""
    return hmac.compare_digest(hash_key(key), sha256)
