"""Pipelines of several folders of one project."""


def test_modules_of_the_same_name_in_two_folders_are_not_mixed_up(client, tmp_path):
    (tmp_path / "treadle.toml").touch()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "prepare.py").write_text(f"def which():\n    return {name!r}\n")
        (folder / "treadle.yaml").write_text("steps: {a: {function: 'prepare:which'}}\n")
    results = [
        client.run(tmp_path / name / "treadle.yaml")["a"].result()
        for name in ("one", "two", "one", "two")
    ]
    assert results == ["one", "two", "one", "two"]
