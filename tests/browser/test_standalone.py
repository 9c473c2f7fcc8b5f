"""The page that writes without a server: the same numbers and text, no request, and safe."""

import base64
import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.rnn.model import Model
from server.rnn.sampling.inference import Stepper
from server.rnn.sampling.sampling import generate
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run
from server.standalone.page import write_page
from tests.browser.conftest import DESKTOP, eventually
from tests.serving import ROOT

SCRIPTS = ROOT / "static" / "js" / "standalone"
LENGTH = 1_000
HOSTILE = "</script><script>alert(1)</script><!-- \u2028 ' \" & \u202e"
# Markup, quotes, a line separator, a character outside of the basic plane, a mark, and an unknown.
CHARACTERS = Vocabulary.from_text("abcdefgh </script><!--&\"'`\\\u2028\u0301\U0001f40b\n")


def random_model(cell, layers, vocabulary, dtype="f4", m=24):
    """A network whose likeliest text does not repeat itself soon."""
    sizes = Architecture(vocabulary_size=len(vocabulary), hidden_size=m, cell=cell, layers=layers)
    rng = np.random.default_rng(20 + layers)
    scale = {"U": 1.5, "W": 1.8 / np.sqrt(m), "V": 1.2}
    parameters = {
        name: (rng.normal(size=shape) * scale.get(name[0], 0.5)).astype(dtype)
        for name, shape in sizes.parameter_shapes.items()
    }
    state = {name: rng.normal(size=m).astype(dtype) * 0.5 for name in sizes.state_names}
    return Model(
        parameters=parameters,
        state=state,
        next_index=3,
        update=1_234,
        smooth_loss=45.6,
        cell=cell,
        layers=layers,
    )


def page_of(directory, model, vocabulary, name="A tale"):
    spec = RunSpec(corpus="tale", name=name, cell=model.cell, layers=model.layers)
    run = Run(
        id="0",
        name=name,
        state="finished",
        spec=spec,
        corpus="tale",
        corpus_name=name,
        corpus_characters=5_000,
        updates_per_epoch=100,
        parameters=model.architecture.size,
        created_at="2026-01-01T00:00:00Z",
    )
    path = directory / f"{model.cell}-{model.layers}.html"
    write_page(path, model, vocabulary, run)
    return path


def expected(model, text):
    """The server's logits while it reads a text, from its state."""
    stepper = Stepper(model)
    indices = [model.next_index, *text[:-1]]
    return np.array([stepper.step(index)[0].copy() for index in indices])


def test_the_logits_and_the_likeliest_text_are_the_servers(browser, tmp_path):
    page = browser.new_page()
    scripts = {
        name: "data:text/javascript;base64,"
        + base64.b64encode((SCRIPTS / f"{name}.js").read_bytes()).decode()
        for name in ("network", "safetensors", "sampling")
    }
    cases = [(cell, layers, "f4") for cell in CELLS for layers in (1, 2)] + [("gru", 2, "f8")]
    for cell, layers, dtype in cases:
        model = random_model(cell, layers, CHARACTERS, dtype)
        html = page_of(tmp_path, model, CHARACTERS).read_text(encoding="utf-8")
        (encoded,) = re.findall(r'id="model">([^<]*)<', html)
        text, logits = page.evaluate(
            """async ({ scripts, encoded, length }) => {
              const { Network } = await import(scripts.network);
              const { readSafetensors } = await import(scripts.safetensors);
              const { softmax } = await import(scripts.sampling);
              const { arrays, metadata } = readSafetensors(encoded);
              const network = new Network(arrays, metadata.cell, Number(metadata.layers));
              let index = Number(metadata.next_index);
              const text = [];
              const logits = new Float64Array(length * arrays["parameters.c"].length);
              for (let i = 0; i < length; i++) {
                const next = network.read(index);
                logits.set(next, i * next.length);
                index = softmax(next, 0).indexOf(1);
                text.push(index);
              }
              const bytes = Array.from(new Uint8Array(logits.buffer));
              const parts = bytes.map((byte) => String.fromCharCode(byte));
              return [text, btoa(parts.join(""))];
            }""",
            {"scripts": scripts, "encoded": encoded, "length": LENGTH},
        )
        likeliest = generate(model, LENGTH, temperature=0, seed=0)
        assert len(set(likeliest.tolist())) > 4
        assert text == likeliest.tolist(), (cell, layers)
        computed = np.frombuffer(base64.b64decode(logits)).reshape(LENGTH, -1)
        np.testing.assert_allclose(computed, expected(model, text), rtol=0, atol=1e-4)
    page.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    model = random_model("lstm", 2, CHARACTERS)
    return model, page_of(tmp_path_factory.mktemp("page"), model, CHARACTERS, HOSTILE)


def write_until(page, characters):
    page.locator("#write").click()
    measures = page.locator("#measures")
    eventually(
        measures.inner_text, lambda text: count_in(text) >= characters, f"{characters} characters"
    )
    page.get_by_role("button", name="Pause").click()
    return page.locator("#text").text_content()


def count_in(measures):
    """The number of characters in "1,234 characters, ..."."""
    return int(re.sub(r"\D", "", measures.partition(" ")[0]) or 0)


def test_a_page_of_hostile_text_writes_offline_and_asks_for_nothing(browser, hostile):
    model, path = hostile
    context = browser.new_context(viewport=DESKTOP, offline=True)
    page = context.new_page()
    requests, faults = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.goto(path.as_uri())
    expect(page).to_have_title(f"{HOSTILE} - a network that writes".replace("\u2028", "\u2028"))
    assert page.locator("h1").evaluate("element => element.textContent") == HOSTILE
    facts = page.locator(".facts").inner_text()
    for fact in ("LSTM, 2 layers of 24 units", "1,234 updates", "45.6"):
        assert fact in facts
    # The same characters as the server's, and a prime whose unknown characters are told.
    page.locator("#prime").fill("abéc")
    expect(page.locator("#prime-hint")).to_contain_text("does not know")
    expect(page.locator("#prime-hint")).to_contain_text("U+00E9")
    page.locator("#temperature").fill("0")
    page.locator("#speed").fill("7")
    prime = CHARACTERS.encode("abc")
    likeliest = CHARACTERS.decode(generate(model, LENGTH, temperature=0, seed=0, prime=prime))
    assert write_until(page, LENGTH).startswith("abc" + likeliest)
    # Sampled: the same seed, the same text; without one, another text.
    page.locator("#temperature").fill("1")
    texts = []
    for seed in ("5", "5", ""):
        page.locator("#clear").click()
        page.locator("#seed").fill(seed)
        texts.append(write_until(page, 100)[:100])
    assert texts[0] == texts[1] != texts[2]
    expect(page.locator("#probabilities .share")).to_have_count(9)
    eventually(page.locator("#text .tint").count, lambda count: count > 10, "the tints")
    page.get_by_label("Tint by surprise").uncheck()
    # Not every text has a character of the strongest tint.
    strong = "#text :is(.tint-3, .tint-4, .tint-5, .tint-6, .tint-7)"
    tinted = f"getComputedStyle(document.querySelector('{strong}')).backgroundColor"
    assert page.evaluate(tinted) == "rgba(0, 0, 0, 0)"
    assert page.locator("[aria-live] #text, #text[aria-live], #text[role=log]").count() == 0
    assert (requests, faults) == ([path.as_uri()], [])
    # The policy forbids what a script of the text might try.
    blocked = page.evaluate("fetch('https://example.org/').then(() => false, () => true)")
    assert blocked
    # A message of the console is known only after a call of the page.
    eventually(
        lambda: page.evaluate("0") or [fault for fault in faults if "Content Security" in fault],
        bool,
        "the message about the policy",
    )
    context.close()


def test_it_is_accessible_in_both_themes_and_fits_a_phone(browser, hostile):
    _, path = hostile
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(path.as_uri())
    # The whole page from the keyboard: the first stop is the text, the second the button.
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    eventually(lambda: page.locator("#text .tint").count(), lambda count: count > 3, "the text")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Paused")
    papers = set()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        # The colours of the buttons change gradually.
        page.evaluate("Promise.allSettled(document.getAnimations().map((each) => each.finished))")
        found = Axe().run(page).response["violations"]
        grave = [
            (each["id"], [node["html"] for node in each["nodes"]])
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]
        assert grave == [], theme
        papers.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert len(papers) == 2
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_role("button", name="Write").bounding_box()["y"] < 844
    context.close()
