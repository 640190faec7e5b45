"""What is measured: the rows of the table, their budgets, and who stands beside us."""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["ms", "s", "MB", "x", "/s"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A script that measures one system.

    environment: the peer's name in `venvs.PEERS`, or None for Treadle's own. clock: a script
    times itself (inside), or is timed from its start to its result (outside).
    """

    name: str
    script: str
    environment: str | None = None
    arguments: tuple[str, ...] = ()
    clock: Literal["inside", "outside"] = "inside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. note: take this note of the scripts instead of their value."""

    name: str
    title: str
    unit: Unit
    ours: Contender
    peers: tuple[Contender, ...] = ()
    at_most: float | None = None
    at_least: float | None = None
    note: str | None = None
    remark: str = ""


def _ours(script: str, **options: str) -> Contender:
    return Contender(name="Treadle", script=f"ours/{script}.py", **options)  # type: ignore[arg-type]


def _peer(name: str, script: str, **options: str) -> Contender:
    environment = name.lower()
    return Contender(
        name=name,
        script=f"peers/{environment}_{script}.py",
        environment=environment,
        **options,  # type: ignore[arg-type]
    )


def _script(*arguments: str) -> Contender:
    return Contender(name="Treadle", script="ours/script_step.py", arguments=arguments)


def _bytes(direction: str) -> Contender:
    return Contender(name="Treadle", script="ours/large_bytes.py", arguments=(direction,))


def _import(name: str, statement: str) -> Contender:
    environment = None if name == "Treadle" else name.lower()
    return Contender(
        name=name, script="import_time.py", environment=environment, arguments=(statement,)
    )


ROWS = (
    Row(
        name="chain",
        title="chain of 100 function steps",
        unit="ms",
        ours=_ours("chain"),
        peers=(_peer("Ray", "chain"), _peer("Celery", "chain"), _peer("redun", "chain")),
        at_most=0.05,
        remark="Ray keeps nothing; Celery on Redis with its append-only file; redun in threads",
    ),
    Row(
        name="fan-out",
        title="10,000 steps fanned out, a step",
        unit="ms",
        ours=_ours("fan_out"),
        peers=(_peer("Ray", "fan_out"),),
        at_most=0.0003,
        remark="Ray keeps nothing",
    ),
    Row(
        name="fan-out-ratio",
        title="the same, a step, to that of 100",
        unit="x",
        ours=_ours("fan_out"),
        peers=(_peer("Ray", "fan_out"),),
        at_most=1.2,
        note="to_few",
    ),
    Row(
        name="array",
        title="512 MB array to the next step's process, over an in-place sum",
        unit="ms",
        ours=_ours("array_handed_over"),
        peers=(_peer("Ray", "array"),),
        at_most=0.005,
    ),
    Row(
        name="blob-write",
        title="writing a 512 MB blob, to a bare write() of the same bytes",
        unit="x",
        ours=_ours("blob_write"),
        at_least=0.8,
    ),
    Row(
        name="first-result",
        title="start to first result",
        unit="s",
        ours=_ours("first_result", clock="outside"),
        peers=(
            _peer("Ray", "first_result", clock="outside"),
            _peer("redun", "first_result", clock="outside"),
        ),
        at_most=0.7,
        remark="redun runs the step in its own process",
    ),
    Row(
        name="idle-memory",
        title="idle memory (RSS), server and two slots",
        unit="MB",
        ours=_ours("idle"),
        peers=(_peer("Ray", "idle"),),
        at_most=120e6,
    ),
    Row(
        name="runs-list",
        title="slowest page of the runs list, 100,000 runs, over HTTP",
        unit="ms",
        ours=_ours("runs_list"),
        at_most=0.01,
    ),
    Row(
        name="http-run",
        title="a one-step run over HTTP, from submission to its end seen",
        unit="ms",
        ours=_ours("http_run"),
        peers=(_peer("Prefect", "http_run"),),
        at_most=0.005,
        remark="in a slot of the server; Prefect's in the client's own process",
    ),
    Row(
        name="http-clients",
        title="one-step runs over HTTP, ten clients together",
        unit="/s",
        ours=_ours("http_clients"),
        peers=(_peer("Prefect", "http_clients"),),
        at_least=500,
        remark="as above",
    ),
    Row(
        name="server-ready",
        title="`treadle up` to ready",
        unit="s",
        ours=_ours("server_ready"),
        at_most=0.7,
    ),
    Row(
        name="server-idle",
        title="idle memory (RSS), `treadle up` with two slots",
        unit="MB",
        ours=_ours("server_idle"),
        at_most=120e6,
    ),
    Row(
        name="pipeline-file",
        title="a pipeline file of 1,000 steps, read and checked",
        unit="ms",
        ours=_ours("pipeline_file"),
        at_most=0.2,
        remark="YAML of 260 kB that names 40 scripts and modules, each parsed once",
    ),
    Row(
        name="snapshot",
        title="snapshot of an unchanged project of 10,000 files",
        unit="ms",
        ours=_ours("snapshot"),
        at_most=0.15,
        remark="walk, rules, manifest, git status, and asking the server whether it has it",
    ),
    Row(
        name="cached-environment",
        title="a step in a cached environment, over the same without",
        unit="ms",
        ours=_ours("cached_environment"),
        at_most=0.005,
    ),
    Row(
        name="first-environment",
        title="the first step in an environment, to `uv venv && uv pip install`",
        unit="x",
        ours=_ours("first_environment"),
        at_most=1.1,
        remark="numpy, pandas, requests and rich, from uv's cache",
    ),
    Row(
        name="script-step",
        title="a script step of nothing, over bare `python script.py`",
        unit="ms",
        ours=_script("pass"),
        at_most=0.04,
        remark="below nothing: a fork of an interpreter that has started already",
    ),
    Row(
        name="script-step-numpy",
        title="the same with `import numpy`",
        unit="ms",
        ours=_script("import numpy"),
        at_most=0.04,
    ),
    Row(
        name="script-step-preloaded",
        title="the same with numpy preloaded",
        unit="ms",
        ours=_script("import numpy", "numpy"),
        at_most=0.0,
        remark="the setting `preload`: what the slots' image has imported costs a script nothing",
    ),
    Row(
        name="followers",
        title="a run that 1,000 follow, to the same that nobody follows",
        unit="x",
        ours=_ours("followers"),
        at_most=1.1,
        remark="a chain of steps of one second of work, two batches of events each",
    ),
    Row(
        name="log-line",
        title="a log line, from print to its follower over TCP, 19 of 20",
        unit="ms",
        ours=_ours("log_line"),
        at_most=0.02,
    ),
    Row(
        name="download",
        title="curl downloads 1 GB, to the same from nginx",
        unit="x",
        ours=_bytes("down"),
        at_least=0.7,
        remark="in turns over loopback; nginx with sendfile",
    ),
    Row(
        name="upload",
        title="curl uploads 1 GB, to the same to nginx",
        unit="x",
        ours=_bytes("up"),
        at_least=0.7,
        remark="hashed on the way; to files in the same folder",
    ),
    Row(
        name="bytes-memory",
        title="the server's memory (RSS), grown while 1 GB passed in and out",
        unit="MB",
        ours=_bytes("down"),
        at_most=48e6,
        note="grown_bytes",
    ),
    Row(
        name="import",
        title="import inside a step",
        unit="ms",
        ours=_import("Treadle", "import treadle; treadle.log_metric, treadle.progress"),
        peers=(
            _import("Ray", "import ray"),
            _import("Celery", "import celery; celery.Celery, celery.chain"),
            _import("redun", "import redun"),
        ),
        at_most=0.02,
    ),
)
