"""Names tell which variables hold secrets."""

import pytest

from treadle.model.secrets import looks_secret, told_apart


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD", "password", "GITHUB_TOKEN", "apiKey", "APIKEY", "AWS_SECRET_ACCESS_KEY",
        "OPENAI_API_KEY", "PRIVATE_KEY", "client-secret", "HTTP_AUTH", "pwd", "MY_CREDENTIALS",
        "DB_PASS", "GITHUB_PAT", "SSH_KEY", "DEPLOY_KEY",
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "TOKENIZERS_PARALLELISM", "MAX_TOKENS", "AUTHOR", "PRIMARY_KEY", "KEY", "OMP_NUM_THREADS",
        "PASS_COUNT", "PASS", "PATH", "",
    ],
)  # fmt: skip
def test_other_names_are_left_alone(name):
    assert not looks_secret(name)


def test_secret_values_stand_apart_under_keys_of_their_scope():
    found = told_apart({"A": "1", "API_KEY": "s3cret"}, "train/")
    assert found.plain == {"A": "1"}
    assert found.secrets == {"API_KEY": "train/API_KEY"}
    assert found.values == {"train/API_KEY": "s3cret"}
    assert "s3cret" not in repr(found)


def test_inner_variables_win_over_outer_ones_secret_or_not():
    outer = told_apart({"A": "1", "TOKEN": "outer", "B": "2"})
    inner = told_apart({"TOKEN": "inner", "B": "hidden"}, "train/", also={"B"})
    found = inner.over(outer)
    assert found.plain == {"A": "1"}
    assert found.secrets == {"TOKEN": "train/TOKEN", "B": "train/B"}
    assert found.values["train/TOKEN"] == "inner"
