"""The reference's code and its equations, as the Gradients page shows them."""

import html
import inspect
import re

import pytest

from server.rnn.cells import CELLS
from server.rnn.reference import network
from server.web.method import method_of, network_method, reference_module, typeset


def test_equations_are_typeset():
    assert typeset("dh_t = W^T da_{t+1} * 2") == (
        "d<i>h</i><sub><i>t</i></sub> = <i>W</i><sup>⊤</sup> d<i>a</i><sub><i>t</i>+1</sub> ⊙ 2"
    )
    assert "<sup>2</sup><sub><i>t</i></sub>" in typeset("tanh(h_t^2)")
    assert typeset("a < b") == "<i>a</i> &lt; <i>b</i>"


@pytest.mark.parametrize("cell", CELLS)
def test_the_code_is_the_source_without_docstrings(cell):
    module = CELLS[cell].reference
    sources = [inspect.getsource(f) for f in (module.forward, module.backward)]
    sources += [
        inspect.getsource(f)
        for f in (network.forward, network.losses, network.backward, network.train)
    ]
    parts = method_of(cell) + network_method()
    assert all(part.equations for part in parts)
    for part, source in zip(parts, sources, strict=True):
        shown = html.unescape(re.sub("<[^>]+>", "", part.code))
        assert shown == re.sub(r'    """.*?"""\n', "", source, flags=re.DOTALL).rstrip()
        assert reference_module(part.module) in {module, network}
    assert reference_module("os") is None
