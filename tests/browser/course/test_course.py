"""A student checks gradients: a problem, the page's code, and the answer to each file."""

from __future__ import annotations

import csv
import io
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Module, Window
from tests.browser.course.files import Arrays, answer_with, npz, reference_gradients
from tests.browser.server_process import Server

TOKEN = "a token that nobody guesses"


def students_gradients(*, recurrent: bool = True) -> Callable[..., tuple[Any, ...]]:
    """Code as in a course; without `recurrent`, the gradient from the next step is missing."""

    def my_gradients(U, W, b, V, c, x, y, h0):
        h, p, loss = {-1: h0}, {}, 0.0
        for t, character in enumerate(x):
            h[t] = np.tanh(W @ h[t - 1] + U[:, character] + b)
            o = V @ h[t] + c
            p[t] = np.exp(o) / np.exp(o).sum()
            loss -= np.log(p[t][y[t]])
        dU, dW, db, dV, dc = (np.zeros_like(each) for each in (U, W, b, V, c))
        dh_next = np.zeros_like(h0)
        for t in reversed(range(len(x))):
            do = p[t].copy()
            do[y[t]] -= 1
            dV += np.outer(do, h[t])
            dc += do
            dh = V.T @ do + (dh_next if recurrent else 0)
            da = dh * (1 - h[t] ** 2)
            dU[:, x[t]] += da
            dW += np.outer(da, h[t - 1])
            db += da
            dh_next = W.T @ da
        return loss, dU, dW, db, dV, dc

    return my_gradients


def run_code(code: str, directory: Path, my_gradients: Callable[..., Any]) -> Arrays:
    """Run the page's code beside the downloaded problem; returns the gradients that it saves."""
    (directory / "student.py").write_text(code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        runpy.run_path("student.py", {"my_gradients": my_gradients})
    with np.load(directory / "my_gradients.npz") as saved:
        return dict(saved)


def verdicts(page: Page) -> dict[str, str]:
    cells = page.locator("#answer-rows tr").evaluate_all(
        "rows => rows.map(({ cells }) => [cells[0].firstChild.data, cells[3].textContent])"
    )
    return dict(cells)


def choose(page: Page, file: FilePayload) -> None:
    page.locator("#answer-file").set_input_files(file)


def drop(page: Page, file: FilePayload) -> None:
    """Drop a file on the page, as from the desktop."""
    page.evaluate(
        """([name, bytes]) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
          const options = { dataTransfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("dragover", options));
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [file["name"], list(file["buffer"])],
    )


def download_problem(page: Page, directory: Path) -> Arrays:
    with page.expect_download() as download:
        page.locator("#problem-download").click()
    assert download.value.suggested_filename == "problem.npz"
    download.value.save_as(directory / "problem.npz")
    with np.load(directory / "problem.npz") as problem:
        return dict(problem)


def test_a_viewer_finds_a_mistake_then_the_right_gradients_and_changes_the_problem(
    own_server: Server, open_window: Callable[..., Window], tmp_path: Path
) -> None:
    own_server.token = TOKEN
    own_server.start()
    window = open_window(permissions=["clipboard-read", "clipboard-write"])
    page = window.page
    window.expect_errors("status of 4(15|22)")
    page.goto(f"{own_server.url}course?hidden_size=5&sequence_length=6&seed=7")
    expect(page.locator("body")).to_have_attribute("data-operator", "false")
    expect(page.locator("#problem-arrays tr")).to_have_count(5)  # the problem arrived
    rows = page.locator("#problem-arrays tr").all_inner_texts()
    assert [row.split("\t")[:3] for row in rows][:2] == [
        ["U", "m × K", "5 × 13"],
        ["W", "m × m", "5 × 5"],
    ]
    problem = download_problem(page, tmp_path)
    assert problem["W"].shape == (5, 5)
    loss = float(page.locator("#problem-loss-value").inner_text())
    assert loss == pytest.approx(float(problem["loss"]), abs=1e-6)
    page.locator("#problem-copy").click()
    expect(page.locator(".toast")).to_contain_text("copied")
    code = page.evaluate("navigator.clipboard.readText()")

    # One mistake: the file is dropped.
    wrong = run_code(code, tmp_path, students_gradients(recurrent=False))
    drop(page, npz(wrong))
    verdict = page.locator("#answer-verdict")
    expect(verdict).to_contain_text("One mistake:")
    assert verdicts(page) == {name: "✗ wrong" if name in "UWb" else "✓ right" for name in "UWbVc"}
    diagnosis = page.locator("#answer-diagnosis")
    expect(diagnosis.locator(".course-wrong code").first).to_have_text("dh = e[t]")
    expect(diagnosis.locator(".course-right code").first).to_have_text("dh = e[t] + dh_next")
    link = diagnosis.get_by_role("link", name="See what it does to a training")
    expect(link).to_have_attribute("href", re.compile("mistakes.*mistake=no_recurrent_gradient"))
    expect(page.locator("#check-maps canvas")).to_have_count(5)
    page.locator("#check-maps canvas").nth(1).focus()
    expect(page.locator("#check-readout")).to_contain_text("against the right gradient")
    page.locator("#check-copy").get_by_role("button", name="CSV").click()
    expect(page.locator(".toast").last).to_contain_text("copied as CSV")
    table = list(csv.reader(page.evaluate("navigator.clipboard.readText()").splitlines()))
    assert [[row[0], row[3]] for row in table[1:3]] == [["U", "wrong"], ["W", "wrong"]]

    # A file that cannot be compared leaves no answer to another one.
    problem_box = page.locator("#answer-problem")
    choose(page, {"name": "mine.npz", "mimeType": "text/plain", "buffer": b"not an archive"})
    expect(problem_box).not_to_be_empty()
    expect(verdict).to_have_text("The answer")
    expect(page.locator("#answer-details")).to_be_hidden()
    choose(page, npz({"W": wrong["W"][1:]}))
    expect(problem_box).to_contain_text("4 x 5")

    # Right, transposed and with another name; the bias is missing. Then complete.
    right = run_code(code, tmp_path, students_gradients())
    transposed = {"U": right["U"].T, "dW": right["W"].T, "V": right["V"].T, "c": right["c"]}
    choose(page, npz(transposed))
    expect(verdict).to_have_text("b is missing; the others are right.")
    expect(problem_box).to_be_empty()
    expect(page.locator("#answer-change")).to_have_text("U and W are right now.")
    expect(page.locator("#answer-rows")).to_contain_text("as dW, transposed")
    assert verdicts(page)["b"] == "missing"
    choose(page, npz(right))
    expect(verdict).to_have_text("Your gradients are right.")
    expect(page.locator("[role=status]", has=verdict)).to_be_visible()
    expect(page.locator("#answer-change")).to_have_text("b is right now.")
    expect(diagnosis).to_be_empty()

    # The form changes the problem and the code.
    page.locator("#problem-cell input[value=lstm]").check()
    for name, value in (("hidden_size", 4), ("layers", 2), ("sequence_length", 5)):
        page.locator(f"#problem-{name}").fill(str(value))
    expect(page.locator("#problem-arrays tr")).to_have_count(8)
    expect(page.locator("#problem-arrays")).to_contain_text("4m × K")
    expect(page.locator("#problem-arrays")).to_contain_text("16 × 4")
    problem = download_problem(page, tmp_path)
    loss, gradients = reference_gradients(page)
    assert loss == pytest.approx(float(problem["loss"]))
    arguments: list[Any] = []

    def mine(*given: Any) -> tuple[float, Arrays]:
        arguments.extend(given)
        return loss, gradients

    code = page.locator("#problem-code").inner_text()
    choose(page, npz(run_code(code, tmp_path, mine)))
    expect(page.locator("#answer-verdict")).to_have_text("Your gradients are right.")
    parameters, x, y, states = arguments
    assert set(parameters) == set(gradients)
    assert (len(x), len(y), set(states)) == (5, 5, {"h1_0", "c1_0", "h2_0", "c2_0"})

    # Another problem: the answer to the first one is removed, and the URL leads to the new one.
    page.locator("#problem-layers").fill("1")
    page.locator("#problem-cell input[value=gru]").check()
    expect(page.locator("#problem-code")).to_contain_text("U, W, b, d, V, c = (")
    expect(page.locator("#answer-verdict")).to_have_text("The answer")
    assert "cell=gru&hidden_size=4&sequence_length=5&seed=7&layers=1" in page.url
    answer_with(page, "direct_path_missing")
    expect(page.locator("#answer-verdict")).to_contain_text("One mistake: no gradient through")
    expect(page.locator("#answer-verdict sub").first).to_have_text("t−1")

    # The server's sentence about a number stands at its field, and no problem is shown.
    page.locator("#problem-hidden_size").fill("0")
    page.locator("#problem-hidden_size").press("Enter")
    expect(page.locator("#error-hidden_size")).not_to_be_empty()
    expect(page.locator("#problem-arrays tr")).to_have_count(0)
    page.locator("#problem-hidden_size").fill("3")
    with page.expect_download():
        page.locator("#problem-hidden_size").press("Enter")
    expect(page.locator("#error-hidden_size")).to_be_empty()
    expect(page.locator("#problem-arrays tr").first).to_contain_text("9 × 13")


def test_a_problem_is_read_from_a_compressed_archive_too(module: Module) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, U=np.zeros((3, 2)), loss=np.array(2.5), x=np.arange(40), name="rnn")
    found = module(
        "course/npz.js",
        """(async () => {
          const arrays = await m.readNpz(Uint8Array.from(x).buffer);
          const loss = arrays.find(({ name }) => name === "loss");
          return [arrays.map(({ name, shape }) => [name, shape]), m.scalar(loss)];
        })()""",
        list(file.getvalue()),
    )
    assert found == [[["U", [3, 2]], ["loss", []], ["x", [40]], ["name", []]], 2.5]


def test_an_equation_is_set_as_in_a_book(module: Module) -> None:
    html = module(
        "course/equation.js",
        "[m.equation(x[0]).innerHTML, m.sentence(x[1]).map((part) => part.textContent ?? part)]",
        ["dh_{t-1} = W^T da_t * tanh(c)", "Multiply da_t by h_{t-1} of the step."],
    )
    line = (
        "<i>dh</i><sub><i>t</i>−1</sub> = <i>W</i><sup><i>T</i></sup> <i>da</i><sub><i>t</i></sub>"
        " ⊙ tanh(<i>c</i>)"
    )
    assert html == [
        line,
        ["Multiply ", "dat", " by ", "ht−1", " of the step."],
    ]
