import dataclasses

import numpy as np
import pytest

from server.rnn.cells import CELLS
from server.rnn.model import Model
from server.rnn.sampling import sampling
from server.rnn.sampling.sampling import CHUNK, generate, generate_chunks
from server.rnn.sampling.sampling_filters import Sampler
from server.rnn.training.trainer import Trainer, TrainerSettings


def random_model(K=6, m=5, seed=0, dtype=np.float64, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = {"U": (m, K), "W": (m, m), "b": (m,), "V": (K, m), "c": (K,)}
    return Model(
        parameters={n: scale * rng.standard_normal(s).astype(dtype) for n, s in shapes.items()},
        state={"h": rng.uniform(-1, 1, m).astype(dtype)},
        next_index=int(rng.integers(K)),
        update=7,
        smooth_loss=3.0,
    )


def step(model, h, index):
    p = model.parameters
    h = np.tanh(p["W"] @ h + p["U"][:, index] + p["b"])
    return h, p["V"] @ h + p["c"]


def trained_model(cell, **changes):
    settings = TrainerSettings(
        cell=cell, hidden_size=12, dtype="float64", init_scale=None, **changes
    )
    trainer = Trainer(np.arange(200) ** 2 % 23, 23, settings)
    for _ in range(20):
        trainer.update()
    return trainer.current_model()


def test_temperature_0_takes_the_likeliest():
    model = random_model(scale=2.0)
    h, index, expected = model.state["h"], model.next_index, []
    for _ in range(300):
        h, logits = step(model, h, index)
        index = int(logits.argmax())
        expected.append(index)
    assert generate(model, 300, temperature=0, seed=1).tolist() == expected
    assert generate(model, 300, temperature=0, seed=2).tolist() == expected


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_characters_are_drawn_from_the_softmax(temperature):
    """With W = U = 0 every character has one known distribution."""
    model = random_model()
    for name in "WU":
        model.parameters[name][:] = 0.0
    logits = step(model, model.state["h"], 0)[1] / temperature
    p = np.exp(logits) / np.exp(logits).sum()
    n = 20_000
    counts = np.bincount(generate(model, n, temperature=temperature, seed=3), minlength=p.size)
    chi_squared = ((counts - n * p) ** 2 / (n * p)).sum()
    assert chi_squared < 20.5  # the 0.999 quantile with 5 degrees of freedom


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({"top_k": 2}, 2),
        ({"top_p": 0.7}, 3),
        ({"top_k": 4, "top_p": 0.85}, 3),
        ({"top_k": 1}, 1),
        ({"top_p": 1e-9}, 1),
    ],
    ids=str,
)
def test_kept_characters_are_drawn_by_their_probability(limits, kept):
    model = random_model()
    for name in "UWV":
        model.parameters[name][:] = 0.0
    p = np.array([0.05, 0.3, 0.1, 0.15, 0.35, 0.05])
    model.parameters["c"][:] = np.log(p)
    n = 20_000
    counts = np.bincount(generate(model, n, seed=3, **limits), minlength=p.size)
    likeliest = np.argsort(-p, kind="stable")[:kept]
    assert counts[likeliest].sum() == n
    expected = n * p[likeliest] / p[likeliest].sum()
    assert ((counts[likeliest] - expected) ** 2 / expected).sum() < 13.8


def test_filters_do_not_change_the_noise():
    """A character drawn without filters is also drawn with them, if it is kept."""
    model = random_model(K=9)
    for name in "UW":
        model.parameters[name][:] = 0.0
    free, few = generate(model, 2000, seed=1), generate(model, 2000, seed=1, top_k=4)
    among = np.isin(free, np.unique(few))
    assert among.sum() > 500
    assert np.array_equal(free[among], few[among])


# A trained model, because a random one would amplify rounding, which differs.
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("limits", [{}, {"top_k": 3, "top_p": 0.9}], ids=str)
@pytest.mark.parametrize("prime", [None, np.array([3, 1, 2])], ids=["carried", "primed"])
def test_texts_generated_in_parallel_equal_those_generated_alone(cell, limits, prime):
    model = trained_model(cell)
    temperatures = [0.0, 0.5, 1.0, 2.0]
    length = CHUNK + 40
    options = {"seed": 5, "prime": prime, **limits}
    together = generate(model, length, temperature=temperatures, **options)
    assert together.shape == (4, length)
    for text, temperature in zip(together, temperatures, strict=True):
        assert np.array_equal(text, generate(model, length, temperature=temperature, **options))
    chunks = list(generate_chunks(model, length, temperature=temperatures, **options))
    assert [chunk.shape for chunk in chunks] == [(4, CHUNK), (4, 40)]
    assert np.array_equal(np.concatenate(chunks, axis=1), together)


def test_a_list_of_one_temperature_gives_a_list_of_one_text():
    model = random_model()
    assert np.array_equal(
        generate(model, 90, temperature=[1], seed=1), [generate(model, 90, seed=1)]
    )
    assert generate(model, 0, temperature=[1.0, 2.0], seed=1).shape == (2, 0)


def test_each_character_depends_on_the_one_before():
    model = random_model(K=4, scale=1.5)
    text = generate(model, 3000, seed=5)
    h, index, surprise = model.state["h"], model.next_index, []
    for k in text:
        h, logits = step(model, h, index)
        p = np.exp(logits) / np.exp(logits).sum()
        surprise.append(-np.log(p[k]) + (p * np.log(p)).sum())
        index = k
    # The mean surprise of text drawn from the model is its mean entropy.
    assert abs(np.mean(surprise)) < 4 * np.std(surprise) / np.sqrt(len(surprise))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_seed_gives_one_text(dtype):
    model = random_model(dtype=dtype)
    first = generate(model, 1000, seed=1)
    assert np.array_equal(first, generate(model, 1000, seed=1))
    assert not np.array_equal(first, generate(model, 1000, seed=2))
    assert first.min() >= 0
    assert first.max() < model.vocabulary_size


def test_a_shorter_text_is_a_prefix_of_a_longer_one():
    model = random_model()
    long = generate(model, 3 * CHUNK + 1, seed=1)
    for length in (0, 1, CHUNK - 1, CHUNK, CHUNK + 1):
        assert np.array_equal(generate(model, length, seed=1), long[:length])


def test_chunks_make_up_the_text():
    model = random_model()
    chunks = list(generate_chunks(model, 3 * CHUNK + 1, seed=1))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, CHUNK, 1]
    assert np.array_equal(np.concatenate(chunks), generate(model, 3 * CHUNK + 1, seed=1))


@pytest.mark.parametrize("prime", [[2], [0, 3, 3, 1, 5]])
def test_a_prime_is_read_from_the_model_s_own_state(prime):
    model = random_model()
    h = model.state["h"]
    for index in prime[:-1]:
        h, _ = step(model, h, index)
    there = dataclasses.replace(model, state={"h": h}, next_index=prime[-1])
    assert np.array_equal(
        generate(model, 500, seed=1, prime=np.array(prime)),
        generate(there, 500, seed=1),
    )


def test_an_empty_prime_equals_no_prime():
    model = random_model()
    empty = np.array([], dtype=np.uint16)
    assert np.array_equal(generate(model, 50, seed=1, prime=empty), generate(model, 50, seed=1))


def test_generating_does_not_change_the_model():
    model = random_model()
    before = {name: array.copy() for name, array in model.parameters.items()}
    state = model.state["h"].copy()
    generate(model, 100, seed=1, prime=np.array([1, 2]))
    assert all(np.array_equal(before[name], model.parameters[name]) for name in before)
    assert np.array_equal(state, model.state["h"])


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("name", ["U", "W", "b", "V", "c"])
def test_diverged_parameters_still_generate(name, poison):
    model = random_model(dtype=np.float32)
    model.parameters[name][:] = poison
    for options in ({}, {"top_k": 3}, {"top_p": 0.5}, {"top_k": 3, "top_p": 0.5}):
        for temperature in (1.0, 0.0, [0.0, 1.0, 9.0]):
            text = generate(
                model, 300, temperature=temperature, seed=1, prime=np.array([1, 2]), **options
            )
            assert text.shape == (*np.shape(temperature), 300)
            assert text.min() >= 0
            assert text.max() < model.vocabulary_size


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e30, 1e300])
def test_any_temperature_is_accepted(temperature):
    model = random_model(dtype=np.float32, scale=3.0)
    text = generate(model, 2000, seed=1, temperature=temperature)
    if temperature < 1:
        assert np.array_equal(text, generate(model, 2000, seed=1, temperature=0))
    else:
        counts = np.bincount(text, minlength=6)
        assert ((counts - 2000 / 6) ** 2 / (2000 / 6)).sum() < 20.5


@pytest.mark.parametrize("temperature", [-0.1, np.nan, np.inf])
def test_a_temperature_must_be_finite_and_not_negative(temperature):
    with pytest.raises(ValueError, match="temperature"):
        generate(random_model(), 10, seed=1, temperature=temperature)


def test_a_negative_length_is_refused():
    with pytest.raises(ValueError, match="length"):
        generate(random_model(), -1, seed=1)


@pytest.mark.parametrize("prime", [[6], [-1], [0, 9]])
def test_a_prime_outside_the_vocabulary_is_refused(prime):
    with pytest.raises(ValueError, match="prime"):
        generate(random_model(), 1, seed=1, prime=np.array(prime))


def test_the_noise_of_a_large_vocabulary_takes_little_memory(monkeypatch):
    model = random_model()
    sizes, draw = [], Sampler.noise

    def counting_noise(self, rng, n):
        noise = draw(self, rng, n)
        sizes.append(noise.size)
        return noise

    whole = generate(model, 3 * CHUNK + 1, seed=1, temperature=[1.0, 2.0])
    monkeypatch.setattr(Sampler, "noise", counting_noise)
    most = 10 * model.vocabulary_size
    monkeypatch.setattr(sampling, "MAX_NOISE", most)
    assert np.array_equal(generate(model, 3 * CHUNK + 1, seed=1, temperature=[1.0, 2.0]), whole)
    assert sum(sizes) == (3 * CHUNK + 1) * 2 * model.vocabulary_size
    assert max(sizes) == most
    # One character at a time, if the numbers for a character are more.
    monkeypatch.setattr(sampling, "MAX_NOISE", 1)
    assert np.array_equal(generate(model, 20, seed=1), whole[0][:20])
