"""Environment variables of pipeline files: plain ones, secrets, and files of them."""

import pytest

from formats.projects import Folder
from treadle.errors import InvalidDefinition


def tools_of(loaded) -> dict:
    ids = {tool.id: tool for tool in loaded.pipeline.tools}
    return {step.name: ids[step.tool_id] for step in loaded.pipeline.steps}


def test_variables_of_a_step_go_before_those_of_the_pipeline(folder: Folder) -> None:
    folder.write("base.env", "A=from file\nB=from file\nC=from file\n")
    folder.write("step.env", "export D='of step'\n# nothing\nC=step file\n")
    loaded = folder.load(
        """
        env_file: base.env
        env: {B: pipeline, N: 3}
        steps:
          a: {script: load.py}
          b: {script: train.py, env_file: [step.env], env: {N: "x"}}
        """
    )
    tools = tools_of(loaded)
    assert tools["a"].variables == {
        "A": "from file",
        "B": "pipeline",
        "C": "from file",
        "N": "3",
    }
    assert tools["b"].variables == {
        "A": "from file",
        "B": "pipeline",
        "C": "step file",
        "D": "of step",
        "N": "x",
    }


def test_names_that_look_secret_are_kept_apart(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "t0k3n ${x}")
    folder.write("keys.env", "DB_PASSWORD=hunter2\n")
    loaded = folder.load(
        """
        env: {API_TOKEN: "${env.MY_TOKEN}", PLAIN: "1"}
        env_file: keys.env
        steps:
          a: {script: load.py}
          b: {script: train.py, env: {API_TOKEN: "own-${env.MY_TOKEN}", PLAIN: "2"}}
          c: {script: train.py, env: {PLAIN: "3"}}
        """
    )
    tools = tools_of(loaded)
    assert loaded.secrets == {
        "API_TOKEN": "t0k3n ${x}",
        "DB_PASSWORD": "hunter2",
        "b/API_TOKEN": "own-t0k3n ${x}",
    }
    assert tools["a"].secrets == {"API_TOKEN": "API_TOKEN", "DB_PASSWORD": "DB_PASSWORD"}
    assert tools["b"].secrets == {"API_TOKEN": "b/API_TOKEN", "DB_PASSWORD": "DB_PASSWORD"}
    assert tools["c"].variables == {"PLAIN": "3"}
    assert "hunter2" not in repr(loaded)
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("abc", "the file it stands in is kept"),
        ("${key}", "parameters are kept"),
        ("3", "the file"),
    ],
)
def test_a_secret_that_would_be_kept_in_clear_is_refused(
    folder: Folder, value: str, what: str
) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        folder.load(
            "parameters: {key: x}\n"
            f"env: {{EMPTY_TOKEN: '', API_KEY: '{value}'}}\n"
            "steps: {a: {script: load.py}}"
        )
    assert str(caught.value).startswith(f"flow.yaml:2:33: API_KEY looks secret, and {what}")
    assert 'API_KEY: "${env.API_KEY}", or from an env_file.' in str(caught.value)


def test_what_is_made_of_a_secret_is_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "t0k3n")
    loaded = folder.load(
        "env: {HEADER: 'Bearer ${env.GITHUB_TOKEN}'}\nsteps: {a: {script: load.py}}"
    )
    assert loaded.secrets == {"HEADER": "Bearer t0k3n"}
    assert tools_of(loaded)["a"].variables == {}
    assert tools_of(loaded)["a"].secrets == {"HEADER": "HEADER"}


def test_templates_of_the_step_stay_and_all_else_is_put_in(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "here ${inputs.x}")
    loaded = folder.load(
        """
        parameters: {n: 3}
        env: {COUNT: "${n}", PLACE: "${env.PLACE}", BOTH: "$${HOME} ${n}"}
        steps:
          a: {script: load.py, inputs: {data: b}, env: {DATA: "${inputs.data}"}}
          b: {function: "prepare:plain", parameters: {a: 1}}
        """
    )
    tools = tools_of(loaded)
    # A script fills in what is left of its variables, a function does not
    assert tools["a"].variables == {
        "COUNT": "3",
        "PLACE": "here $${inputs.x}",
        "BOTH": "$${HOME} 3",
        "DATA": "${inputs.data}",
    }
    assert tools["b"].variables == {
        "COUNT": "3",
        "PLACE": "here ${inputs.x}",
        "BOTH": "${HOME} 3",
    }


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("env: {'': x}", "flow.yaml:1:11: no variable can be called ''."),
        ("env: {A=B: x}", "flow.yaml:1:12: no variable can be called 'A=B'."),
        ('env: {A: "x\\0y"}', "flow.yaml:1:10: A: a variable cannot hold a zero byte."),
        ("env: {A: null}", "flow.yaml:1:10: A: expected text or a whole number, got null."),
        ("env: [A]", "flow.yaml:1:6: env: expected a mapping, got a list."),
        (
            "env: {A: '${inputs.x}'}",
            (
                "flow.yaml:1:10: ${inputs.x} means nothing here. "
                "It can stand in args, command and env of a script's step."
            ),
        ),
        ("env_file: broken.env", "flow.yaml:1:11: broken.env, line 2: expected NAME=value."),
        ("env_file: [a.env, bare.env]", "flow.yaml:1:19: bare.env, line 1: expected NAME=value."),
    ],
)
def test_variables_that_cannot_be_meant_are_refused(folder: Folder, env: str, message: str) -> None:
    folder.write("broken.env", "A=1\n= 3 'x\n")
    folder.write("bare.env", "ALONE\n")
    folder.write("a.env", "A=1\n")
    assert folder.refusal(f"{env}\nsteps: {{a: {{script: load.py}}}}") == message


def test_a_file_of_variables_that_is_not_there_is_told(folder: Folder) -> None:
    refusal = folder.refusal("env_file: no.env\nsteps: {a: {script: load.py}}")
    assert refusal.startswith("flow.yaml:1:11: There is no file")
