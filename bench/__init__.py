"""Measures flowctl beside floors and peers: the same work, in turn, in one run, on one machine.

`python -m bench --help` tells how; `docs/performance.md` says what is measured and what came of it. Nothing of flowctl is
imported here: every contender, flowctl included, is a program that is started and waited for.
"""
