"""What a script reads without being given it: every way to set, guard or quote a name, and silence where in doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.shell_words import unset_names

KNOWN = frozenset({"HOME", "FILE"})


def names(script: str) -> list[str]:
    return [one.name for one in unset_names(script, KNOWN)]


@pytest.mark.parametrize(
    "script",
    [
        "echo $X",
        'echo "${X}"',
        "echo ${X%.csv} ${#HOME}",
        'echo "$(basename "$X")"',
        "echo `basename $X`",
        "cat <<END\n$X\nEND\n",
        "cat <<-END\n\t$X\n\tEND\n",
        "case $HOME in a) echo $X ;; esac",
        "# $Y\necho a#$X",
        "awk '{print $NF}' \"$X\"",
        'echo "it\'s $X"',
        "echo $((1 + $X))",
        "echo $$ $# $? $1 $X",
    ],
)
def test_a_name_that_nobody_sets_is_found(script: str) -> None:
    assert names(script) == ["X"]


@pytest.mark.parametrize(
    "script",
    [
        "echo '$X' \\$X",
        "X=1; echo $X",
        "X+=1\necho $X",
        "export X\necho $X",
        "for X in a b; do echo $X; done",
        "while read -r X rest; do echo $X $rest; done",
        "local X=1 Y; echo $Y",
        "while getopts ab X; do echo $X; done",
        "mapfile -t X < f; echo ${X[0]}",
        "printf -v X %s a; echo $X",
        "(( X = 3 )); echo $X",
        "echo $(( X++ )) $X",
        "echo ${X:-none} $X",
        "echo ${X-none}",
        "echo ${X:+set}",
        ": ${X:=1}; echo $X",
        ": ${X?missing}",
        ". ./settings; echo $X",
        "source settings\necho $X",
        'eval "$(tool)"; echo $X',
        "set +u\necho $X",
        "cat <<'END'\n$X\nEND\n",
        "cat <<\\END\n$X\nEND\n",
        "echo # $X",
        "echo $'a $X b'",
        "echo $HOME $FILE",
    ],
)
def test_a_name_that_is_set_guarded_or_quoted_is_fine(script: str) -> None:
    assert names(script) == []


@pytest.mark.parametrize("script", ['echo "$X', "echo '$X", "cat <<END\n$X", "echo $(echo $X", "echo `echo $X"])
def test_nothing_is_said_of_a_script_that_does_not_end(script: str) -> None:
    assert names(script) == []


def test_the_first_reading_of_a_name_is_told_with_its_place() -> None:
    script = 'echo "${X}" $X'
    (found,) = unset_names(script, KNOWN)
    assert script[found.start : found.end] == "${X"


@given(st.text(alphabet="$X{}()\"'`\\\n# <E=:-;|a", max_size=60))
def test_any_text_can_be_looked_at(script: str) -> None:
    for one in unset_names(script, KNOWN):
        assert script[one.start] == "$"
        assert script[: one.end].endswith(one.name)


@pytest.mark.parametrize("piece", ["$X", "a", "'", '"', "a[", "u", 'a="x" ', "$(", "<<E ", "\\", "((", "X="])
def test_a_long_script_is_looked_at_in_time_that_grows_with_it(piece: str) -> None:
    unset_names("echo $MISSING " + piece * 50_000, KNOWN)
