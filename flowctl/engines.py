"""An engine in a workspace: built from its settings, and left so that the next one can go on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.errors import RunTakenAway, StoreError

if TYPE_CHECKING:
    from engine.doorbell import Doorbell
    from engine.loop import Engine, Observer
    from engine.parts import EngineParts
    from engine.reactor import SelectorReactor
    from engine.runners.local import LocalRunner
    from engine.store.port import Store, Wakeups
    from flowctl.workspace import Workspace

TAKEN_BESIDE = 8
"""Interrupted runs that an engine in the foreground drives besides its own at a time."""


@contextmanager
def engine_in(
    workspace: Workspace,
    store: Store,
    observers: Sequence[Observer],
    *,
    takes_over: bool,
    tell: Callable[[str], None],
) -> Iterator[tuple[Engine, SelectorReactor]]:
    """An engine with the local runner, as `Workspace.engine` describes it."""
    from engine.identity import own_identity
    from engine.reactor import SelectorReactor
    from engine.runners.local import LocalRunner

    with ExitStack() as cleanup:
        reactor = SelectorReactor()
        cleanup.callback(reactor.close)
        owner = own_identity()
        journals, types = workspace.run_files.journals, workspace.settings.connectors
        runner = LocalRunner(reactor, journals=journals, owner=owner, connector_types=types)
        cleanup.callback(runner.close)
        with suppress(OSError):  # then the first task is told why
            runner.warm_up()  # what starts the tasks gets ready while the rest is loaded and the run is made durable
        from engine.loop import Engine

        parts = _parts(workspace, store, reactor, runner, owner=owner, takes_over=takes_over)
        engine = Engine(parts, observers=observers)
        for bell in _bells(store, engine, reactor, owner=owner):
            cleanup.callback(bell.close)
        cleanup.callback(store.be_patient, None)
        _have_wait(store, engine, reactor, patience=workspace.settings.db.patience, tell=tell)
        try:
            yield engine, reactor
        except BaseException as error:
            store.be_patient(None)
            with suppress(StoreError):
                engine.leave()
            if isinstance(error, RunTakenAway | StoreError):
                # What is being made is the other engine's by now; or what becomes of it cannot be written down, and
                # whoever takes the run over will do that.
                runner.leave()
            raise
        if engine.leave():
            runner.leave()


def _parts(
    workspace: Workspace,
    store: Store,
    reactor: SelectorReactor,
    runner: LocalRunner,
    *,
    owner: str,
    takes_over: bool,
) -> EngineParts:
    from engine.clock import SteadyClock
    from engine.ids import RandomIds
    from engine.launching import Surroundings
    from engine.ownership import Terms
    from engine.parts import EngineParts, Keeping
    from engine.secrets import Secrets
    from flowctl.history import StoredPlans

    settings = workspace.settings
    return EngineParts(
        store=store,
        waiter=reactor,
        runner=runner,
        clock=SteadyClock(),
        ids=RandomIds(),
        random=random.random,
        around=Surroundings(workspace.environ, workspace.run_files, Secrets(workspace.environ)),
        owner=owner,
        slots=settings.slots,
        keeping=Keeping(
            StoredPlans(workspace, store),
            Terms(settings.recovery.beat, settings.recovery.lease),
            takes_over=takes_over and settings.recovery.take_over,
            most=TAKEN_BESIDE,
        ),
    )


def _bells(store: Store, engine: Engine, reactor: SelectorReactor, *, owner: str) -> list[Doorbell | Wakeups]:
    """What rings when there may be a message for the engine, from this machine or another."""
    from engine.doorbell import Doorbell

    here = Doorbell(owner, reactor, engine.look)
    away = store.wakeups(owner, reactor, engine.look)
    return [here] if away is None else [here, away]


def _have_wait(
    store: Store, engine: Engine, reactor: SelectorReactor, *, patience: timedelta, tell: Callable[[str], None]
) -> None:
    """Have calls of the store wait while it is away."""
    from engine.outages import Outages

    store.be_patient(
        Outages(reactor, patience=patience, random=random.random, tell=tell, is_hopeless=lambda: engine.is_pressed)
    )
