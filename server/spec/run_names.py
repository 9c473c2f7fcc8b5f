"""Names for runs whose maker gave none."""

from __future__ import annotations

import secrets

__all__ = ["made_up_name"]

MANNERS = """
amber brisk candid clever curious dapper early eager fabled gentle hearty jaunty keen lively lucid
mellow merry nimble patient plucky quiet ready rosy silver steady sunny tidy upbeat vivid wandering
witty zesty
"""
CREATURES = """
badger bittern curlew dormouse egret ferret finch gannet hare heron hedgehog jackdaw kestrel lapwing
linnet magpie marten newt osprey otter petrel plover puffin rook seal shrew stoat swift tern vole
wagtail wren
"""


def made_up_name() -> str:
    """Return a name that is easy to say and to tell from others, such as "curious otter"."""
    return f"{secrets.choice(MANNERS.split())} {secrets.choice(CREATURES.split())}"
