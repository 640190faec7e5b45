"""What a pipeline file comes to: the same model as a pipeline written in Python."""

import pytest

from formats.projects import Folder
from treadle.model.bindings import Entries, Items, Output, Value
from treadle.model.records import Code, Environment, Execution, FailureType

WINE = """
name: wine-quality
parameters: {dataset: wine, test_size: 0.25}
steps:
  load:   {script: load.py, parameters: {name: "${dataset}"}, outputs: [table]}
  split:  {function: "prepare:split", inputs: {data: load.table},
           parameters: {size: "${test_size}"}, outputs: [train, test]}
  train:  {script: train.py, inputs: {data: split.train}, cpus: 1, memory: 1GB, retries: 2,
           timeout: 10m, env: {OMP_NUM_THREADS: "1"}}
  report: {script: report.sh, inputs: {model: train.model}, after: [load]}
"""


def test_steps_take_results_and_parameters_keep_their_types(folder: Folder) -> None:
    # When a file of scripts and functions is loaded
    loaded = folder.load(WINE)
    steps = {step.name: step for step in loaded.pipeline.steps}
    tools = {step.name: _tool(loaded, step.name) for step in steps.values()}
    # Then its steps are bound to each other
    assert steps["load"].arguments == {
        "inputs": Value({}),
        "parameters": Value({"name": "wine"}),
        "args": Value([]),
    }
    assert steps["split"].arguments == {"data": Output("load", "table"), "size": Value(0.25)}
    assert steps["train"].arguments["inputs"] == Entries({"data": Output("split", "train")})
    assert steps["report"].after == ("load",)
    # and know where they stand
    assert [step.where for step in steps.values()] == [
        "flow.yaml:4",
        "flow.yaml:5",
        "flow.yaml:7",
        "flow.yaml:9",
    ]
    # and a script that names no outputs has those that others take
    assert [tools[name].outputs for name in steps] == [
        ("table",),
        ("train", "test"),
        ("model",),
        (),
    ]
    assert [tools[name].kind for name in steps] == ["script", "function", "script", "script"]
    assert tools["train"].execution == Execution(
        cpus=1.0, memory_bytes=10**9, retries=2, timeout_seconds=600.0
    )
    assert tools["train"].variables == {"OMP_NUM_THREADS": "1"}
    assert loaded.parameters == {"dataset": "wine", "test_size": 0.25}
    assert loaded.pipeline.name == "wine-quality"


def _tool(loaded, step: str):
    ids = {each.name: each.tool_id for each in loaded.pipeline.steps}
    return next(tool for tool in loaded.pipeline.tools if tool.id == ids[step])


def test_the_code_of_steps_is_that_of_the_snapshot(folder: Folder) -> None:
    place = folder.write(
        "sub/flow.yaml",
        "steps: {a: {script: a.sh}, b: {function: json:dumps, "
        "parameters: {obj: 1}}, c: {command: [ls]}}",
    )
    folder.write("sub/a.sh", "")
    from treadle.formats import native

    loaded = native.load(
        native.Place(file=place, snapshot="d1", folder="sub", project_dir=str(folder.path))
    )
    pinned = {"kind": "snapshot", "project_dir": str(folder.path)}
    assert [tool.code for tool in loaded.pipeline.tools] == [
        Code(digest="d1", entry="a.sh", folder="sub", **pinned),
        Code(digest="", entry="json:dumps", folder="", **pinned),  # installed
        Code(digest="d1", entry="", folder="sub", **pinned),
    ]
    assert loaded.pipeline.steps[0].where == "sub/flow.yaml:1"


def test_what_a_tool_says_of_itself_counts_and_the_file_goes_before_it(folder: Folder) -> None:
    loaded = folder.load(
        """
        steps:
          a: {script: load.py}
          b: {function: "prepare:split", inputs: {data: a}}
          c: {function: "prepare:split", inputs: {data: a}, retries: 5, description: Mine.}
          d: {function: "prepare:plain", inputs: {a: b.train}}
        """
    )
    b, c, d = (_tool(loaded, name) for name in "bcd")
    assert (b.name, b.outputs, b.execution.cpus, b.execution.retries) == (
        "split",
        ("train", "test"),
        2.0,
        1,
    )
    assert (b.description, b.version[:4]) == ("Split the rows.", "2.1+")
    assert (c.execution.cpus, c.execution.retries, c.description) == (2.0, 5, "Mine.")
    assert d.outputs == ("result",)


def test_an_option_of_a_tool_that_is_no_literal_is_told(folder: Folder) -> None:
    text = 'steps: {a: {script: load.py}, b: {function: "prepare:count", inputs: {rows: a}%s}}'
    assert folder.load(text % "").warnings == (
        (
            "flow.yaml:1:35: retries= of @tool (prepare.py:12) is no literal, and is not used. "
            "Say `retries:` in this step."
        ),
    )
    loaded = folder.load(text % ", retries: 3")
    assert loaded.warnings == ()
    assert _tool(loaded, "b").name == "counter"


def test_inputs_may_be_lists_and_mappings_of_results(folder: Folder) -> None:
    loaded = folder.load(
        """
        steps:
          a: {script: load.py, outputs: [x, y]}
          b: {script: load.py}
          c: {script: load.py, inputs: {all: [a.x, [b]], named: {left: a.y, right: [b.z]}}}
        """
    )
    assert loaded.pipeline.steps[2].arguments["inputs"] == Entries(
        {
            "all": Items("list", (Output("a", "x"), Items("list", (Output("b"),)))),
            "named": Entries(
                {"left": Output("a", "y"), "right": Items("list", (Output("b", "z"),))}
            ),
        }
    )
    assert _tool(loaded, "b").outputs == ("result", "z")


def test_the_name_of_a_step_alone_means_its_only_output(folder: Folder) -> None:
    loaded = folder.load(
        "steps: {a: {script: load.py, outputs: [table]}, b: {script: load.py, inputs: {x: a}}}"
    )
    assert loaded.pipeline.steps[1].arguments["inputs"] == Entries({"x": Output("a", "table")})


def test_outputs_may_have_files_and_are_found_in_arguments(folder: Folder) -> None:
    loaded = folder.load(
        """
        steps:
          a: {script: load.py, outputs: {model: out/model.pkl, log: log.txt}}
          b: {script: load.py, args: [--to, "${outputs.plot}", 3, 0.5, true], env: {X: "${outputs.y}"}}
        """  # noqa: E501
    )
    a, b = loaded.pipeline.steps
    assert a.arguments["output_files"] == Value({"model": "out/model.pkl", "log": "log.txt"})
    assert b.arguments["args"] == Value(["--to", "${outputs.plot}", "3", "0.5", "true"])
    assert _tool(loaded, "b").outputs == ("plot", "y")


def test_a_command_is_split_into_words_before_parameters_are_put_in(folder: Folder) -> None:
    loaded = folder.load(
        """
        parameters: {name: "two words"}
        steps:
          a: {command: "grep -c '${name}' ${inputs.x}", inputs: {x: b}}
          b: {command: [/usr/bin/env, echo, 1]}
        """
    )
    a, b = loaded.pipeline.steps
    assert a.arguments["args"] == Value(["grep", "-c", "two words", "${inputs.x}"])
    assert b.arguments["args"] == Value(["/usr/bin/env", "echo", "1"])
    assert [tool.name for tool in loaded.pipeline.tools] == ["grep", "env"]
    assert [tool.code.entry for tool in loaded.pipeline.tools] == ["", ""]


def test_head_and_defaults_are_read(folder: Folder) -> None:
    loaded = folder.load(
        """
        x-mine: &common {retries: 2}
        description: "Costs ${nothing}."
        concurrency: 3
        fail_fast: true
        priority: -2
        steps: {a: {<<: *common, command: [ls], retry_on: [crashed], on_lost: fail, grace: 1}}
        """
    )
    assert (loaded.priority, loaded.fail_fast, loaded.pipeline.concurrency) == (-2, True, 3)
    assert loaded.pipeline.name == "flow"
    assert loaded.pipeline.description == "Costs ${nothing}."
    assert loaded.pipeline.tools[0].execution == Execution(
        retries=2, retry_on=(FailureType.CRASHED,), on_lost="fail", grace_seconds=1.0
    )


def test_treadle_yaml_is_named_by_its_folder(folder: Folder) -> None:
    folder.write("treadle.yaml", "steps: {a: {command: [ls]}}")
    from treadle.formats import native

    assert native.load(folder.place("treadle.yaml")).pipeline.name == "project"


def test_environments_are_chosen_by_name_or_given_in_place(folder: Folder) -> None:
    loaded = folder.load(
        """
        parameters: {version: "3.12"}
        environment: {requirements: [six==1.17.0]}
        environments: {new: {python: "${version}"}}
        steps:
          a: {command: [ls]}
          b: {command: [ls], environment: new}
          c: {command: [ls], environment: null}
          d: {command: [ls], environment: {requirements: [idna]}}
        """
    )
    found = [_tool(loaded, name).environment for name in "abcd"]
    assert found == [
        Environment(requirements=("six==1.17.0",)),
        Environment(python="3.12"),
        Environment(),
        Environment(requirements=("idna",)),
    ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("load.py", "here", "there"),
        ("prepare.py", "return data, data", "return data, None"),
    ],
)
def test_an_edit_of_the_source_is_another_version(
    folder: Folder, name: str, old: str, new: str
) -> None:
    before = {tool.name: tool for tool in folder.load(WINE).pipeline.tools}
    folder.write(name, (folder.path / name).read_text().replace(old, new))
    after = {tool.name: tool for tool in folder.load(WINE).pipeline.tools}
    changed = "load" if name == "load.py" else "split"
    assert {each for each in before if before[each].version != after[each].version} == {changed}
    assert {each for each in before if before[each].id != after[each].id} == {changed}


def test_resources_and_comments_are_no_new_version_and_another_step_is(folder: Folder) -> None:
    text = "steps: {a: {script: load.py, cpus: 1}}\n"
    first, again = folder.load(text).pipeline, folder.load("# why\n" + text).pipeline
    more = folder.load(text.replace("1", "2")).pipeline
    other = folder.load("steps: {a: {script: load.py}, b: {command: [ls]}}\n").pipeline
    assert (first.version, first.tools) == (again.version, again.tools)
    assert first.tools[0].version == more.tools[0].version
    assert len({first.version, more.version, other.version}) == 3


def test_editing_the_options_of_tool_leaves_its_version(folder: Folder) -> None:
    text = 'steps: {b: {function: "prepare:split", parameters: {data: 1}}}'
    before = folder.load(text).pipeline.tools[0]
    source = (folder.path / "prepare.py").read_text()
    folder.write("prepare.py", source.replace("cpus=2", "cpus=3"))
    after = folder.load(text).pipeline.tools[0]
    assert (before.version, after.execution.cpus) == (after.version, 3.0)
