import numpy as np
import pytest

from benchmarks.training.textbook import TextbookTrainer
from server.rnn.training.trainer import Trainer, TrainerSettings
from server.rnn.vocabulary import Vocabulary


@pytest.mark.parametrize("sequence_length", [10, 25])
def test_the_textbook_loop_has_the_same_losses(sequence_length):
    """From the same parameters, both have the same losses: the comparison is fair."""
    text = "the lamps of the harbour were lit one by one, and nobody knew by whom. " * 5
    vocabulary = Vocabulary.from_text(text)
    settings = TrainerSettings(hidden_size=20, sequence_length=sequence_length, dtype="float64")
    trainer = Trainer(vocabulary.encode(text), len(vocabulary), settings)
    textbook = TextbookTrainer(
        text, hidden_size=20, sequence_length=sequence_length, smoothing=settings.smoothing
    )
    for name in "UWVbc":
        trainer.parameters[name][:] = getattr(textbook, name).reshape(
            trainer.parameters.shapes[name]
        )
    for _ in range(3 * trainer.updates_per_epoch):
        assert trainer.update() == pytest.approx(textbook.update(), rel=1e-8)
        # Both begin with another smooth loss, whose part in a later one is known.
        if trainer.updates == 1:
            difference = trainer.smooth_loss - textbook.smooth_loss
        else:
            difference *= settings.smoothing
        assert trainer.smooth_loss == pytest.approx(textbook.smooth_loss + difference, rel=1e-8)
    text = textbook.generate(100)
    assert np.array(text).max() < len(vocabulary)
