"""Loads a pipeline's file. Runs as a job in a slot, so neither client nor server imports it.

The slot has the file's bundle unpacked and on sys.path. All that comes and goes is JSON.
"""

import base64
import importlib
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from treadle.authoring import context, places
from treadle.authoring.code import CodeChooser, Snapshot
from treadle.authoring.origins import file_of, is_installed
from treadle.authoring.parameters import from_text
from treadle.authoring.pipelines import PipelineFunction
from treadle.authoring.tools import ToolFunction
from treadle.authoring.tracing import trace
from treadle.errors import InvalidDefinition, TreadleError
from treadle.model import wire
from treadle.model.graph import nearest

AnyPipeline = PipelineFunction[..., Any]


def load_pipeline(
    module: str,
    pipeline: str | None,
    parameters: Mapping[str, Any],
    text_parameters: Mapping[str, str],
    bundle: Mapping[str, str],
) -> dict[str, Any]:
    """Import the module, trace its pipeline (the only one, or the one named), and return it.

    parameters: JSON values; text_parameters: as typed on a command line. bundle: its `digest`,
    `project_dir`, `folder` (where the modules lie in it), `shown_dir` (where they lay when it
    was made, for "file:line"), and the `address` to seal secrets for, if known. The answer has the
    wire form of the pipeline, what goes with it in a Submission, and `blobs`: {digest: base 64} to
    upload; `secrets` is null if there are none, empty if an address is needed to tell them.

    Raises InvalidDefinition or InvalidParameters, with file and line.
    """
    shown_dir = bundle["shown_dir"]
    imported = import_module(module, shown_dir)
    root = Path(sys.path[0])
    with places.standing_for(str(root), shown_dir):
        chosen = choose(imported, pipeline)
        values = {**parameters, **from_text(chosen, text_parameters, where=chosen.where)}
        snapshot = Snapshot(
            digest=bundle["digest"],
            root=root,
            project_dir=bundle["project_dir"],
            folder=bundle["folder"],
        )
        codes = CodeChooser(snapshot)
        traced = trace(chosen, (), values, codes, where=chosen.where)
    return {
        "pipeline": wire.to_wire(traced.pipeline),
        "parameters": dict(traced.parameters),
        "concurrency": traced.pipeline.concurrency,
        "fail_fast": traced.fail_fast,
        "priority": traced.priority,
        "secrets": _enveloped(traced.secrets, bundle.get("address", "")),
        "blobs": {key: base64.b64encode(data).decode() for key, data in traced.blobs.items()},
    }


def _enveloped(secrets: Mapping[str, str], address: str) -> dict[str, str] | None:
    """None without secrets. Without an address they are not told, only that there are some."""
    if not secrets:
        return None
    if not address:
        return {}
    from treadle.authoring.envelope import sealed_for  # noqa: PLC0415 - rarely needed

    return sealed_for(address, secrets)


def choose(module: ModuleType, name: str | None) -> AnyPipeline:
    """The pipeline of that name, or the only one.

    Raises InvalidDefinition that lists what there is.
    """
    found: dict[str, AnyPipeline] = _found(module, PipelineFunction)
    names = ", ".join(found)
    file = _shown(module.__file__)
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name in found:
        return found[name]
    if not found:
        tools = ", ".join(_found(module, ToolFunction))
        raise InvalidDefinition(
            f"{file} has no pipeline, only tools: {tools}."
            if tools
            else f"{file} has no pipeline.",
            hint="Put @treadle.pipeline above a function that calls the tools.",
        )
    if name is None:
        raise InvalidDefinition(
            f"{file} has several pipelines: {names}.", hint="Say which one to run."
        )
    raise InvalidDefinition(
        f"{file} has no pipeline {name!r}, only {names}.", hint=nearest(name, found)
    )


def _found(module: ModuleType, kind: type[Any]) -> dict[str, Any]:
    """Those defined in the module by name; only if there are none, those it imports."""
    every = dict.fromkeys(value for value in vars(module).values() if isinstance(value, kind))
    found = [value for value in every if getattr(value, "original", value) is value]
    found = [value for value in found if value.__module__ == module.__name__] or found
    by_name = {value.name: value for value in found}
    for value in found:
        if kind is PipelineFunction and by_name[value.name] is not value:
            raise InvalidDefinition(
                f"two pipelines are called {value.name!r} (the other at {value.where}).",
                where=by_name[value.name].where,
                hint="Give one of them another name.",
            )
    return by_name


def import_module(name: str, shown_dir: str = "") -> ModuleType:
    """Import the user's module, with the file's folder first on sys.path.

    Raises InvalidDefinition that shows the file and line of what went wrong in it.
    """
    with places.standing_for(sys.path[0], shown_dir):
        token = context.loading.set(True)
        try:
            module = importlib.import_module(name)
        except TreadleError:
            raise
        except SyntaxError as error:
            place = f"{_shown(error.filename)}:{error.lineno}"
            raise InvalidDefinition(f"SyntaxError: {error.msg}", where=place) from error
        except BaseException as error:
            # Importing runs the user's code, which may raise anything, SystemExit too.
            if isinstance(error, KeyboardInterrupt):
                raise
            raise _import_failure(name, error) from error
        finally:
            context.loading.reset(token)
    file = file_of(module)
    if file is None or is_installed(name, file):
        raise InvalidDefinition(
            f"a file cannot be called {name}.py: Python has a module {name!r} of its own.",
            hint="Give the file another name.",
        )
    return module


def _import_failure(name: str, error: BaseException) -> InvalidDefinition:
    root = sys.path[0] + "/"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(root)]
    where = f"{_shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    hint = ""
    if isinstance(error, ModuleNotFoundError):
        hint = f"Install {error.name}, or put its file beside the pipeline's."
    return InvalidDefinition(
        f"{name} cannot be imported: {type(error).__name__}: {error}", where=where, hint=hint
    )


def _shown(file: str | None) -> str:
    return places.shown(file) if file else "the file"
