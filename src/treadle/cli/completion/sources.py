"""Where the values come from: the ledger, the folder, the pipeline's file."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.cli.completion.engine import Candidate, Typed
from treadle.cli.completion.files import parameters_of, targets
from treadle.storage.ledger.glance import Glance

if TYPE_CHECKING:
    from treadle.cli.completion.afar import Afar

ACTIVE = ("queued", "running", "aborting")
ENDED = ("completed", "failed", "aborted")
#: what a command can do something about
STATES_FOR = {"abort": ACTIVE, "wait": ACTIVE, "retry": ("failed", "aborted"), "rm": ENDED}
Source = Callable[[Typed, str], list[Candidate]]


def offered(typed: Typed, parameter: Mapping[str, Any], incomplete: str) -> list[Candidate]:
    """What the parameter may be given; nothing where the shell itself knows best (files)."""
    source = SOURCES.get(parameter["name"])
    if source is None and parameter["metavar"].strip("[]. ") in ("ID", "RUN"):
        source = run_ids
    return source(typed, incomplete) if source else []


def glance(typed: Typed) -> "Glance | Afar":
    """A look at the ledger, or the server, that the command would use."""
    from treadle.cli.choice import chosen  # noqa: PLC0415 - not for files and parameters
    from treadle.errors import TreadleError  # noqa: PLC0415 - with settings

    named = {name for name in ("server", "data_dir") if typed.last(name)}
    server = typed.last("server") or os.environ.get("TREADLE_SERVER") or None
    folder = typed.last("data_dir") or os.environ.get("TREADLE_DATA_DIR") or None
    try:
        settings = chosen(server, Path(folder) if folder else None, named)
        if not settings.server:
            return Glance(settings.data_dir)
        from treadle.cli.completion.afar import Afar  # noqa: PLC0415 - http.client: for servers
        from treadle.server.known_tokens import known_token  # noqa: PLC0415 - as above

        return Afar(settings.server, known_token(settings.data_dir, settings.server) or "")
    except TreadleError:
        return Glance(Path(os.devnull))


def run_ids(typed: Typed, incomplete: str) -> list[Candidate]:
    """Ids, newest first, and @last."""
    given = {value for values in typed.values.values() for value in values}
    states = STATES_FOR.get(typed.command, ())
    found = [
        (run_id, f"{pipeline} {state} {_ago(at)}")
        for run_id, pipeline, state, at in glance(typed).runs(_prefix(incomplete), states)
        if run_id not in given
    ]
    return [*found, ("@last", "the newest run")] if found else []


def _prefix(incomplete: str) -> str:
    return "" if incomplete.startswith("@") else incomplete


def _ago(at: Any) -> str:
    seconds = max(0.0, time.time() - float(at))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return f"{int(seconds)}s ago"


def _run(typed: Typed, look: "Glance | Afar") -> str | None:
    asked = typed.last("run_id", "run")
    return look.run(asked) if asked else None


def steps(typed: Typed, incomplete: str) -> list[Candidate]:
    """Steps of the run that was named."""
    look = glance(typed)
    run = _run(typed, look)
    return list(look.steps(run)) if run else []


def outputs(typed: Typed, incomplete: str) -> list[Candidate]:
    """STEP, or STEP.OUTPUT where a step has several."""
    look = glance(typed)
    run = _run(typed, look)
    found: dict[str, list[tuple[str, str]]] = {}
    for step, name, media_type in look.outputs(run) if run else ():
        found.setdefault(step, []).append((name, media_type))
    return [
        (step if len(made) == 1 else f"{step}.{name}", media_type)
        for step, made in found.items()
        for name, media_type in made
    ]


def states(typed: Typed, incomplete: str) -> list[Candidate]:
    return [(state, "") for state in (*ACTIVE, *ENDED)]


def sorts(typed: Typed, incomplete: str) -> list[Candidate]:
    about = {"created": "when they began", "ended": "when they ended"}
    newest = [(f"-{name}", f"by {text}, the newest first") for name, text in about.items()]
    return newest + [(name, f"by {text}, the oldest first") for name, text in about.items()]


def pipelines(typed: Typed, incomplete: str) -> list[Candidate]:
    return [(name, "") for name in glance(typed).pipelines()]


def labels(typed: Typed, incomplete: str) -> list[Candidate]:
    """KEY=VALUE as given before; for a new run also a key alone."""
    found = glance(typed).labels()
    keys = {f"{key}=": "" for key, _ in found} if typed.command == "run" else {}
    return [*keys.items(), *((f"{key}={value}", "") for key, value in found)]


def groups(typed: Typed, incomplete: str) -> list[Candidate]:
    return [(value, "") for key, value in glance(typed).labels() if key == "group"]


def files(typed: Typed, incomplete: str) -> list[Candidate]:
    """FILE[:PIPELINE]."""
    return targets(incomplete)


def parameters(typed: Typed, incomplete: str) -> list[Candidate]:
    """NAME= of the file's parameters, and NAME=VALUE where values are known."""
    found: list[Candidate] = []
    given = {each.partition("=")[0] for each in typed.values.get("param", ())}
    for each in parameters_of(typed.last("target") or "."):
        if each.name not in given:
            found.append((f"{each.name}=", each.about))
            found += [(f"{each.name}={value}", "") for value in each.values]
    return found


SOURCES: dict[str, Source] = {
    "run_id": run_ids,
    "run_ids": run_ids,
    "other": run_ids,
    "step": steps,
    "output": outputs,
    "state": states,
    "sort": sorts,
    "pipeline": pipelines,
    "label": labels,
    "group": groups,
    "target": files,
    "param": parameters,
}
