import pytest
import settings
from settings import SettingError, StackConfig


def of(**values):
    return StackConfig({f"convscale:{key}": value for key, value in values.items()})


@pytest.mark.parametrize("value", [8, "8"])
def test_a_number_is_the_same_from_yaml_and_from_pulumi(value):
    assert of(nodes=value).whole("nodes", 1, 1, 9) == 8


@pytest.mark.parametrize("value", [0, 10, "1.0", "", True, "eight", [1], "9" * 5000])
def test_a_wrong_number_is_one_line_with_key_value_and_range(value):
    with pytest.raises(SettingError) as caught:
        of(nodes=value).whole("nodes", 1, 1, 9)
    assert str(caught.value) == f"convscale:nodes is {value!r}, but must be a whole number from 1 to 9"


def test_a_number_without_a_default_must_be_given():
    with pytest.raises(SettingError, match="convscale:vcpus is None, but must be a whole number"):
        of().whole("vcpus", None, 1, 9)


@pytest.mark.parametrize(("value", "expected"), [(True, True), ("false", False), (None, True)])
def test_flags(value, expected):
    assert of(spot=value).flag("spot", True) is expected


@pytest.mark.parametrize("value", ["yes", 1, 0, "True", []])
def test_what_is_neither_true_nor_false_is_refused(value):
    with pytest.raises(SettingError, match="must be true or false"):
        of(spot=value).flag("spot", True)


@pytest.mark.parametrize(("text", "seconds"), [("5400s", 5400), ("90m", 5400), ("4h", 14400), ("1d", 86400)])
def test_durations(text, seconds):
    assert of(lifetime=text).seconds("lifetime", "4h", "15m", "7d") == seconds


@pytest.mark.parametrize("text", ["14m", "8d", "4", 4, "4 h", "-4h", "4h30m", "inf", "\u0661h"])
def test_wrong_durations_are_refused(text):
    with pytest.raises(SettingError, match="must be a duration from 15m to 7d"):
        of(lifetime=text).seconds("lifetime", "4h", "15m", "7d")


@pytest.mark.parametrize("value", ["a, b", '["a","b"]', ["a", "b"]])
def test_lists_come_as_text_json_or_yaml(value):
    assert of(ssh_from=value).words("ssh_from") == ["a", "b"]


@pytest.mark.parametrize("value", [[1], {"a": 1}, '["a"', 7])
def test_what_is_no_list_of_words_is_refused(value):
    with pytest.raises(SettingError, match="convscale:ssh_from is"):
        of(ssh_from=value).words("ssh_from")


def test_tables_have_keys_of_their_own():
    table = of(machine='{"vcpus": 8, "vcpu": 9}').table("machine")
    assert table.whole("vcpus", None, 1, 99) == 8
    with pytest.raises(
        SettingError, match=r"convscale:machine\.vcpu is no setting: did you mean convscale:machine\.vcpus"
    ):
        table.unread()


def test_a_misspelt_key_is_named_with_the_nearest():
    found = of(node=3)
    found.whole("nodes", 1, 1, 9)
    with pytest.raises(SettingError, match="convscale:node is no setting: did you mean convscale:nodes"):
        found.unread()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", True, "a", None])
def test_prices_are_above_nothing(value):
    with pytest.raises(SettingError, match="must be a number above 0"):
        of(machine_per_hour=value).number("machine_per_hour", 0)


def test_a_persons_setting_goes_before_the_profiles(tmp_path):
    (tmp_path / "Pulumi.mine.yaml").write_text("config: {convscale:nodes: 8, convscale:slots: 1}")
    found = settings.of_stack(tmp_path, "mine", {"convscale:nodes": "3"})
    assert found == {"convscale:nodes": "3", "convscale:slots": 1}


def test_a_stack_needs_no_profile(tmp_path):
    assert settings.of_stack(tmp_path, "mine", {"convscale:nodes": "3"}) == {"convscale:nodes": "3"}


@pytest.mark.parametrize("text", ["config: [", "encryptionsalt: v1:x\nconfig: {}", "- a", "config: 3"])
def test_a_stack_file_that_is_no_profile_is_refused(tmp_path, text):
    (tmp_path / "Pulumi.mine.yaml").write_text(text)
    with pytest.raises(SettingError, match=r"Pulumi\.mine\.yaml"):
        settings.of_stack(tmp_path, "mine", {})
