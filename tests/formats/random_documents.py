"""Random data and random pipeline files, for Hypothesis."""

import keyword
from typing import Any

from hypothesis import strategies as st

TRICKY = [
    "yes", "null", "~", "1e3", "010", "0x1", "<<", "a: b", "# x", "- x", " x", "x ", "", "'", '"',
    "\n", "a\nb", "a\n\n b\n", "a\n ", "\t", "{", "*a", "&a", "!x", "%x", "@", "`", "|", ">", "?",
    ":", "=", "1:30", "2026-01-01", "é\x85\u2028", "\ufeff", "\x00", "\x7f", "😀", "x\r\ny", "1_0",
    "a #b", "---", "...", "--- x", "+1", "-.inf", ".nan", "${", "$${x}", "${x}", "${inputs.x}",
]  # fmt: skip
texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(TRICKY)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
plain = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts, plain, min_size=1, max_size=5)

names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
output_names = names.filter(lambda name: not keyword.iskeyword(name))
literals = st.recursive(
    scalars.filter(lambda each: not isinstance(each, str) or "${" not in each),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def pipelines(draw: st.DrawFn) -> dict[str, Any]:
    """A pipeline file that can be run: scripts, functions and commands of `projects.Folder`."""
    parameters = draw(
        st.dictionaries(names, literals.filter(lambda v: not isinstance(v, dict)), max_size=3)
    )
    step_names = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    made: dict[str, dict[str, Any]] = {}
    outputs: dict[str, list[str] | None] = {}
    for name in step_names:
        made[name], outputs[name] = draw(_step(list(parameters), outputs))
    shuffled = draw(st.permutations(list(made)))
    document: dict[str, Any] = {"steps": {name: made[name] for name in shuffled}}
    if parameters:
        document["parameters"] = parameters
    head = {
        "name": names,
        "description": texts,
        "concurrency": st.integers(1, 5),
        "fail_fast": st.booleans(),
        "priority": st.integers(-5, 5),
        "env": st.dictionaries(st.sampled_from(["PLAIN", "OTHER"]), _values(list(parameters))),
    }
    return document | draw(st.fixed_dictionaries({}, optional=head))


def _values(parameters: list[str]) -> st.SearchStrategy[str]:
    """Text for a variable or an argument: no zero byte, templates of the parameters in it."""
    parts = [st.text(st.characters(codec="utf-8", exclude_characters="\0$"), max_size=6)]
    parts += [st.sampled_from(["$${x}", "$", "a$b"])]
    if parameters:
        parts.append(st.sampled_from(parameters).map(lambda name: f"${{{name}}}"))
    # Alone a template would keep its type; a dollar sign just before it would escape it.
    return st.lists(st.one_of(parts), max_size=3).map(lambda found: "|".join(["", *found]))


@st.composite
def _step(
    draw: st.DrawFn, parameters: list[str], earlier: dict[str, list[str] | None]
) -> tuple[dict[str, Any], list[str] | None]:
    references = [
        reference
        for name, outputs in earlier.items()
        for reference in ([name] if outputs is None else [f"{name}.{each}" for each in outputs])
    ]
    kind = draw(st.sampled_from(["script", "function", "command"]))
    step: dict[str, Any] = {}
    if kind == "function":
        step["function"] = "prepare:anything"
    elif kind == "script":
        step["script"] = draw(st.sampled_from(["load.py", "train.py", "report.sh"]))
        step |= draw(st.fixed_dictionaries({}, optional={"args": st.lists(_values(parameters))}))
    else:
        step["command"] = ["true", *draw(st.lists(_values(parameters), max_size=2))]
    if references:
        inputs = draw(st.dictionaries(names, _inputs(references), max_size=2))
        if inputs:
            step["inputs"] = inputs
    values = literals
    if parameters:
        values = literals | st.sampled_from(parameters).map(lambda name: f"${{{name}}}")
    given = draw(st.dictionaries(names, values, max_size=3))
    if kept := {key: value for key, value in given.items() if key not in step.get("inputs", {})}:
        step["parameters"] = kept
    if earlier:
        step |= draw(
            st.fixed_dictionaries(
                {}, optional={"after": st.lists(st.sampled_from(list(earlier)), unique=True)}
            )
        )
    step |= draw(st.fixed_dictionaries({}, optional=_OPTIONS))
    outputs = draw(st.none() | st.lists(output_names, min_size=1, max_size=3, unique=True))
    if outputs is not None:
        step["outputs"] = outputs
        if kind != "function" and draw(st.booleans()):
            step["outputs"] = {name: f"{name}.out" for name in outputs}
    return step, outputs


_OPTIONS: dict[Any, st.SearchStrategy[Any]] = {
    "cpus": st.sampled_from([0.5, 1, 2]),
    "memory": st.sampled_from(["1GB", "512MiB", 12345]),
    "timeout": st.sampled_from(["10m", 1.5, "90s", None]),
    "retries": st.integers(0, 3),
    "retry_on": st.sampled_from(["user", ["crashed", "memory"]]),
    "on_lost": st.sampled_from(["requeue", "fail"]),
    "grace": st.sampled_from([0, "2s"]),
}


def _inputs(references: list[str]) -> st.SearchStrategy[Any]:
    one = st.sampled_from(references)
    return (
        one
        | st.lists(one, min_size=1, max_size=2)
        | st.dictionaries(names, one, min_size=1, max_size=2)
    )
