"""Findings of a check, printed: for people (`text`), for editors (`concise`) and for programs (`json_lines`)."""
