"""What a step needs has to go along with the run."""

import pytest

from treadle.errors import InvalidDefinition


def test_a_script_that_a_rule_leaves_out_is_told_before_the_run(client, tmp_path):
    (tmp_path / "treadle.toml").touch()
    (tmp_path / ".gitignore").write_text("*.tmp.py\n")
    (tmp_path / "load.tmp.py").write_text("print('hi')\n")
    file = tmp_path / "treadle.yaml"
    file.write_text("steps:\n  load: {script: load.tmp.py}\n")
    with pytest.raises(InvalidDefinition, match=r"treadle.yaml:2.*does not go along.*gitignore"):
        client.submit(file)
    # and what the message says helps
    (tmp_path / ".treadleignore").write_text("!load.tmp.py\n")
    assert client.run(file).state == "completed"
