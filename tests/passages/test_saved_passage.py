from server.passages.request import PassageRequest
from server.passages.saved_passage import SavedPassage, as_markdown, as_text
from server.spec.schemas import Passage, PassageSource, Quality

TEXT = "the *lamp*\n1. went out\n"


def saved(*temperatures, title=None, smooth_loss=50.25):
    source = PassageSource(kind="best", update=1_234, smooth_loss=smooth_loss)
    passages = [
        Passage(
            text=TEXT,
            prime="So ",
            seed=7,
            source=source,
            temperature=temperature,
            quality=Quality(1.0, 4, 10),
            unknown_characters=[],
            model="a" * 24,
            fingerprint="b" * 24,
        )
        for temperature in temperatures
    ]
    return SavedPassage(
        id="1",
        run="r",
        run_name="A run",
        corpus_name="A corpus",
        title=title,
        created_at="2026-01-01T00:00:00+00:00",
        request=PassageRequest(),
        model_saved=True,
        passages=passages,
    )


def test_an_old_title_has_no_control_characters():
    assert saved(1.0, title="A\u202e title\x00").title == "A title"
    assert saved(1.0, title="\u202e").title is None


def test_plain_text():
    assert as_text(saved(1.0, title="A title")) == (
        "A title\n\nA run, best model, update 1,234, smooth loss 50.2, temperature 1, seed 7\n\n"
        "So the *lamp*\n1. went out\n"
    )


def test_several_temperatures():
    text = as_text(saved(0.5, 1.0, smooth_loss=None))
    assert text.startswith("A run, best model, update 1,234, seed 7\n\nTemperature 0.5\n\nSo the")
    assert "\n\nTemperature 1\n\nSo the" in text


def test_markdown_is_escaped_and_keeps_its_lines():
    assert as_markdown(saved(1.0)) == (
        "## So the \\*lamp\\* 1. went out\n\n"
        "*A run, best model, update 1,234, smooth loss 50.2, temperature 1, seed 7*\n\n"
        "So the \\*lamp\\*  \n1\\. went out\n"
    )


def test_fingerprints():
    assert (saved(1.0).fingerprint, saved(1.0).model) == ("b" * 24, "a" * 24)
