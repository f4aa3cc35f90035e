"""Processors by what kernels say of them."""

import pytest

from orchestration.checks.processors import mixed_processors, older_than_asked, platform_of

NAME = "Intel(R) Xeon(R) CPU @ 2.60GHz"


def model(number, stepping=6):
    return f"{NAME} (family 6, model {number}, stepping {stepping})"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        (model(106), "Intel Ice Lake"),
        (model(85, 7), "Intel Cascade Lake"),
        (model(85, 4), "Intel Skylake"),
        (model(1), ""),
        (NAME, ""),
        ("AMD EPYC 7B12 (family 23, model 49, stepping 0)", ""),
        ("", ""),
    ],
)
def test_a_platform_is_known_by_its_numbers(text, platform):
    assert platform_of(text) == platform


def test_what_is_older_than_asked_is_said():
    models = {"node1": model(106), "node2": model(85, 7), "node3": NAME, "node4": model(143)}
    assert older_than_asked(models, "Intel Ice Lake") == [
        "node2 runs on Intel Cascade Lake, and at least Intel Ice Lake was asked for: make it anew"
    ]
    assert older_than_asked(models, None) == older_than_asked(models, "AMD Milan") == []


def test_one_name_may_be_several_processors():
    words = mixed_processors({"node1": model(106), "node2": model(85, 7), "node3": model(106)})
    assert words == f"{model(106)}: node1, node3; {model(85, 7)}: node2"
    assert mixed_processors({"node1": NAME, "node2": NAME}) == ""
