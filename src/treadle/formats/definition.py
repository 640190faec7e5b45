"""What a pipeline file may hold: the one place that says it.

From these classes come the checks, the JSON Schema (`treadle schema`) and the page of the
reference. Values are as they stand in the file, `${...}` in them already replaced.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Failure = Literal["user", "crashed", "memory", "timeout", "build", "lost", "internal"]
Scalar = str | int | float | bool
Duration = float | str


def _about(description: str, *examples: Any) -> Meta:
    return Meta(description=description, examples=list(examples) or None)


class EnvironmentOptions(Struct, kw_only=True, forbid_unknown_fields=True):
    """The interpreter and packages of a step. Built once per content, then kept."""

    requirements: Annotated[
        str | list[str] | UnsetType,
        _about("A requirements file, or a list of requirements.", "requirements.txt", ["numpy>=2"]),
    ] = UNSET
    pyproject: Annotated[
        str | bool | UnsetType,
        _about("A pyproject.toml whose dependencies to install; true: the one beside this file."),
    ] = UNSET
    extras: Annotated[str | list[str] | UnsetType, _about("Extras of the pyproject.toml.")] = UNSET
    groups: Annotated[
        str | list[str] | UnsetType, _about("Dependency groups of the pyproject.toml.")
    ] = UNSET
    python: Annotated[
        str | float | UnsetType, _about("The version of Python, in quotes.", "3.12")
    ] = UNSET
    interpreter: Annotated[
        str | UnsetType,
        _about("A Python, virtual environment or conda prefix to use as it stands.", ".venv"),
    ] = UNSET
    conda: Annotated[
        str | UnsetType, _about("A file for conda, mamba or micromamba.", "environment.yml")
    ] = UNSET


class StepDefinition(Struct, kw_only=True, forbid_unknown_fields=True):
    """One step: exactly one of `script`, `function` and `command`, and what goes with it."""

    script: Annotated[
        str | UnsetType,
        _about("A file to run: Python (.py), bash (.sh), or anything executable.", "train.py"),
    ] = UNSET
    function: Annotated[
        str | UnsetType,
        _about("A Python function. It gets inputs and parameters by name.", "prepare:split"),
    ] = UNSET
    command: Annotated[
        str | list[Scalar] | UnsetType,
        _about(
            "A program and its arguments. Text is split into words; no shell reads it.",
            ["wc", "-l", "${inputs.table}"],
        ),
    ] = UNSET
    inputs: Annotated[
        dict[str, str | list[Any] | dict[str, Any]] | UnsetType,
        _about(
            "Results of other steps by name: `step`, `step.output`, lists and mappings of these.",
            {"data": "split.train"},
        ),
    ] = UNSET
    parameters: Annotated[
        dict[str, Any] | UnsetType, _about("Plain values by name.", {"lr": 0.1, "name": "${name}"})
    ] = UNSET
    args: Annotated[
        list[Scalar] | UnsetType,
        _about(
            "Arguments of the script. `${inputs.NAME}`, `${outputs.NAME}` and `${parameters.NAME}` "
            "stand for files and values.",
            ["--out", "${outputs.model}"],
        ),
    ] = UNSET
    outputs: Annotated[
        list[str] | dict[str, str] | UnsetType,
        _about(
            "Names of the results, or for a script name -> file name. Left out, a script has those "
            "that other steps take, a function what its @tool says.",
            ["model"],
            {"model": "model.pkl"},
        ),
    ] = UNSET
    after: Annotated[
        str | list[str] | UnsetType, _about("Steps to wait for without taking their results.")
    ] = UNSET
    description: Annotated[str | UnsetType, _about("For people.")] = UNSET
    cpus: Annotated[float | UnsetType, _about("Processors (default 1).", 2)] = UNSET
    memory: Annotated[
        int | str | UnsetType | None, _about("Limit of the memory of all its processes.", "1GB")
    ] = UNSET
    gpus: Annotated[int | UnsetType, _about("Graphics processors (default 0).")] = UNSET
    timeout: Annotated[
        Duration | UnsetType | None, _about("Limit of one attempt: seconds, or text.", "10m")
    ] = UNSET
    retries: Annotated[int | UnsetType, _about("How often to try again (default 0).")] = UNSET
    backoff: Annotated[
        Duration | UnsetType, _about("Wait before the first retry; doubles with each.", "1s")
    ] = UNSET
    retry_on: Annotated[
        Failure | list[Failure] | UnsetType, _about("Kinds of failure to try again after.")
    ] = UNSET
    on_lost: Annotated[
        Literal["requeue", "fail"] | UnsetType,
        _about("When its machine or server died: queue it again (default), or fail."),
    ] = UNSET
    grace: Annotated[
        Duration | UnsetType, _about("Time between SIGTERM and SIGKILL (default 5 s).")
    ] = UNSET
    env: Annotated[
        dict[str, str | int] | UnsetType,
        _about("Environment variables, over those of the pipeline.", {"OMP_NUM_THREADS": "1"}),
    ] = UNSET
    env_file: Annotated[
        str | list[str] | UnsetType, _about("A file of variables (NAME=value).", ".env")
    ] = UNSET
    environment: Annotated[
        str | EnvironmentOptions | UnsetType | None,
        _about(
            "Its own interpreter and packages: one of `environments`, or options. null: none, "
            "whatever the pipeline says."
        ),
    ] = UNSET


class PipelineDefinition(Struct, kw_only=True, forbid_unknown_fields=True):
    """A pipeline: steps, and what goes for all of them. Keys that begin with `x-` are free."""

    steps: Annotated[
        dict[str, StepDefinition],
        Meta(description="The steps by name, in the order in which they are shown.", min_length=1),
    ]
    name: Annotated[str | UnsetType, _about("Its name (default: the file's).", "wine-quality")] = (
        UNSET
    )
    description: Annotated[str | UnsetType, _about("For people.")] = UNSET
    parameters: Annotated[
        dict[str, Any] | UnsetType,
        _about(
            "What a run can be given: a default (its type is the type), or a JSON Schema. "
            "`${name}` in a step stands for the value.",
            {"dataset": "wine", "lr": {"type": "number", "minimum": 0, "default": 0.1}},
        ),
    ] = UNSET
    environment: Annotated[
        str | EnvironmentOptions | UnsetType | None,
        _about("Interpreter and packages of all steps: one of `environments`, or options."),
    ] = UNSET
    environments: Annotated[
        dict[str, str | EnvironmentOptions] | UnsetType,
        _about("Environments by name, for steps to choose from."),
    ] = UNSET
    env: Annotated[
        dict[str, str | int] | UnsetType,
        _about(
            "Environment variables of all steps. `${env.NAME}` is the variable of whoever submits. "
            "Values of names that look secret are sealed and masked.",
            {"API_KEY": "${env.API_KEY}"},
        ),
    ] = UNSET
    env_file: Annotated[
        str | list[str] | UnsetType, _about("A file of variables (NAME=value).", ".env")
    ] = UNSET
    concurrency: Annotated[
        Annotated[int, Meta(ge=1)] | UnsetType | None,
        _about("Runs of this pipeline at a time."),
    ] = UNSET
    fail_fast: Annotated[
        bool | UnsetType, _about("After the first failed step, abort all others.")
    ] = UNSET
    priority: Annotated[int | UnsetType, _about("Higher goes first (default 0).")] = UNSET


FREE = "x-"  #: keys that begin so are for the writer alone
WHAT_RUNS = ("script", "function", "command")
EXECUTION = (
    "cpus",
    "memory",
    "gpus",
    "timeout",
    "retries",
    "backoff",
    "retry_on",
    "on_lost",
    "grace",
)
