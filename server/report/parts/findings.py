"""What is interesting about a run, in sentences."""

from __future__ import annotations

from math import isfinite

from server.analysis.loss_analysis import ExplainedLoss, LossAnalysis
from server.corpora.decoding import counted
from server.corpora.entropy import Entropy
from server.corpora.library import Corpus
from server.report.content import Finding
from server.report.parts.setup import changes_of_settings
from server.spec.schemas import LossOnTest, Milestone, Run, Sample
from server.store import queries
from server.store.executor import StoreCalls

__all__ = ["find_findings"]

GUESSES = (
    ("unigram", "unigram model, which knows how frequent each character is"),
    ("bigram", "bigram model, which also knows the character before"),
)
# A share of the variance, and a cost, at least this many standard errors from zero is not chance.
SIGNIFICANT = 2.0
# Nats per sequence that would be written as 0.00.
NEGLIGIBLE = 0.005
QUOTING_CHARACTERS = 60
MAX_NAMED = 6
# How the recorder begins the text of such a milestone.
HURRAH = "hurrah - "


async def find_findings(
    run: Run,
    corpus: Corpus | None,
    *,
    store: StoreCalls,
    analysis: LossAnalysis,
    milestones: list[Milestone],
    ends: list[Sample],
) -> tuple[list[Finding], list[str]]:
    """Return the findings, and sentences about those that are missing.

    Parameters
    ----------
    run : Run
        The run.
    corpus : Corpus or None
        Its text; None if it is not known.
    store : StoreCalls
        The database.
    analysis : LossAnalysis
        Explains the variation of the loss.
    milestones : list of Milestone
        Of the run.
    ends : list of Sample
        Its first and its last sample.
    """
    findings: list[Finding] = []
    missing: list[str] = []
    if corpus is None:
        missing.append(
            "When the network beat the bigram model and how many real words it writes are not known"
            " without the text. Name it with --text."
        )
    else:
        findings += await _beaten_guesses(run, corpus.entropy, store)
        findings += _real_words(ends)
    findings += _hurrahs(milestones)
    explained = await analysis.explain(run)
    if run.diverged_since is not None:
        missing.append(
            "Where spikes of the loss come from cannot be told for a training that has diverged."
        )
    elif explained.unavailable is None:
        findings += _spikes(explained)
    else:
        missing.append(
            "Whether spikes of the loss come from the pages or from the start of an epoch:"
            f" {explained.unavailable[0].lower()}{explained.unavailable[1:]} An epoch has"
            f" {run.updates_per_epoch:,} updates."
        )
    findings += _course(run, milestones)
    if run.test is not None:
        findings.append(_on_test(run.test))
    elif run.spec.test_fraction:
        missing.append("The test part has not been measured.")
    return findings, missing


def _on_test(test: LossOnTest) -> Finding:
    by = "validation loss" if test.by == "validation" else "smooth loss"
    text = (
        f"The model with the lowest {by}, of update {test.update:,}, has a mean loss of"
        f" {test.nats:.4f} nats ({test.bits:.4f} bits) per character on the test part, of which"
        f" {test.characters:,} characters were predicted. Nothing was learned from that part."
    )
    if test.times > 1:
        text += (
            f" It has been measured {test.times:,} times: if a model was chosen by an earlier"
            " measurement, this one is too low."
        )
    return Finding("The loss on the test part", text)


async def _beaten_guesses(run: Run, entropy: Entropy, store: StoreCalls) -> list[Finding]:
    if not run.update:
        return []
    length = run.spec.sequence_length
    sentences = []
    for name, what in GUESSES:
        per_character: float = getattr(entropy, name)
        loss = per_character * length
        update = await _first_below(run, loss, store)
        of = f"{loss:,.2f} nats per sequence, {per_character:.2f} per character"
        if update is None:
            sentences.append(f"It has not beaten the {what} ({of}).")
            continue
        epoch, _ = divmod(update - 1, run.updates_per_epoch)
        sentences.append(
            f"The smooth loss fell below that of the {what} ({of}) at update {update:,}, in epoch"
            f" {epoch + 1:,}."
        )
    return [Finding("When it beat simple guesses", " ".join(sentences))]


async def _first_below(run: Run, loss: float, store: StoreCalls) -> int | None:
    search = await store(queries.first_below, run.id, loss)
    while not search.done:
        search = await store(queries.first_below, run.id, loss)
    return search.update


def _real_words(ends: list[Sample]) -> list[Finding]:
    if not ends:
        return []
    first, last = ends[0], ends[-1]
    text = (
        f"In the sample of update {last.update:,}, {last.quality.real_words:.0%} of the words also"
        " occur in the text that the network reads"
    )
    if last.update != first.update:
        text += f"; in that of update {first.update:,} it was {first.quality.real_words:.0%}"
    run, copy = last.quality.longest_real_run, last.quality.longest_copy
    text += "."
    if run > 1:
        text += f" At most {run:,} real words follow each other."
    if copy:
        text += f" The longest piece that is copied has {counted(copy, 'character')}"
        if copy >= QUOTING_CHARACTERS:
            text += ": the network quotes"
        elif last.quality.real_words:
            text += ": the network does not just quote"
        text += "."
    return [Finding("Real words", text)]


def _hurrahs(milestones: list[Milestone]) -> list[Finding]:
    hurrahs = [each for each in milestones if each.kind == "hurrah"]
    if not hurrahs:
        return []
    named = ", ".join(
        f"{each.text.removeprefix(HURRAH)} at update {each.update:,}"
        for each in hurrahs[:MAX_NAMED]
    )
    more = len(hurrahs) - MAX_NAMED
    also = f" and {more:,} more" if more > 0 else ""
    return [Finding("Hurrahs", f"Watched words that it wrote for the first time: {named}{also}.")]


def _spikes(explained: ExplainedLoss) -> list[Finding]:
    share, error, start = explained.share, explained.share_error, explained.start
    if share is None or error is None or start is None:
        return []
    epochs = ", ".join(f"{epoch:,}" for epoch in explained.epochs)
    pages = (
        f"{share:.0%} (± {error:.0%}) of the variation of the loss around its trend returns at the"
        f" same place of the text in other epochs, so it comes from the pages (epochs {epochs})."
    )
    if share < SIGNIFICANT * error:
        pages += " That may be chance."
    cost = f"{start.loss:+,.2f} (± {start.error:,.2f}) nats per sequence"
    if start.loss > max(SIGNIFICANT * start.error, NEGLIGIBLE):
        epoch = (
            f"The first {start.updates:,} updates of an epoch cost {cost} more than their trend:"
            " the hidden state starts from zero, or the text begins with a difficult passage."
        )
    else:
        epoch = (
            f"The first {start.updates:,} updates of an epoch differ by {cost} from the trend, no"
            " more than other stretches do: the start of an epoch causes no spikes."
        )
    return [Finding("Where the spikes come from", f"{pages} {epoch}")]


def _course(run: Run, milestones: list[Milestone]) -> list[Finding]:
    findings = []
    if run.diverged_since is not None:
        findings.append(
            Finding(
                "Divergence",
                f"Since update {run.diverged_since:,} most losses are more than three times that of"
                " random guessing. A lower learning rate helps.",
            )
        )
    if run.validation_loss is not None and isfinite(run.validation_loss) and run.smooth_loss:
        relation = "above" if run.validation_loss > run.smooth_loss else "below"
        findings.append(
            Finding(
                "Held-out text",
                f"The loss on text that the network never learns from is {run.validation_loss:,.2f}"
                f" nats per sequence, {abs(run.validation_loss - run.smooth_loss):,.2f} {relation}"
                " the smooth loss.",
            )
        )
    changes = changes_of_settings(milestones)
    if changes:
        named = "; ".join(f"{each.text} at update {each.update:,}" for each in changes[:MAX_NAMED])
        findings.append(Finding("Changes during the training", f"{named}."))
    return findings
