"""Every code a finding can have, with its severity. Codes are stable for ever; each has a page in the docs."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from specs.diagnostics import Severity

GROUPS: Mapping[str, str] = {
    "1": "file and schema",
    "2": "graph",
    "3": "expressions",
    "4": "safety",
    "5": "time and resources",
    "6": "style",
    "7": "scripts",
    "9": "validator",
}
"""What the first digit of a code stands for."""

OPT_IN = frozenset({"FLOW205"})
"""Codes outside group 6 that are reported only when asked for."""

OF_PROJECTS = frozenset({"FLOW132", "FLOW227", "FLOW228", "FLOW257", "FLOW509", "FLOW513", "FLOW514"})
"""Codes about files side by side, which the check of one file never reports (`specs/project.py`)."""

JUDGEMENTS = frozenset({"FLOW410", "FLOW411", "FLOW414", "FLOW423"})
"""Errors about danger and not about meaning: a flow that has one could run, so an author may answer for it with a reason.
Every other error says that the flow cannot do what is written, which no comment changes."""


class CodeInfo(Struct, frozen=True):
    """What a code means: `title` is one line without names, `group` a value of `GROUPS`."""

    code: str
    severity: Severity
    title: str
    group: str

    @property
    def opt_in(self) -> bool:
        """Whether the check is off unless asked for: style, and the codes of `OPT_IN`."""
        return self.group == "style" or self.code in OPT_IN


_SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFO}

_TABLE = """
101 E the text is not YAML
102 E the file is empty or holds more than one document
103 E a key occurs twice
104 E merge keys are not supported
105 E tags are not supported
106 E a key must be text, a number or a boolean
107 E an alias is unknown, contains itself or expands too far
108 E the file is larger or deeper than allowed
109 E the file is not UTF-8 or holds a forbidden character
110 E unknown key
111 E a key is missing
112 E a value of another type is expected
113 E not one of the choices
114 E a task needs exactly one action
115 E keys exclude each other
116 E the key has no meaning with this action
117 E not a valid name
118 E not a duration or size
119 E a number or length is out of range
120 E the value does not fit the schema
121 E the language version is not known
122 W text here, something else to YAML 1.1 tools
123 W an empty value
124 E not an environment name, or a reserved one
125 E a library file cannot be included
126 W an anchor is never used
127 E the default does not fit its parameter
128 E the pattern is invalid or needs backtracking
129 E a form from elsewhere; there is one form here
130 W a deprecated key
131 E the file cannot be read
132 W a library that no flow includes
190 W part of the language that this engine does not honour yet
201 E waits for a task that does not exist
202 E waits for itself
203 W a task is named twice in a list
204 E wants a task both succeeded and failed
205 I waits for a task already through another
206 E an arm names a task that does not exist
207 E arm names an ancestor of the branch
208 I a task is in several arms of a branch
209 E an arm has no tasks
210 E a cycle
211 E a cycle through a recovery
212 E `join` asks for more edges than there are
213 W the task can never run
214 W `join` has no effect with one edge
215 E waits for the end of a service
216 W `after_start` of a task that is not a service
217 E `recovers` without `after_failure`
218 E unknown template, or one that extends itself
219 E wants more slots than the pool has
220 E edges are not inherited
221 W nothing waits for the start of a service
222 E unknown connector or action
223 E a field of an action is unknown or missing
224 E a field of an action has the wrong type
225 W no known worker has these labels
226 W no file declares the pool
227 E files declare a pool or lock differently
228 W locks are taken in different orders
230 I skipped with everything it waits for
231 E an arm that can never be taken
232 E a case that cannot occur, or occurs twice
233 W a switch that does not cover its choices
240 E only tasks upstream can be asked to run again
241 W reads a task that may be reset
242 W the reset set holds an approval or an undo
243 E the sum of `rounds` exceeds `limits.resets`
250 E a sub-flow is not found or cannot be used
251 E a sub-flow needs a parameter
252 E a sub-flow has no such parameter
253 E a parameter of a sub-flow has another type
254 E flows call each other
255 E flows nest too deep
256 E a sub-flow has no such output
257 E two flows have the same name
260 E a matrix axis is empty or not a list
261 E more combinations than `max_items`
262 W a filter of items removes nothing, or everything
263 W `include` has a key that is no axis
264 E `key` is not unique
265 I `max_parallel` is above another limit
266 E `tolerate` is not a count or a percentage up to 100
270 E more tasks than the limit
301 E not an expression
302 E unknown name
303 E no such parameter, variable, secret or task
304 E no such field
305 E unknown filter or test
306 E calls and their like are not allowed
307 E statements are not allowed
308 E wrong arguments for a filter
309 E the name is not available here
310 E this field is an expression already
311 W a condition that is always the same
312 E a condition must be a boolean
313 E compares values of different types
314 E the operator is not defined for these types
315 E a value that cannot be part of a text
316 E a map as an argument
317 E `${{` without `}}`
318 E `-` here is a minus
319 E the expression is too long or too deep
320 E reads a task that is not upstream
321 E `output` and `outputs` mixed up
322 E reads an output that is not declared
323 E a task of this kind has no output
324 E reads a task that has only started
331 E reads a value that may be undefined
332 I a default that is never used
340 E the expression gives another type
341 E the field takes no expression
410 E `run` is literal: expressions are not expanded in scripts
411 E an expression inside the program text of `{sh}`
412 W a value from outside may be taken for an option
413 E a secret may not be used here
414 E looks like a credential
415 W a URL with a password in it
416 W a host variable looks like a secret
417 W webhook without `signature`
418 W a value from outside goes into an unguarded parameter
419 W the host of a URL comes from outside
420 W a path from outside without an allowed root
421 W approval with no `approvers`: anyone may agree
422 I plain `http://` to another host
423 E a value from outside may not set this variable
501 E not a cron expression
502 E unknown time zone
503 E a schedule that never fires
504 W fires faster than runs can end
505 I a local time that does not exist or occurs twice
506 W `at` is in the past
507 E `at` needs an offset or a `timezone`
508 E a trigger needs exactly one kind
509 E a webhook path is used twice
510 E a trigger and the parameters do not fit
511 E not a usable glob
512 E the key has no meaning for this kind of trigger
513 E flows start each other for ever
514 W a trigger waits for a flow that no file has
520 E `timeout` is longer than `deadline`
521 W the attempts take longer than `deadline`
522 W `max_delay` is below `delay`
523 W `retry` with one attempt does nothing
524 E unknown error name
525 E `never` covers all of `errors`
526 I retries a POST with no idempotency key
527 I the longest path takes longer than the run may
528 W `repeat` takes longer than `deadline`
529 W `retry_after: pool` and no pool
530 W `tolerate: "100%"` and `dead_letter: false`: losses are silent
601 W a parameter is never used
602 W a secret is never used
603 W a template is never used
604 W a pool or connector is never used
605 W a `set` value is never used
606 I no description
607 I the id does not follow the convention
608 I `after_complete` is written `after`
609 I the same `if` on a chain
610 I a long script
701 E shell syntax
702 W shellcheck
703 E Python syntax
704 W ruff
705 W a variable that is never set
706 W a declared output that the script never writes
707 W the script writes an output that is not declared
901 E a check failed on its own
902 I checks were skipped
903 W a silence that silences nothing
904 W a silence names a code that does not exist
905 W a silence without a code
906 W a silence that an error does not heed
"""


def _read_table(table: str) -> dict[str, CodeInfo]:
    codes = {}
    for line in table.strip().splitlines():
        number, severity, title = line.split(" ", 2)
        code = f"FLOW{number}"
        codes[code] = CodeInfo(code, _SEVERITIES[severity], title, GROUPS[number[0]])
    return codes


CODES: Mapping[str, CodeInfo] = _read_table(_TABLE)
"""All codes in numerical order."""
