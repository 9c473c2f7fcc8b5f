"""A report as HTML and as Markdown: nothing that it quotes acts, and nothing is requested."""

import base64
import hashlib
import io
import json
import re
import zipfile
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from server.report.formats.figures import loss_figure
from server.report.formats.html import render_html
from server.report.formats.markdown import render_markdown
from server.report.formats.svg import draw_svg, ticks
from tests.report.example import checked, content_of, loss_part

MARKUP = "\"'><img src=x onerror=alert(1)></script><script>alert(2)</script><!--]]>{{7*7}}&lt;b&gt;"
PLAIN = "the sand hir woul tobe"


class Elements(HTMLParser):
    """Collects what a browser would see: elements with their attributes, and the scripts."""

    def __init__(self, document):
        super().__init__()
        self.found, self.scripts, self.text = [], [], []
        self.feed(document)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.found[-1:] and self.found[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.text.append(data)

    @property
    def tags(self):
        return Counter(tag for tag, _ in self.found)


def test_markup_that_a_report_quotes_stays_text():
    plain, quoting = (Elements(render_html(content_of(text)).decode()) for text in (PLAIN, MARKUP))
    assert quoting.tags == plain.tags
    assert [sorted(each) for _, each in quoting.found] == [sorted(each) for _, each in plain.found]
    # In every place where the plain text is.
    count = "".join(plain.text).count(PLAIN)
    assert count > 20
    assert "".join(quoting.text).count(MARKUP) == count


def test_a_report_allows_only_its_own_scripts_and_no_request():
    page = Elements(render_html(content_of(MARKUP)).decode())
    (policy,) = [
        each["content"]
        for tag, each in page.found
        if tag == "meta" and each.get("http-equiv") == "Content-Security-Policy"
    ]
    allowed = re.search(r"script-src ([^;]*)", policy)[1].split()
    data, *scripts = page.scripts
    assert json.loads(data)["data"]
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert allowed == [f"'sha256-{each}'" for each in hashes]
    assert policy.startswith("default-src 'none';")
    addresses = [
        each[name] for _, each in page.found for name in ("src", "href", "srcset") if name in each
    ]
    assert addresses == []


def test_texts_have_their_direction_and_their_language():
    page = Elements(render_html(content_of("从前有一个人", language="zh")).decode())
    quotes = [each for _, each in page.found if "quote" in (each.get("class") or "")]
    assert [each["dir"] for each in quotes] == ["auto"] * 3
    # The translation is in another language.
    assert [each.get("lang") for each in quotes] == ["zh", "zh", None]


def test_a_failed_check_is_shown_as_failed():
    content = content_of(PLAIN)
    content.check.result.__dict__.update(checked(passed=False).__dict__)
    for text in (render_html(content).decode(), markdown_of(content)["report.md"].decode()):
        assert "FAILED" in text
        assert "not finite" in text


def test_a_run_without_updates_has_a_report_without_figure():
    empty = np.empty(0)
    part = loss_part(
        update=empty, smooth=empty, low=empty, high=empty, epochs=[], lowest=None, last=None
    )
    content = content_of(PLAIN, loss=part)
    page = render_html(content).decode()
    assert 'id="chart"' not in page
    assert len(page) < 500_000  # without Plotly
    assert list(markdown_of(content)) == ["report.md"]


def markdown_of(content):
    with zipfile.ZipFile(io.BytesIO(render_markdown(content))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_markdown_quotes_text_so_that_it_does_not_act():
    fence = "````\n# not a heading\n```"
    text = markdown_of(content_of(fence))["report.md"].decode()
    # The fence of each block is longer than any in the text.
    assert text.count(f"\n`````text\n{fence}\n`````\n") == 4
    text = markdown_of(content_of("<b>*a*</b> | [x](http://a.b) # 1. $x$"))["report.md"].decode()
    outside = re.sub(r"```text\n.*?\n```", "", text, flags=re.DOTALL)
    assert "<b>" not in outside.replace("\\<", "")
    assert r"\<b\>\*a\*\</b\> \| \[x\](http\://a.b) \# 1. \$x\$" in outside
    for line, escaped in (("1. a", r"1\. a"), ("- a", r"\- a"), ("1.5", "1.5")):
        assert f"\n{escaped}\n" in markdown_of(content_of(line))["report.md"].decode()


def test_the_drawing_shows_the_figure():
    figure = loss_figure(loss_part())
    drawing = ElementTree.fromstring(draw_svg(figure, "a <b> & c"))
    space = "{http://www.w3.org/2000/svg}"
    assert drawing.find(f"{space}title").text == "a <b> & c"
    assert drawing.get("aria-label") == "a <b> & c"
    labels = [each.text for each in drawing.iter(f"{space}text")]
    assert {"1,000", "epoch 2", "epoch 5", "unigram", "update"} <= set(labels)
    assert [each for each in labels if each.startswith("lowest: 60.34 at update 2,000")]
    # Every point of the smooth loss is in it, in order.
    smooth = next(trace for trace in figure["data"] if trace["name"] == "smooth")
    (path,) = [each for each in drawing.iter(f"{space}path") if each.get("fill") == "none"]
    pairs = [tuple(map(float, pair.split())) for pair in path.get("d")[1:].split("L")]
    assert len(pairs) == len(smooth["x"]) == 200
    assert pairs == sorted(pairs)
    assert all(0 <= x <= 720 and 0 <= y <= 400 for x, y in pairs)


def test_the_figure_leaves_out_what_is_not_finite_and_is_not_flattened_by_an_outlier():
    part = loss_part()
    part.high[5] = 1e6
    part.low[7], part.smooth[9] = np.nan, np.inf
    figure = loss_figure(part)
    assert figure["layout"]["yaxis"]["range"][1] < 150
    json.dumps(figure, allow_nan=False)
    nothing = np.full(3, np.nan)
    assert (
        loss_figure(loss_part(update=np.arange(3), smooth=nothing, low=nothing, high=nothing))
        is None
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (30.2, 61, [40, 50, 60]),
        (0, 1.1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)
