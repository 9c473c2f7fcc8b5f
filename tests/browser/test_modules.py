"""The pure modules of the page, tested in a browser."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from server.corpora.proper_names import find_words
from tests.browser.conftest import Module
from tests.browser.server_process import Server


def points(first: int, last: int) -> dict[str, list[float]]:
    updates = list(range(first, last + 1))
    return {
        "update": list(map(float, updates)),
        "seconds": [update / 100 for update in updates],
        "smooth": [100.0 - update / 1000 for update in updates],
        "low": [50.0 - (update % 7) for update in updates],
        "high": [120.0 + (update % 11) for update in updates],
    }


def test_the_curve_stays_bounded_and_keeps_the_extremes(module: Module) -> None:
    spike = 12_345
    curve = module(
        "curve/loss-curve.js",
        """(() => {
          let curve = m.emptyCurve();
          for (let first = 1; first <= 200000; first += 500) {
            const part = { update: [], seconds: [], smooth: [], low: [], high: [] };
            for (let update = first; update < first + 500; update += 1) {
              part.update.push(update);
              part.seconds.push(update / 1000);
              part.smooth.push(100 - update / 4000);
              part.low.push(update === x ? -7 : 40);
              part.high.push(update === x ? 999 : 60);
            }
            curve = m.append(curve, part);
          }
          return curve;
        })()""",
        spike,
    )
    assert len(curve["update"]) <= 3_000
    assert curve["update"] == sorted(set(curve["update"]))
    assert curve["update"][-1] == 200_000
    assert min(curve["low"]) == -7
    assert max(curve["high"]) == 999
    held = curve["update"][curve["high"].index(999)]
    assert spike <= held <= spike + 200_000 / 1_000
    # The start keeps its detail, for a logarithmic axis.
    assert curve["update"][:20] == list(range(1, 21))


def test_points_already_stored_are_ignored(module: Module) -> None:
    curve = module(
        "curve/loss-curve.js",
        "m.append(m.append(m.curveOf(x[0]), x[1]), x[1])",
        [points(1, 10), points(6, 14)],
    )
    assert curve["update"] == list(range(1, 15))


def test_finer_points_replace_coarse_ones(module: Module) -> None:
    coarse = {"update": [8, 16, 24], "smooth": [3, 2, 1], "low": [0, 0, 0], "high": [9, 9, 9]}
    coarse["seconds"] = [1, 2, 3]
    fine = points(1, 16) | {"from": 1, "to": 16}
    curve = module("curve/loss-curve.js", "m.splice(m.curveOf(x[0]), x[1])", [coarse, fine])
    assert curve["update"] == [*range(1, 17), 24]


def test_losses_that_are_not_finite_do_no_harm(module: Module) -> None:
    part = {"update": [1, 2], "smooth": [4.0, None], "low": [3.0, None], "high": [5.0, None]}
    assert module("curve/loss-curve.js", "m.lossSpan(m.curveOf(x))", part) == [3.0, 5.0]
    merged = module("curve/loss-curve.js", "m.mergeByCell(m.curveOf(x), () => 0)", part)
    assert merged == {
        "update": [2],
        "seconds": [None],
        "smooth": [None],
        "low": [3.0],
        "high": [5.0],
    }


def test_words_are_split_in_code_points(module: Module) -> None:
    text = "😀 zorp Orla, Orlando 𝕏y"
    invented = [[2, 6], [21, 23]]
    cut = module(
        "lib/word-spans.js",
        "m.segments(x[0], { invented: x[1], watched: ['Orla'] })",
        [text, invented],
    )
    assert [(segment["kind"], segment["text"]) for segment in cut] == [
        ("plain", "😀 "),
        ("invented", "zorp"),
        ("plain", " "),
        ("watched", "Orla"),
        ("plain", ", Orlando "),
        ("invented", "𝕏y"),
    ]


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("我们去北京了。", "北京", 1),
        ("서울에서", "서울", 1),
        ("Orlando", "Orla", 0),
        ("Orla北京", "Orla", 0),
        ("“Orla”", "“Orla”", 1),
    ],
)
def test_a_watched_word_is_found_as_the_server_finds_it(
    module: Module, text: str, word: str, found: int
) -> None:
    assert len(find_words(text, [word])) == found
    cut = module("lib/word-spans.js", "m.segments(x[0], { watched: [x[1]] })", [text, word])
    assert [segment["text"] for segment in cut if segment["kind"] == "watched"] == [word] * found


def test_a_text_without_marks_is_plain(module: Module) -> None:
    assert module("lib/word-spans.js", "m.segments(x)", "a\nb") == [
        {"kind": "plain", "text": "a\nb"}
    ]


def test_empty_lines_separate_paragraphs(module: Module) -> None:
    pages = module("lib/word-spans.js", "m.paragraphs(m.segments(x))", " one\ntwo\n\n\nthree \n\n ")
    assert [[s["text"] for s in page] for page in pages] == [[" one\ntwo"], ["three"]]


def test_indentation_is_kept(module: Module) -> None:
    code = "\n\ndef f():\n    return x\n  \n    zebra = 1\n\n\tpass\n"
    pages = module("lib/word-spans.js", "m.paragraphs(m.segments(x))", code)
    texts = ["".join(s["text"] for s in page) for page in pages]
    assert texts == ["def f():\n    return x", "    zebra = 1", "\tpass"]
    # The same if the indentation and the word are different segments.
    start = code.index("zebra")
    invented = f"{{ invented: [[{start}, {start + 5}]] }}"
    pages = module("lib/word-spans.js", f"m.paragraphs(m.segments(x, {invented}))", code)
    assert [segment["text"] for segment in pages[1]] == ["    ", "zebra", " = 1"]


def test_unknown_characters_of_a_prime_are_marked_as_not_read(module: Module) -> None:
    parts = module("lib/word-spans.js", "m.segments(x, { primed: 4, unread: ['語'] })", "A語 b語c")
    assert [(part["kind"], part["text"]) for part in parts] == [
        ("primed", "A"),
        ("unread", "語"),
        ("primed", " b"),
        ("plain", "語c"),
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m.count(12340)", "12,340"),
        ("m.count(null)", "–"),
        ("m.loss(50.63)", "50.6"),
        ("m.loss(NaN)", "–"),
        ("m.share(0.637)", "64%"),
        ("m.speed(0.5)", "0.5"),
        ("m.speed(7912.4)", "7,912"),
        ("m.duration(71)", "1:11"),
        ("m.duration(3723)", "1:02:03"),
        ("m.duration(1e6)", "12 days"),
        ("m.timeSpan(42)", "42 s"),
        ("m.timeSpan(328)", "5 min 28 s"),
        ("m.timeSpan(1468)", "24 min"),
        ("m.timeSpan(3900)", "1 h 05 min"),
        ("m.timeSpan(1e6)", "12 days"),
        ("m.bytes(321456)", "314 kB"),
        ("m.isolateDirection('Orla')", "Orla"),
        ("m.isolateDirection('ليلى')", "\u2068ليلى\u2069"),
    ],
)
def test_numbers_and_names_as_words(module: Module, expression: str, expected: str) -> None:
    assert module("lib/format.js", expression) == expected


def test_samples_stay_bounded_and_hurrahs_are_kept(module: Module) -> None:
    kept = module(
        "state/samples.js",
        """m.keepSamples(Array.from({ length: 5000 }, (_, i) =>
             ({ update: i, hurrahs: i % 500 === 3 ? ['Orla'] : [] })))""",
    )
    updates = [sample["update"] for sample in kept]
    assert len(kept) <= 200
    assert updates == sorted(updates)
    assert updates[-50:] == list(range(4950, 5000))
    assert {update for update in range(5000) if update % 500 == 3} <= set(updates)


def test_time_left_by_pace(module: Module) -> None:
    run = {"update": 1000, "updates_per_second": 100, "spec": {"max_updates": 2000, "pace": "max"}}
    assert module("runs/figures.js", "m.secondsLeft(x)", run) == 10
    run["spec"] = {"max_updates": 1_000_000, "pace": "cinematic"}
    left = module("runs/figures.js", "m.secondsLeft(x)", run)
    assert left == pytest.approx(69.08, abs=0.01)


def test_messages_of_another_run_change_nothing(module: Module) -> None:
    assert module(
        "state/reducers.js",
        """(() => {
          const state = { ...m.initialState({ operator: true }), runId: 'a' };
          const message = { type: 'sample', run: 'b', seq: 1, sample: { update: 1 } };
          return m.reduce(state, { type: 'message', message }) === state;
        })()""",
    )


def test_the_last_message_of_a_type_without_a_handler_is_stored(module: Module) -> None:
    found = module(
        "state/reducers.js",
        """(() => {
          const receive = (state, message) =>
            m.reduce(state, { type: 'message', message: { run: 'a', ...message } });
          const loss = { bucket: 1, update: [], smooth: [], low: [], high: [] };
          const run_state = { spec: { pace: 'max' } };
          const snapshot = { type: 'snapshot', run_state, loss, samples: [], milestones: [],
            checkpoints: [] };
          let state = { ...m.initialState({ operator: true }), runId: 'a' };
          const found = [];
          for (let seq = 1; seq <= 3; seq += 1) state = receive(state, { type: 'new', seq });
          state = receive(state, { type: 'other', seq: 4 });
          state = receive(state, { type: 'new', seq: 5, run: 'b' });
          found.push(state.latest);
          found.push(receive(state, snapshot).latest);
          found.push(m.reduce(state, { type: 'open', runId: 'b', view: {} }).latest);
          return found;
        })()""",
    )
    latest = {
        "new": {"run": "a", "type": "new", "seq": 3},
        "other": {"run": "a", "type": "other", "seq": 4},
    }
    assert found == [latest, {}, {}]


def test_samples_in_a_burst_are_delivered_together_and_in_order(
    module: Module,
) -> None:
    messages: list[dict[str, Any]] = [
        *({"type": "sample", "sample": {"update": i, "hurrahs": []}} for i in range(40)),
        {"type": "progress"},
        {"type": "sample", "sample": {"update": 40, "hurrahs": []}},
        {"type": "sample", "sample": {"update": 41, "hurrahs": ["Orla"]}},
        {"type": "sample", "sample": {"update": 42, "hurrahs": []}},
    ]
    given = module(
        "net/batcher.js",
        """await new Promise((done) => {
          const given = [];
          const gathering = new m.MessageBatcher((messages) => {
            given.push(messages);
            if (messages.at(-1) === x.at(-1)) done(given);
          });
          // All arrive at the same time.
          const { now } = performance;
          performance.now = () => 0;
          for (const message of x) gathering.add(message);
          performance.now = now;
        })""",
        messages,
    )
    assert [message for together in given for message in together] == messages
    # The first one, then those held back until the progress, those up to a hurrah, and the rest.
    assert given == [messages[:1], messages[1:41], messages[41:43], messages[43:]]


def test_views_are_called_once_for_a_batch_of_actions(module: Module) -> None:
    seen = module(
        "lib/store.js",
        """(() => {
          const store = m.createStore((state, by) => ({ sum: state.sum + by }), { sum: 0 });
          const seen = [];
          store.watch(({ sum }) => [sum], (sum) => seen.push(sum));
          store.dispatch(1, 2, 3);
          store.dispatch(4);
          return seen;
        })()""",
    )
    assert seen == [0, 6, 10]


def test_the_url_contains_the_view_and_is_read_back(module: Module) -> None:
    state = {
        "runId": "r1",
        "scale": "log",
        "range": [1200, 5000],
        "pinned": 2000,
        "sideTab": "reading",
    }
    address = module("state/url-state.js", "m.urlOf(x)", state)
    assert module("state/url-state.js", "m.stateFromUrl(x)", address) == state


@pytest.mark.parametrize(
    "nonsense",
    ["?scale=cubic", "?range=9-2", "?range=x-y", "?at=-4", "?at=1e9", "?tab=ace", "?x=1"],
)
def test_invalid_url_parameters_are_ignored(module: Module, nonsense: str) -> None:
    assert module("state/url-state.js", "m.stateFromUrl(x)", nonsense) == {}


LESSON = {
    "corpus": "a1b2c3d4",
    "name": "Lesson 3, part 2; 50% off: none",
    "cell": "lstm",
    "hidden_size": 256,
    "optimizer": "adam",
    "clip": None,
    "dropout": 0.25,
    "max_updates": None,
    "pace": 37.5,
    "watch_words": ["Orla", "none", "a;b,c%2C"],
    "paused": True,
}


def test_a_spec_in_a_link_is_short_and_read_back(module: Module) -> None:
    path = "spec/spec-link.js"
    text = module(path, "m.formatSpec(x, 'War, and Peace')", LESSON)
    assert "corpus:a1b2c3d4" in text
    assert ",hidden_size:256," in text
    found = module(path, "m.parseSpec(x)", text)
    assert found == {"spec": LESSON, "corpusName": "War, and Peace", "problem": None}
    # Through a URL, which stays readable.
    link = module(path, "m.specLink(x)", text)
    assert ",cell:lstm,hidden_size:256," in link
    assert module(path, "new URL(x).searchParams.get('new')", link) == text

    # What has its default is left out; the optimizer sets the default of the learning rate.
    usual = module(path, "m.withDefaults({optimizer: 'adam'})")
    assert usual["learning_rate"] == 0.002
    assert module(path, "m.formatSpec(x)", usual) == "optimizer:adam"
    with_rate = usual | {"learning_rate": 0.1}
    assert module(path, "m.formatSpec(x)", with_rate) == "optimizer:adam,learning_rate:0.1"
    assert module(path, "m.parseSpec('')") == {"spec": {}, "corpusName": "", "problem": None}
    # No watched words are other than those of the text.
    assert module(path, "m.parseSpec(m.formatSpec({watch_words: []})).spec") == {"watch_words": []}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lstm", "“lstm” is not NAME:VALUE."),
        ("hiden_size:3", "A run has no setting “hiden_size”."),
        ("__proto__:3", "A run has no setting “__proto__”."),
        ("cell:ltsm", 'cell must be "rnn", "gru" or "lstm".'),
        ("seed:3,hidden_size:0", "hidden_size must be an integer from 1 to 2,048."),
        ("hidden_size:2.5", "hidden_size must be an integer from 1 to 2,048."),
        ("hidden_size:", "hidden_size must be an integer from 1 to 2,048."),
        ("hidden_size:none", "hidden_size must be an integer from 1 to 2,048."),
        ("learning_rate:0", "learning_rate must be a number above 0."),
        ("dropout:1", "dropout must be a number at least 0 and below 1."),
        ("clip:Infinity", "clip must be a number above 0 or null."),
        ("pace:warp", 'pace must be "max", "cinematic" or a number above 0 and at most 1,000,000.'),
        ("paused:yes", "paused must be true or false."),
        ("seed:9007199254740993", "seed must be an integer up to 9,007,199,254,740,991 here."),
        ("name: ", "name must be text of up to 120 characters or null."),
        (
            f"watch_words:{'x' * 61}",
            "watch_words must be a list of up to 50 words of up to 60 characters or null.",
        ),
    ],
)
def test_a_wrong_setting_in_a_link_is_described(module: Module, text: str, problem: str) -> None:
    found = module("spec/spec-link.js", "m.parseSpec(x)", text)
    assert (found["spec"], found["problem"]) == ({}, problem)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"cell": "gru", "name": null}', {"spec": {"cell": "gru", "name": None}}),
        (
            '{"id": "r1", "spec": {"seed": 3}, "corpus_name": "Tales"}',
            {"spec": {"seed": 3}, "corpusName": "Tales"},
        ),
        ("{", {"problem": "It is not valid JSON."}),
        ("[1]", {"problem": "It does not contain the settings of a run."}),
        ('{"layers": "2"}', {"problem": "layers must be an integer from 1 to 4."}),
        ('{"__proto__": 3}', {"problem": "A run has no setting “__proto__”."}),
        (" " * 1_000_001, {"problem": "It is too large for the settings of a run."}),
    ],
)
def test_a_file_with_settings(module: Module, content: str, found: dict[str, Any]) -> None:
    read = module("spec/spec-file.js", "await m.readSpecFile(new File([x], 'x.json'))", content)
    assert read == {"spec": {}, "corpusName": "", "problem": None} | found


@pytest.mark.parametrize(("characters", "fits"), [(10_000, False), (2_000, True)])
def test_a_prime_that_is_too_long_for_a_url_is_left_out(
    module: Module, server: Server, characters: int, fits: bool
) -> None:
    passage = {
        "source": "best",
        "seed": 7,
        "length": 80,
        "temperature": 0.8,
        "temperatures": None,
        "top_k": None,
        "top_p": None,
        "prime": "語" * characters,
    }
    address = module("state/url-state.js", "m.urlOf(x)", {"runId": "r1", "passage": passage})
    view = module("state/url-state.js", "m.stateFromUrl(x)", address)
    assert view == {"runId": "r1", "passage": passage} if fits else view == {"runId": "r1"}
    assert httpx.get(f"{server.url}{address}", timeout=60).status_code == 200
    link = module("state/passage-link.js", "m.passageUrl('r1', x)", passage)
    assert (link is not None) == fits


def test_the_clock_uses_the_fastest_answer(module: Module) -> None:
    learned = module(
        "net/server-clock.js",
        """(() => {
          const clock = new m.ServerClock();
          for (const answer of x) clock.observe(...answer);
          return [clock.aheadMs, clock.errorMs];
        })()""",
        # Sent, answered, received: the server is 500 ms ahead; one answer took long to arrive.
        [[1000, 1505, 1400], [2000, 2505, 2010], [3000, 3504, 3090]],
    )
    assert learned == [500, 5]


def test_samples_in_the_zoomed_range_are_kept_in_addition(module: Module) -> None:
    kept = module(
        "state/samples.js",
        """m.keepSamples(Array.from({ length: 5000 }, (_, i) =>
             ({ update: i, hurrahs: [], replay: i % 4 ? null : {} })), [700, 780])""",
    )
    updates = [sample["update"] for sample in kept]
    assert len(kept) <= 350
    assert set(range(700, 781)) <= set(updates)
    # Of the others, those with a replay are preferred.
    assert all(update % 4 == 0 for update in updates if update < 700)


def test_a_word_is_a_hurrah_once_even_if_the_run_goes_back(module: Module) -> None:
    found = module(
        "state/reducers.js",
        """(() => {
          const tell = (state, message) =>
            m.reduce(state, { type: 'message', message: { run: 'a', ...message } });
          const sample = (update, ...hurrahs) =>
            ({ type: 'sample', sample: { update, hurrahs, text: '' } });
          const loss = { bucket: 1, update: [], smooth: [], low: [], high: [] };
          const run_state = { spec: { pace: 'max' } };
          const snapshot = { type: 'snapshot', run_state, loss, samples: [], milestones: [],
            checkpoints: [] };
          const old = { update: 3, kind: 'hurrah', text: 'hurrah - Pell' };
          let state = { ...m.initialState({ operator: true }), runId: 'a' };
          state = tell(state, { ...snapshot, milestones: [old] });
          const seen = [];
          for (const message of [sample(5, 'Pell'), sample(6, 'Orla', 'Vane'), snapshot,
            sample(6, 'Orla', 'Vane'), sample(7, 'Brack', 'Orla')]) {
            state = tell(state, message);
            seen.push(state.newHurrah);
          }
          return seen;
        })()""",
    )
    first = {"update": 6, "words": ["Orla", "Vane"]}
    assert found == [None, first, None, None, {"update": 7, "words": ["Brack"]}]


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (["Orla"], "hurrah - Orla, update 9,000"),
        (["Orla", "Vane"], "hurrah - Orla and Vane, update 9,000"),
        (["A", "B", "C", "D"], "hurrah - A, B and 2 more, update 9,000"),
    ],
)
def test_a_hurrah_in_words(module: Module, words: list[str], label: str) -> None:
    assert module("state/hurrah-label.js", "m.hurrahLabel(x, 9000)", words) == label


def test_a_sparkline_follows_the_axis(module: Module) -> None:
    updates = [0, 10, 100, 1000]
    assert module("ui/sparkline.js", "m.positionsOf(x, false)", updates) == [0, 0.01, 0.1, 1]
    places = module("ui/sparkline.js", "m.positionsOf(x, true)", updates)
    assert places == sorted(places)
    assert places[2] == pytest.approx(0.697, abs=0.001)
    assert module("ui/sparkline.js", "m.nearestPosition(x, 0.6)", places) == 2
    path = module("ui/sparkline.js", "m.pathOf([0, 1, 2], [0, 0.5, 1], 4)")
    assert path == "M0 100L50 75L100 50"


def test_past_updates_show_samples_that_have_the_text(module: Module) -> None:
    samples = [
        {"update": 10 * i, "text": str(i), "replay": {"text": f"r{i}"} if i % 3 == 0 else None}
        for i in range(10)
    ]
    state = {"samples": samples, "hovered": None, "asWritten": False, "textMode": "replay"}
    state |= {"heldSample": None}

    def seen(**more: Any) -> Any:
        found = module("state/samples.js", "m.textInView(x)", state | {"pinned": None} | more)
        return found["sample"]["update"], found["textMode"], found["replayed"]

    assert seen() == (90, "written", False)
    assert seen(heldSample=70) == (70, "written", False)
    assert seen(pinned=50) == (30, "replay", True)
    assert seen(pinned=50, textMode="written") == (50, "written", False)
    assert seen(pinned=50, asWritten=True) == (50, "written", False)
    assert seen(pinned=50, asWritten=True, hovered=75) == (60, "replay", True)
    assert seen(hovered=5) == (0, "replay", True)
    # Without any replay, the text as written is shown.
    bare = [sample | {"replay": None} for sample in samples]
    found = module("state/samples.js", "m.textInView(x)", state | {"samples": bare, "pinned": 50})
    assert (found["sample"]["update"], found["replayed"]) == (50, False)

    def step(index: int, by: int) -> Any:
        return module("state/samples.js", "m.nearestWithText(x[0], x[1], x[2])", [state, index, by])

    assert [step(4, 1), step(4, -1), step(6, 1), step(8, 1), step(1, -1)] == [6, 3, 6, 9, 0]
