"""A new run, from its spec and the corpora; and a name for it."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from server.corpora.library import Corpus, CorpusLibrary
from server.spec.run_spec import RunSpec, SpecError
from server.spec.schemas import Run, RunState
from server.spec.sizing import Sizes, measure_sizes

__all__ = ["draft_run", "measure_run", "random_name"]

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


def draft_run(spec: RunSpec, corpora: CorpusLibrary, max_memory_bytes: int) -> Run:
    """Return the run that a spec describes, at update 0. Nothing is stored.

    Parameters
    ----------
    spec : RunSpec
        The spec. Its corpus, name and watched words are filled in where they are null.
    corpora : CorpusLibrary
        The corpora.
    max_memory_bytes : int
        The approximate memory that its network may take.

    Raises
    ------
    SpecError
        The corpus is unknown or does not fit the spec, or the network would be too large.
    """
    corpus, sizes = measure_run(spec, corpora, max_memory_bytes)
    name = spec.name or random_name()
    filled_in = {
        "corpus": corpus.id,
        "name": name,
        "watch_words": list(corpus.names) if spec.watch_words is None else spec.watch_words,
    }
    return Run(
        id=secrets.token_hex(6),
        name=name,
        state=RunState.PAUSED if spec.paused else RunState.QUEUED,
        spec=spec.model_copy(update=filled_in),
        corpus=corpus.id,
        corpus_name=corpus.name,
        corpus_characters=corpus.characters,
        updates_per_epoch=sizes.updates_per_epoch,
        parameters=sizes.parameters,
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def measure_run(
    spec: RunSpec, corpora: CorpusLibrary, max_memory_bytes: int
) -> tuple[Corpus, Sizes]:
    """Return the corpus of a spec and the sizes of its run.

    Parameters and errors are those of `draft_run`.
    """
    corpus = _corpus_for(spec, corpora)
    return corpus, measure_sizes(
        spec,
        characters=corpus.characters,
        distinct=corpus.distinct,
        max_memory_bytes=max_memory_bytes,
    )


def _corpus_for(spec: RunSpec, corpora: CorpusLibrary) -> Corpus:
    known = corpora.list()
    requested = spec.corpus
    if requested is None:
        requested = next(corpus.id for corpus in known if corpus.shipped)
    corpus = next((corpus for corpus in known if corpus.id == requested), None)
    if corpus is None:
        raise SpecError("corpus", f"{requested!r} does not exist")
    return corpus


def random_name() -> str:
    """Return a name that is easy to pronounce and to distinguish, such as "curious otter"."""
    return f"{secrets.choice(ADJECTIVES.split())} {secrets.choice(ANIMALS.split())}"
