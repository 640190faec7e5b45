"""Pipeline files that are posted: as a JSON object under `document`, or as a YAML body."""

import json
import sys

import pytest

from treadle.errors import TooLarge
from treadle.formats.reading import LARGEST_BYTES, decoded

YAML = {"content-type": "application/yaml"}
HELLO = """\
parameters: {who: trainer, times: 1}
steps:
  say: {command: 'echo hello ${who} ${times}'}
"""


@pytest.fixture
def run(http):
    """Post a document and wait for the run; what is said of it with its jobs."""

    def post(document, **fields):
        body = {"document": document, **fields}
        made = http.post("/runs", json=body, params={"wait": 60}, timeout=90)
        assert made.status_code == 201, made.text
        return http.get(f"/runs/{made.json()['id']}").json()

    return post


@pytest.fixture
def refusal(http):
    """Post a document that cannot be run; the mistakes."""

    def post(document, **fields):
        answer = http.post("/runs", json={"document": document, **fields})
        assert answer.status_code == 422, answer.text
        return [f"{each['key']}: {each['message']}" for each in problems(answer)]

    return post


@pytest.fixture
def snapshot(http, stored):
    """Post files as a snapshot; its digest."""

    def post(files, links=None):
        entries = {
            name: [stored(text.encode()), len(text), 0o644 if name[-3:] == ".py" else 0o755]
            for name, text in files.items()
        }
        answer = http.post("/snapshots", json={"files": entries, "links": links or {}})
        assert answer.json()["missing"] == []
        return answer.json()["digest"]

    return post


def problems(answer):
    return answer.json()["details"]["problems"]


def log_of(http, run, step):
    job = next(each for each in run["jobs"] if each["step"] == step)
    return http.get(f"/jobs/{job['id']}/log").text.strip()


def result_of(http, run, step, name="result"):
    job = next(each for each in run["jobs"] if each["step"] == step)
    return http.get(f"/jobs/{job['id']}/outputs/{name}").text


# without files


def test_commands_need_no_snapshot(run, http):
    made = {"command": ["bash", "-c", "echo 7 > $TREADLE_OUTPUT_N"], "outputs": ["n"]}
    shown = {"command": "cat ${inputs.n}", "inputs": {"n": "make.n"}}
    found = run({"name": "two", "steps": {"make": made, "show": shown}}, labels={"by": "hand"})
    assert (found["state"], found["pipeline"], found["labels"]) == (
        "completed",
        "two",
        {"by": "hand"},
    )
    assert log_of(http, found, "show") == "7"


def test_a_command_without_a_snapshot_works_in_an_empty_folder_of_its_own(run, http):
    look = ["bash", "-c", "ls -A; touch made-here; pwd"]
    found = run({"steps": {"a": {"command": look}, "b": {"command": look, "after": "a"}}})
    folders = {log_of(http, found, "a"), log_of(http, found, "b")}
    assert len(folders) == 2  # nothing but the name was printed: the folder was empty
    assert all(folder.startswith("/") and "\n" not in folder for folder in folders)


def test_functions_of_installed_modules_need_no_snapshot(run, http):
    step = {"function": "statistics:mean", "parameters": {"data": [1, 2, 6]}}
    found = run({"steps": {"mean": step}})
    assert result_of(http, found, "mean") == "3"


def test_parameters_are_given_beside_the_document_and_checked(run, refusal, http):
    document = {
        "parameters": {"who": "trainer", "times": {"type": "integer", "minimum": 1}},
        "steps": {"say": {"command": ["echo", "${who}", "${times}"]}},
    }
    found = run(document, parameters={"times": 3}, priority=4, fail_fast=True)
    assert log_of(http, found, "say") == "trainer 3"
    assert (found["parameters"], found["priority"]) == ({"who": "trainer", "times": 3}, 4)
    assert found["fail_fast"] is True
    assert [each.partition(": ")[0] for each in refusal(document, parameters={"wo": 1})] == [
        "parameters.wo",
        "parameters.times",
    ]


def test_the_document_says_priority_where_the_body_does_not(run):
    found = run({"priority": 7, "fail_fast": True, "steps": {"a": {"command": "true"}}})
    assert (found["priority"], found["fail_fast"]) == (7, True)


def test_secrets_stand_beside_the_document_and_are_not_shown(run, http):
    document = {
        "env": {"API_KEY": "${env.API_KEY}", "PLACE": "at ${env.WHERE}"},
        "steps": {"say": {"command": ["bash", "-c", 'echo "$API_KEY" "$PLACE" $${#API_KEY}']}},
    }
    found = run(document, secrets={"API_KEY": "very-secret-text", "WHERE": "a-hidden-place"})
    assert log_of(http, found, "say") == "*** *** 16"
    assert "very-secret" not in json.dumps(found)


def test_secrets_in_the_document_missing_ones_and_unused_ones_are_refused(refusal):
    document = {
        "env": {"API_KEY": "in-clear", "TOKEN": "${env.TOKEM}"},
        "steps": {"a": {"command": "true"}},
    }
    found = refusal(document, secrets={"TOKEN": "x"})
    assert found == [
        "env: nothing uses the secret 'TOKEN'.",
        "env.API_KEY: API_KEY looks secret, and the file it stands in is kept with every run.",
        "env.TOKEN: there is no secret TOKEM.",
    ]


def test_variables_of_the_server_are_not_to_be_had(refusal):
    document = {"env": {"HOME_OF": "${env.PATH}"}, "steps": {"a": {"command": "true"}}}
    assert refusal(document) == ["env.HOME_OF: there is no secret PATH."]


# with files


def test_scripts_functions_and_files_are_found_in_the_snapshot(run, http, snapshot):
    digest = snapshot(
        {
            "work/hello.py": "import helper\nprint(helper.double(4))\n",
            "work/helper.py": "def double(x):\n    return 2 * x\n",
            "work/run.sh": "echo from a shell $NAME\n",
            "work/some.env": "NAME=ana\n",
        }
    )
    document = {
        "env_file": "some.env",
        "steps": {
            "script": {"script": "hello.py"},
            "function": {"function": "helper:double", "parameters": {"x": 21}},
            "shell": {"script": "run.sh"},
            "command": {"command": "ls"},
        },
    }
    found = run(document, snapshot=digest, folder="work")
    assert found["state"] == "completed", found
    assert log_of(http, found, "script") == "8"
    assert result_of(http, found, "function") == "42"
    assert log_of(http, found, "shell") == "from a shell ana"
    assert "helper.py" in log_of(http, found, "command")


def test_what_the_snapshot_lacks_is_told_with_the_nearest_name(http, snapshot):
    digest = snapshot({"hello.py": "def say(text): ...\n", "broken.py": "print(\n"})
    steps = {
        "a": {"script": "helo.py"},
        "b": {"function": "hello:sya"},
        "c": {"function": "hello:say", "parameters": {"txet": 1}},
        "d": {"script": "broken.py"},
    }
    answer = http.post("/runs", json={"document": {"steps": steps}, "snapshot": digest})
    assert answer.status_code == 422
    told = {each["key"]: (each["message"], each["hint"]) for each in problems(answer)}
    assert told["steps.a.script"] == ("there is no script 'helo.py'.", "Did you mean 'hello.py'?")
    assert "no function 'sya'" in told["steps.b.function"][0]
    assert told["steps.c.parameters.txet"][1] == "Did you mean 'text'?"
    assert "SyntaxError" in told["steps.d.script"][0]


def test_without_a_snapshot_files_are_refused_with_the_next_step(http):
    steps = {"a": {"script": "hello.py"}, "b": {"function": "not_installed:say"}}
    answer = http.post("/runs", json={"document": {"steps": steps}})
    assert [each["key"] for each in problems(answer)] == ["steps.a.script", "steps.b.function"]
    assert all("snapshot" in each["hint"] for each in problems(answer))


@pytest.mark.parametrize("with_files", [False, True])
def test_no_file_of_the_server_is_looked_at(tmp_path, http, snapshot, with_files):
    # Given files that are there, and would do
    (tmp_path / "some.env").write_text("NAME=read-from-the-disk\n")
    (tmp_path / "requirements.txt").write_text("read-from-the-disk\n")
    (tmp_path / "hello.py").write_text("print('read-from-the-disk')\n")
    up = "../" * 20 + str(tmp_path)[1:]
    included = f"-r {tmp_path}/requirements.txt\n-c {up}/requirements.txt\n"
    files = {"req.txt": included, "more.txt": f"-c {up}/requirements.txt\n"}
    links = {"data.sh": [str(tmp_path / "hello.py"), 10, 0]}
    fields = {"snapshot": snapshot(files, links)} if with_files else {}
    # When a document names them in every way there is
    environments = [
        {"requirements": f"{tmp_path}/requirements.txt"},
        {"requirements": [f"-r {up}/requirements.txt"]},
        {"requirements": "req.txt"},
        {"requirements": "more.txt"},
        {"conda": f"{tmp_path}/requirements.txt"},
        {"pyproject": str(tmp_path)},
        {"interpreter": ".venv"},
        {"interpreter": "python3"},
    ]
    steps = {f"e{i}": {"command": "ls", "environment": e} for i, e in enumerate(environments)}
    steps |= {
        "v1": {"command": "ls", "env_file": f"{tmp_path}/some.env"},
        "v2": {"command": "ls", "env_file": f"{up}/some.env"},
        "v3": {"command": "ls", "env_file": "~/.profile"},
        "s1": {"script": f"{tmp_path}/hello.py"},
        "s2": {"script": f"{up}/hello.py"},
        "s3": {"script": "data.sh"},
    }
    answer = http.post("/runs", json={"document": {"steps": steps}, **fields})
    # Then none is found
    assert answer.status_code == 422
    blamed = {each["key"].split(".")[1] for each in problems(answer)}
    assert blamed == set(steps), answer.json()["detail"]
    assert "read-from-the-disk" not in answer.text
    assert "hello" not in [each["hint"] for each in problems(answer)]


def test_an_interpreter_of_the_server_is_named_by_its_whole_path(run, http):
    step = {"command": ["python", "-c", "print(6 * 7)"]}
    found = run({"environment": {"interpreter": sys.executable}, "steps": {"a": step}})
    assert log_of(http, found, "a") == "42"


def test_a_snapshot_or_folder_that_is_not_there_is_refused(http, snapshot):
    document = {"steps": {"a": {"command": "ls"}}}
    digest = snapshot({"work/a.py": "pass\n"})
    for fields, status in [
        ({"snapshot": "0" * 64}, 404),
        ({"snapshot": "x"}, 400),
        ({"snapshot": digest, "folder": "wrok"}, 400),
        ({"snapshot": digest, "folder": "../work"}, 400),
        ({"folder": "work"}, 400),
    ]:
        answer = http.post("/runs", json={"document": document, **fields})
        assert answer.status_code == status, answer.text
    assert "Did you mean 'work'?" in str(
        http.post(
            "/runs", json={"document": document, "snapshot": digest, "folder": "wrok"}
        ).json()["hint"]
    )


# mistakes


def test_all_mistakes_are_told_at_once_with_their_places(http):
    body = """{
  "document": {
    "steps": {
      "load": {"comand": "ls"},
      "show": {"command": "cat ${inputs.x}", "inputs": {"x": "laod"}},
      "more": {"command": "ls", "cpus": "many"}
    }
  },
  "parameters": {"n": 1}
}"""
    answer = http.post("/runs", content=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "definition.invalid"
    told = {each["key"]: each for each in problems(answer)}
    assert told["steps.load.comand"]["line"] == 4
    assert told["steps.load.comand"]["hint"] == "Did you mean 'command'?"
    assert told["steps.show.inputs.x"]["line"] == 5
    assert told["steps.more.cpus"]["line"] == 6
    assert "parameters.n" in told
    assert "document:4:" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "hint"),
    [
        ({"steps": {}}, 400, "document"),
        ({"document": []}, 400, ""),
        ({"document": {}, "pipeline": {}}, 400, ""),
        ({"document": {}, "parametres": {}}, 400, "parameters"),
        ({"document": {}, "parameters": [1]}, 400, ""),
        ({"document": {}, "priority": "high"}, 400, ""),
        ({"document": {}, "labels": {"a": 1}}, 400, ""),
        ({"snapshot": "0" * 64}, 400, ""),
        ({"document": {}}, 422, "under its name"),
        ({"document": {"steps": {"a": {"command": "ls"}}}, "priority": 10**9}, 422, ""),
        ({"document": {"steps": {"a": {"command": "ls"}}}, "labels": {"": "x"}}, 422, ""),
    ],
)
def test_a_wrong_body_is_refused(http, body, status, hint):
    answer = http.post("/runs", json=body)
    assert answer.status_code == status, answer.text
    assert hint in answer.json()["hint"]


@pytest.mark.parametrize(
    "document",
    [
        {"steps": {"a": {"command": ["echo", "x" * 2_000_000 + "${b}" * 100]}}},
        {"parameters": {"b": "y" * 400_000}, "steps": {"a": {"command": ["${b} " * 20_000]}}},
        {"steps": {"a": {"command": [[[[]]]]}}},
        {"steps": {"a": {"command": ["a\0b"]}, "\0": {"command": "ls"}}},
        {"steps": {f"s{i}": {"comand": "ls"} for i in range(2_000)}},
    ],
)
def test_a_strange_document_is_refused_and_no_more(http, document):
    answer = http.post("/runs", json={"document": document})
    assert answer.status_code in (413, 422)
    assert len(answer.content) < 1_000_000


# YAML


def test_a_yaml_body_is_the_pipeline_file_itself(http):
    asked = [("wait", "60"), ("param", "who=ana"), ("param", "times=2"), ("label", "a=b=c")]
    made = http.post("/runs", content=HELLO, headers=YAML, params=asked)
    assert made.status_code == 201, made.text
    assert made.json()["labels"] == {"a": "b=c"}
    run = http.get(f"/runs/{made.json()['id']}").json()
    assert log_of(http, run, "say") == "hello ana 2"


@pytest.mark.parametrize("kind", ["text/yaml", "application/x-yaml; charset=utf-8"])
def test_yaml_has_several_names(http, kind):
    assert http.post("/runs", content=HELLO, headers={"content-type": kind}).status_code == 201


def test_a_yaml_body_finds_scripts_in_a_snapshot(http, snapshot):
    asked = {"snapshot": snapshot({"in/hello.py": "print('found')\n"}), "folder": "in", "wait": 60}
    text = "steps: {a: {script: hello.py}}"
    made = http.post("/runs", content=text, headers=YAML, params=asked).json()
    run = http.get(f"/runs/{made['id']}").json()
    assert log_of(http, run, "a") == "found"


def test_mistakes_in_yaml_are_told_with_line_and_column(http):
    text = "steps:\n  a: {comand: ls}\n  b: {command: ls, after: [c]}\n"
    answer = http.post("/runs", content=text, headers=YAML)
    assert answer.status_code == 422
    assert [(each["line"], each["column"]) for each in problems(answer)] == [(2, 7), (3, 28)]


@pytest.mark.parametrize(
    ("text", "asked", "status"),
    [
        (HELLO, {"param": "who"}, 400),
        (HELLO, [("param", "who=a"), ("param", "who=b")], 400),
        (HELLO, {"param": "wo=a"}, 422),
        (HELLO, {"param": "times=often"}, 422),
        (HELLO, {"parm": "who=a"}, 400),
        (HELLO, {"folder": "x"}, 400),
        ("", {}, 422),
        ("steps: [", {}, 422),
        ("\t- x", {}, 422),
        (b"\xff\x00\x80", {}, 422),
        ("a: !!python/object/apply:os.system [ls]\nsteps: {a: {command: ls}}", {}, 422),
        ("- 1", {}, 422),
    ],
)
def test_a_wrong_yaml_request_is_refused(http, text, asked, status):
    answer = http.post("/runs", content=text, headers=YAML, params=asked)
    assert answer.status_code == status, answer.text


def test_aliases_of_long_text_do_not_fill_the_memory(http):
    text = f"x-a: &a {'y' * 100_000}\nx-b: [{', '.join(['*a'] * 20_000)}]\n{HELLO}"
    answer = http.post("/runs", content=text, headers=YAML)
    assert answer.status_code == 422
    assert "aliases" in answer.json()["detail"]


def test_yaml_without_its_content_type_is_told_so(http):
    answer = http.post("/runs", content=HELLO)
    assert "application/yaml" in answer.json()["hint"]


def test_options_of_pipeline_files_do_not_go_with_records(http):
    answer = http.post("/runs", json={"pipeline": {}}, params={"param": "a=1"})
    assert answer.status_code == 400
    assert "?param=" in answer.json()["detail"]


# the same key


def test_a_document_posted_again_with_its_key_is_the_same_run(http):
    headers = YAML | {"Idempotency-Key": "a-yaml"}
    first = http.post("/runs", content=HELLO, headers=headers, params={"param": "who=a"})
    again = http.post(
        "/runs", content=HELLO, headers=headers, params={"param": "who=a", "wait": 60}
    )
    other = http.post("/runs", content=HELLO, headers=headers, params={"param": "who=b"})
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")


def test_the_same_document_is_the_same_version_of_the_pipeline(run):
    document = {"name": "kept", "steps": {"a": {"command": "true"}}}
    assert run(document)["pipeline_version"] == run(document)["pipeline_version"]


def test_a_document_larger_than_any_pipeline_file_is_refused():
    with pytest.raises(TooLarge):
        decoded(b" " * (LARGEST_BYTES + 1), "document")
