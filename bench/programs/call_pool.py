"""The floor of calls: the standard library's process pool, one message for each call, nothing kept."""

import json
import sys
from concurrent.futures import ProcessPoolExecutor


def touch(mark: str) -> None:
    """Leave a mark."""
    with open(mark, "w"):
        pass


def nothing(mark: str) -> None:
    """Do nothing."""


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        work = json.load(file)
    function = touch if work["program"].endswith("touch") else nothing
    with ProcessPoolExecutor(max_workers=work["at_once"]) as pool:
        print("done", sum(1 for _ in pool.map(function, [task["mark"] for task in work["tasks"]])))
