"""What a spawner is told to start: the fields of a `start` message."""

from __future__ import annotations


class Order:
    """One attempt to start.

    Attributes:
        marker: names the attempt, in the environment of its processes as well.
        token: the fencing number of the engine's right to it.
        workdir: the folder it starts in.
        log: where its output goes.
        slots: the folder of temporary folders, of which it gets one.
        outputs: the files that may be there when it has succeeded.
        fallback: the program to take when `argv[0]` is not on its PATH; empty for none.
        script_path: where its script is written first; empty for none.
        kept: the files of its stdout and stderr, as far as outputs are read from them.
        limit_bytes: how much of those is kept.
        needles: what is masked in its output.
        grace_s: what it may leave running has so long between SIGTERM and SIGKILL.
        argv, env: of the process.
    """

    __slots__ = (
        "argv", "env", "fallback", "grace_s", "kept", "limit_bytes", "log", "marker", "needles", "outputs",
        "script_path", "slots", "token", "workdir",
    )  # fmt: skip

    def __init__(self, fields: list[bytes]) -> None:
        """Read the fields in the order in which `engine.runners.processes.message` writes them."""
        _, self.marker, token, self.workdir, self.log, self.slots, *fields = fields
        output, output_json, self.fallback, self.script_path, stdout, stderr, limit, needles, grace, argc, *rest = (
            fields
        )
        self.token = int(token)
        self.outputs = (output, output_json)
        self.kept = {name: path for name, path in (("stdout", stdout), ("stderr", stderr)) if path}
        self.limit_bytes = int(limit or 0)
        self.needles = tuple(bytes.fromhex(needle.decode()) for needle in needles.split(b",")) if needles else ()
        self.grace_s = float(grace)
        self.argv = rest[: int(argc)]
        pairs = rest[int(argc) :]
        self.env = dict(zip(pairs[::2], pairs[1::2], strict=True))
