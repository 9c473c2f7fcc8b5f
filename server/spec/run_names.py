"""Names for runs that were created without one."""

from __future__ import annotations

import secrets

__all__ = ["random_name"]

ADJECTIVES = """
amber brisk candid clever curious dapper early eager fabled gentle hearty jaunty keen lively lucid
mellow merry nimble patient plucky quiet ready rosy silver steady sunny tidy upbeat vivid wandering
witty zesty
"""
ANIMALS = """
badger bittern curlew dormouse egret ferret finch gannet hare heron hedgehog jackdaw kestrel lapwing
linnet magpie marten newt osprey otter petrel plover puffin rook seal shrew stoat swift tern vole
wagtail wren
"""


def random_name() -> str:
    """Return a name that is easy to pronounce and to distinguish, such as "curious otter"."""
    return f"{secrets.choice(ADJECTIVES.split())} {secrets.choice(ANIMALS.split())}"
