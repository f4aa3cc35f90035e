"""What a node says of its processor, its network and who else is at work, from files as the kernel has them."""

import pytest

from workload.instruments import machine

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 106
model name\t: Intel(R) Xeon(R) CPU @ 2.60GHz
stepping\t: 6

processor\t: 1
model\t\t: 85
"""


def test_processors_of_one_name_are_told_apart_by_their_numbers():
    found = machine.model_in(CPUINFO)
    assert found == "Intel(R) Xeon(R) CPU @ 2.60GHz (family 6, model 106, stepping 6)"
    assert machine.model_in(CPUINFO.replace(": 106", ": 85")) != found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("processor : 0", ""),
        ("model name : ARM\nmodel : x", "ARM"),
        ("model name : A: B\ncpu family : 6", "A: B"),
    ],
)
def test_a_kernel_that_says_less(text, expected):
    assert machine.model_in(text) == expected


def process(folder, number, name, line):
    (folder / str(number)).mkdir()
    (folder / str(number) / "comm").write_text(f"{name}\n")
    (folder / str(number) / "cmdline").write_text("\0".join(line.split()))


def test_package_managers_at_work_are_named_once(tmp_path):
    process(tmp_path, 1, "systemd", "/sbin/init")
    process(tmp_path, 7, "unattended-upgr", "python3 /usr/share/unattended-upgrades/unattended-upgrade-shutdown --wait")
    (tmp_path / "self").mkdir()
    (tmp_path / "9").mkdir()  # ended meanwhile
    assert machine.package_managers(tmp_path) == []
    process(tmp_path, 8, "unattended-upgr", "python3 /usr/bin/unattended-upgrade")
    process(tmp_path, 10, "dpkg", "dpkg -i x.deb")
    process(tmp_path, 11, "dpkg", "dpkg -i y.deb")
    assert machine.package_managers(tmp_path) == ["dpkg", "unattended-upgr"]


def test_interfaces_with_a_device_are_described(tmp_path):
    driver = tmp_path / "drivers" / "gve"
    driver.mkdir(parents=True)
    for name, mtu in (("ens4", "8896"), ("lo", "65536"), ("odd", "")):
        folder = tmp_path / "net" / name
        (folder / "queues").mkdir(parents=True)
        (folder / "mtu").write_text(f"{mtu}\n")
        for queue in ("rx-0", "rx-1", "tx-0"):
            (folder / "queues" / queue).mkdir()
        if name != "lo":
            (folder / "device").mkdir()
            (folder / "device" / "driver").symlink_to(driver)
    assert machine.network(tmp_path / "net") == [{"name": "ens4", "driver": "gve", "mtu_bytes": 8896, "queues": [2, 1]}]
    assert machine.network(tmp_path / "nowhere") == []


def test_this_machine_describes_itself():
    found = machine.describe("MPI")
    assert isinstance(found["package_managers"], list)
    assert all(set(each) == {"name", "driver", "mtu_bytes", "queues"} for each in found["network"])
    assert found["cpu_model"]


def test_without_our_mpi_a_node_describes_itself_all_the_same(monkeypatch):
    """A program of a person's own brings its MPI."""
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda _: None)
    found = machine.describe_idle()
    assert found["mpi"] == ""
    assert found["cores"] >= 1
