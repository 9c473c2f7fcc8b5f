"""A run as it will be, of a spec and the texts there are."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from server.corpora.library import Corpus, CorpusLibrary
from server.spec.run_names import made_up_name
from server.spec.run_spec import RunSpec, SpecError
from server.spec.schemas import Run, RunState
from server.spec.sizing import Sizes, measure_sizes

__all__ = ["draft_run", "measure_run"]


def draft_run(spec: RunSpec, corpora: CorpusLibrary, max_memory_bytes: int) -> Run:
    """Return the run that a spec describes, at update 0; nothing is kept of it.

    Parameters
    ----------
    spec : RunSpec
        What is wanted; what it leaves open is decided here.
    corpora : CorpusLibrary
        The texts.
    max_memory_bytes : int
        About how much memory its network may take.

    Raises
    ------
    SpecError
        The spec does not go with the text, or the network would be too large.
    """
    corpus, sizes = measure_run(spec, corpora, max_memory_bytes)
    name = spec.name or made_up_name()
    decided = {
        "corpus": corpus.id,
        "name": name,
        "watch_words": list(corpus.names) if spec.watch_words is None else spec.watch_words,
    }
    return Run(
        id=secrets.token_hex(6),
        name=name,
        state=RunState.PAUSED if spec.paused else RunState.QUEUED,
        spec=spec.model_copy(update=decided),
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
    """Return the text that a run would learn, and what follows from both; as `draft_run`."""
    corpus = _corpus_for(spec, corpora)
    return corpus, measure_sizes(
        spec,
        characters=corpus.characters,
        distinct=corpus.distinct,
        max_memory_bytes=max_memory_bytes,
    )


def _corpus_for(spec: RunSpec, corpora: CorpusLibrary) -> Corpus:
    known = corpora.list()
    wanted = spec.corpus
    if wanted is None:
        wanted = next(corpus.id for corpus in known if corpus.shipped)
    corpus = next((corpus for corpus in known if corpus.id == wanted), None)
    if corpus is None:
        raise SpecError("corpus", f"{wanted!r} is not there")
    return corpus
