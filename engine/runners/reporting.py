"""The last steps of every attempt: mask, tidy up, report."""

# ruff: noqa: PTH106, PTH108, PTH114 -- on the hot path paths are text

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from msgspec.structs import replace

from engine.attempts import AttemptEnded, Launch, Reactor
from engine.outcomes import Ending, Failure, Outcome
from engine.runners.endings import one_line
from engine.runners.masking import Masker
from engine.runners.preparation import remove_spilled

_LONGEST_MESSAGE = 1000


class Reporter:
    """Reports outcomes, after masking them and removing the attempt's temporary files."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._sweepers: set[threading.Thread] = set()

    def report(
        self,
        launch: Launch,
        outcome: Outcome,
        masker: Masker,
        *,
        tmp: str = "",
        then: Callable[[], None] | None = None,
    ) -> None:
        """Report that the attempt is over, once its temporary files, in the folder `tmp`, are gone.

        `then` is called when it has been reported, perhaps from another thread.
        """
        ended = AttemptEnded(launch.key, masked_outcome(outcome, masker))
        remove_spilled(launch.files, launch.env)
        if not tmp or _is_removed(tmp):
            self._post(ended, then)
            return
        self._sweepers = {thread for thread in self._sweepers if thread.is_alive()}
        # A build may leave a hundred thousand files: the loop does not wait for their removal.
        sweeper = threading.Thread(target=self._sweep, args=(tmp, ended, then), daemon=True)
        self._sweepers.add(sweeper)
        sweeper.start()

    def close(self) -> None:
        """Wait for removals under way."""
        for thread in self._sweepers:
            thread.join()
        self._sweepers.clear()

    def _post(self, ended: AttemptEnded, then: Callable[[], None] | None) -> None:
        self._reactor.post(ended)
        if then is not None:
            then()

    def _sweep(self, folder: str, ended: AttemptEnded, then: Callable[[], None] | None) -> None:
        problem = remove_folder(folder)
        if problem:
            notes = (*ended.outcome.notes, f"temporary files could not be removed: {problem}")
            ended = replace(ended, outcome=replace(ended.outcome, notes=notes))
        self._post(ended, then)


def lost(reason: str) -> Outcome:
    """An attempt that the machine, not the flow, has ended."""
    return Outcome(Ending.LOST, Failure("lost", reason))


def lost_by(error: OSError) -> Outcome:
    """An attempt that could not be started because the system refused something."""
    reason = os.strerror(error.errno).lower() if error.errno else str(error)
    return lost(f"the attempt could not be started: {reason}")


def masked_outcome(outcome: Outcome, masker: Masker) -> Outcome:
    """`outcome` without secrets, its texts on one line."""
    failure = outcome.failure
    if failure is not None:
        failure = replace(failure, message=one_line(masker.mask_text(failure.message), _LONGEST_MESSAGE))
    if not masker.needles:
        return replace(outcome, failure=failure)
    return replace(
        outcome,
        failure=failure,
        output={name: masker.mask_value(value) for name, value in outcome.output.items()},
        notes=tuple(masker.mask_text(note) for note in outcome.notes),
    )


def remove_folder(folder: str) -> str | None:
    """Remove `folder` with everything in it, following no link; the first problem as text, `None` when there was none."""
    import shutil  # here, because it takes milliseconds that most runs never need

    problem: str | None = None
    try:
        if os.path.islink(folder):  # put there by the task: not ours to follow
            os.unlink(folder)
            return None
        with os.scandir(folder) as entries:
            for entry in list(entries):
                try:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        os.unlink(entry.path)
                except OSError as error:
                    problem = problem or (error.strerror or str(error)).lower()
        os.rmdir(folder)
    except OSError as error:
        problem = problem or (error.strerror or str(error)).lower()
    return problem


def _is_removed(folder: str) -> bool:
    """Remove a folder that is empty, or gone; whether nothing is left of it."""
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
