"""Which keys a known_hosts file pins for whom."""

from contextlib import suppress

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.ssh.known_hosts import Pins, pinned_as

A, B = (paramiko.ECDSAKey.generate() for _ in range(2))
KIND = A.get_name()
ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIJxJmA1WcVxsNOc4XGfVwQ1Kd0UQ5pzqVYpVRQHWHtkz"


def pins(folder, *lines):
    path = folder / "known_hosts"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="latin-1")
    return Pins(path)


def line(names, key):
    return f"{names} {key.get_name()} {key.get_base64()}"


def test_the_first_name_that_has_a_key_counts(tmp_path):
    found = pins(tmp_path, line("a", A), line("b,[c]:2201", B))
    assert found.of("x", "b", "a") == {KIND: B.get_base64()}
    assert found.of("[c]:2201", "a") == {KIND: B.get_base64()}
    assert found.of("x") == {}


def test_a_key_of_each_type_and_the_first_of_a_type(tmp_path):
    found = pins(tmp_path, line("a", A), f"a ssh-ed25519 {ED25519} comment", line("a", B)).of("a")
    assert found == {KIND: A.get_base64(), "ssh-ed25519": ED25519}


def test_hashed_names_stand_in_their_place_among_plain_ones(tmp_path):
    hashed = paramiko.HostKeys.hash_host("a")
    assert pins(tmp_path, line(hashed, B), line("a", A)).of("a") == {KIND: B.get_base64()}
    assert pins(tmp_path, line("a", A), line(hashed, B)).of("a") == {KIND: A.get_base64()}
    assert pins(tmp_path, line(hashed, B)).of("b") == {}


@pytest.mark.parametrize("marker", ["@revoked", "@cert-authority", "#", "# "])
def test_what_is_marked_pins_nothing(tmp_path, marker):
    assert pins(tmp_path, f"{marker} {line('a', A)}", f"{marker}{line('a', A)}", "").of("a") == {}


def test_a_line_that_ends_too_early_pins_nothing(tmp_path):
    assert pins(tmp_path, "a", "a ssh-ed25519", "|1|x|y ssh-ed25519 AAAA").of("a") == {}


@pytest.mark.parametrize("key", ["AAAA", "A", "\xe9", A.get_base64()])
def test_a_line_without_a_key_is_named_when_it_is_asked_for(tmp_path, key):
    found = pins(tmp_path, line("b", B), f"a ssh-ed25519 {key}")
    assert found.of("b") == {KIND: B.get_base64()}
    with pytest.raises(Refusal, match=r"line 2 of .*known_hosts"):
        found.of("a")


@given(text=st.text())
def test_any_text_pins_or_is_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("pins") / "known_hosts"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    found = Pins(path)
    for name in text.split():
        with suppress(Refusal):
            found.of(name)


def test_the_name_of_a_port_that_is_not_22():
    assert (pinned_as("a", 22), pinned_as("a", 2201)) == ("a", "[a]:2201")
