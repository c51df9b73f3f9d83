"""One mistake, one message: what follows from a name that is wrong is not told of as well."""

from __future__ import annotations

import pytest

from engine.connectors.signatures import BUILT_IN
from tests.specs.rules.checking import Signatures, check, codes

CHAIN = """tasks:
  load: {{run: x, outputs: {{n: {{type: int}}}}}}
  check: {{run: x, after: [{edge}]}}
  last: {{after: [check], run: x, env: {{N: "${{{{ tasks.load.output.n }}}}"}}{more}}}
"""


@pytest.mark.parametrize("more", ["", ", retry_upstream: {tasks: [load], rounds: 1}"])
def test_an_edge_to_nowhere_leaves_open_what_is_upstream_further_on(more: str) -> None:
    assert codes(CHAIN.format(edge="load", more=more)) == []
    assert codes(CHAIN.format(edge="laod", more=more)) == ["FLOW201"]


def test_an_expression_for_a_connector_is_not_an_unknown_connector() -> None:
    text = 'tasks:\n  a: {use: "${{ run.id }}", with: {url: "https://example.org/"}}\n'
    assert codes(text, catalogue=Signatures(BUILT_IN)) == ["FLOW341"]


def test_of_an_unknown_connector_nothing_is_said_about_secret_fields() -> None:
    text = 'secrets: {KEY: {from: "env:KEY"}}\ntasks:\n  a: {use: htp.request, with: {headers: {A: "${{ secrets.KEY }}"}}}\n'
    assert codes(text, catalogue=Signatures(BUILT_IN)) == ["FLOW222"]


def test_an_expression_in_a_script_of_a_shell_with_options_is_told_without_a_fix() -> None:
    (finding,) = check('tasks:\n  a: {shell: [bash, -e], run: "echo ${{ run.id }}"}\n').diagnostics
    assert (finding.code, finding.fix) == ("FLOW410", None)
