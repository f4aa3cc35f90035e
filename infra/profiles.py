"""One stack's settings -> Profile: every value typed, checked, and with a default where there is an honest one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import rules
from machines import Catalogue, MachineType, Rate
from settings import SettingError, StackConfig

DEBIAN = "projects/debian-cloud/global/images/debian-12-bookworm-v20261006"
# Of machines with GPUs: Ubuntu 24.04 with NVIDIA's driver 580. Every node boots securely, which takes no module that
# nobody signed: those that Debian's package builds on the node are not, these are signed by Canonical.
WITH_DRIVER = (
    "projects/ubuntu-os-accelerator-images/global/images/ubuntu-accelerator-2404-amd64-with-nvidia-580-v20260820"
)
LABEL = r"[a-z0-9_-]{1,63}"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
PUBLIC_KEY = r"ssh-ed25519 [A-Za-z0-9+/=]+( [A-Za-z0-9@._-]+)?"
IAP = "iap"
MOST_NODES = 250
SPREAD, COMPACT = "any", "compact"
USUAL_DISK, HYPERDISK = "pd-balanced", "hyperdisk-balanced"
MIXED = ("E2", "F1", "G1")  # families whose processors are Google's choice


@dataclass(frozen=True)
class Profile:
    """A cluster as a person wants it; nothing in it is known from Google.

    `ssh_from` is empty where SSH comes through Google's proxy (IAP). `rate` is what one machine costs an hour.
    `image_chosen` is false where the image is the project's default for the machine. `compact`: the nodes are to stand
    close together. `operator_key` is None where the cluster has its own pair.
    """

    stack: str
    project: str
    zone: str
    nodes: int
    machine: MachineType
    rate: Rate
    spot: bool
    slots: int
    threads_per_core: int | None
    min_cpu_platform: str | None
    compact: bool
    image: str
    image_chosen: bool
    disk_type: str
    disk_gib: int
    disk_rate: Rate
    subnet: ipaddress.IPv4Network
    ssh_from: tuple[str, ...]
    external_address: bool
    lifetime_s: int
    owner: str
    study: str
    operator_key: str | None

    @property
    def region(self) -> str:
        return self.zone.rpartition("-")[0]

    @property
    def by_proxy(self) -> bool:
        return not self.ssh_from

    @property
    def mixed_processors(self) -> bool:
        """Whether Google may give the nodes different processors."""
        return self.machine.mixed_processors or (
            len(self.machine.cpu_platforms) > 1 and self.min_cpu_platform != self.machine.cpu_platforms[-1]
        )

    @property
    def stays_up(self) -> bool:
        """Whether Google moves the nodes to other hosts for maintenance: no spot machine, and none beside others."""
        return self.machine.live_migration and not self.spot and not self.compact

    @property
    def versions(self) -> set[int]:
        """The IP versions of who may enter."""
        return {ipaddress.ip_network(text).version for text in self.ssh_from}


def read(settings: StackConfig, google: StackConfig, stack: str, catalogue: Catalogue, owner: str) -> Profile:
    """The profile of a stack. `owner` is who it belongs to where nothing else is set. Raises SettingError."""
    if not re.fullmatch(rules.STACK, stack):
        raise SettingError(f"stack {stack!r}: give a name of at most 20 small letters and digits, a letter first")
    project = google.text(
        "project", None, r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "your Google Cloud project's id"
    )
    zone = settings.text("zone", f"{catalogue.region}-a", r"[a-z]+-[a-z]+\d+-[a-z]", "a zone such as us-central1-a")
    spot = settings.flag("spot", False)
    machine = _machine(settings, catalogue)
    disk_type = settings.choice("disk_type", machine.disk_types[0], machine.disk_types)
    rate, disk_rate = _rates(settings, catalogue, zone, _listed(catalogue, machine, spot, disk_type))
    subnet = _subnet(settings)
    ssh_from = _ssh_from(settings)
    threads = _threads(settings, machine)
    profile = Profile(
        stack=stack,
        project=project,
        zone=zone,
        nodes=settings.whole("nodes", 1, 1, min(MOST_NODES, subnet.num_addresses - 4)),
        machine=machine,
        rate=rate,
        spot=spot,
        slots=settings.whole("slots", _cpus(machine, threads), 1, _cpus(machine, threads)),
        threads_per_core=threads,
        min_cpu_platform=_platform(settings, machine),
        compact=_compact(settings, machine),
        image=_image(settings, machine),
        image_chosen=settings.raw("image") is not None,
        disk_type=disk_type,
        disk_gib=settings.whole("disk_gib", 20, 10, 2000),
        disk_rate=disk_rate,
        subnet=subnet,
        ssh_from=ssh_from,
        external_address=_external(settings, ssh_from),
        lifetime_s=settings.seconds("lifetime", "4h", "15m", "7d"),
        owner=settings.text("owner", label(owner), LABEL, "a label: small letters, digits, - and _"),
        study=settings.text("study", "paper", LABEL, "a study's name"),
        operator_key=_operator_key(settings),
    )
    settings.unread()
    return profile


def label(text: str) -> str:
    """The nearest text that Google takes for a label's value."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower())[:63].strip("-") or "nobody"


def _image(settings: StackConfig, machine: MachineType) -> str:
    usual = DEBIAN if machine.gpus is None else WITH_DRIVER
    return settings.text("image", usual, rules.IMAGE, "an exact image, projects/PROJECT/global/images/NAME (no family)")


def _machine(settings: StackConfig, catalogue: Catalogue) -> MachineType:
    """The catalogue's machine type, or as the stack describes it."""
    name = settings.text("machine_type", None, NAME, "a machine type such as n2-highcpu-16")
    described = settings.table("machine")
    if described is not None:
        return _described(described, name, (USUAL_DISK, *sorted({*catalogue.disks, HYPERDISK} - {USUAL_DISK})))
    if name not in catalogue.machines:
        raise SettingError(
            f"convscale:machine_type is {name!r}, which infra/machines.toml does not describe (near it are "
            f"{catalogue.near(name)}): describe it under convscale:machine"
        )
    return catalogue.machines[name]


def _listed(catalogue: Catalogue, machine: MachineType, spot: bool, disk_type: str) -> dict[str, Rate | None]:
    """The catalogue's prices of the machine and of its disk, by what they are of."""
    name, rate = (f"{machine.name}, spot", machine.spot) if spot else (machine.name, machine.on_demand)
    return {name: rate, f"disk {disk_type}": catalogue.disks.get(disk_type)}


def _rates(
    settings: StackConfig, catalogue: Catalogue, zone: str, listed: Mapping[str, Rate | None]
) -> tuple[Rate, Rate]:
    """Of the machine and of its disk: the stack's, or what is `listed` of each."""
    prices, region = settings.table("prices"), zone.rpartition("-")[0]
    if prices is not None:
        return _prices(prices)
    if region != catalogue.region:
        raise SettingError(
            f"convscale:zone lies in {region}, but infra/machines.toml has the prices of {catalogue.region} alone: "
            "give this region's under convscale:prices (machine_per_hour, disk_gib_month, source, date)"
        )
    if unknown := [name for name, rate in listed.items() if rate is None]:
        raise SettingError(
            f"nobody has stated what {' and '.join(unknown)} costs: give convscale:prices (machine_per_hour, "
            "disk_gib_month, source, date)"
        )
    machine, disk = (rate for rate in listed.values() if rate is not None)
    return machine, disk


def _described(table: StackConfig, name: str, disk_types: tuple[str, ...]) -> MachineType:
    family = name.partition("-")[0].upper()
    shared = table.flag("shared_core", False)
    machine = MachineType(
        name=name,
        vcpus=table.whole("vcpus", None, 1, 1024),
        memory_bytes=int(table.number("memory_gib", 0) * 2**30),
        shared_core=shared,
        threads_per_core=() if shared else (1, 2),
        cpu_platforms=tuple(table.words("cpu_platforms")),
        mixed_processors=shared or family in MIXED,
        compact_placement=table.flag("compact_placement", False),
        # Google counts the CPUs of its oldest families and of E2 together
        cpu_quota="CPUS" if family in ("E2", "N1", "F1", "G1") else f"{family}_CPUS",
        on_demand=None,
        spot=None,
        live_migration=table.flag("live_migration", True),
        disk_types=disk_types,
        cores=None,
        limits={},
    )
    table.unread()
    return machine


def _prices(table: StackConfig) -> tuple[Rate, Rate]:
    source = table.text("source", None, r"[^\r\n]{1,200}", "who says so")
    date = table.text("date", None, r"20\d\d-[01]\d-[0-3]\d", "the price's date, such as 2026-07-30, in quotes")
    machine = Rate(table.number("machine_per_hour", 0), "machine", source, date)
    disk = Rate(table.number("disk_gib_month", 0) / 730, "GiB", source, date)
    table.unread()
    return machine, disk


def _subnet(settings: StackConfig) -> ipaddress.IPv4Network:
    allowed = "a private range from /16 to /28, such as 10.0.0.0/24"
    text = settings.text("subnet", "10.0.0.0/24", r"[0-9./]+", allowed)
    try:
        subnet = ipaddress.IPv4Network(text)
    except ValueError:
        raise settings.wrong("subnet", allowed) from None
    if rules.outside([text]) or not 16 <= subnet.prefixlen <= 28:
        raise settings.wrong("subnet", allowed)
    return subnet


def _ssh_from(settings: StackConfig) -> tuple[str, ...]:
    """Ranges in Google's form; empty for the proxy. There is no default: nobody is let in unasked."""
    words = settings.words("ssh_from")
    if not words:
        raise SettingError(
            "convscale:ssh_from is not set: give your own address ('pulumi config set convscale:ssh_from "
            "203.0.113.7/32'), or iap for Google's proxy"
        )
    if IAP in words:
        if words != [IAP]:
            raise settings.wrong("ssh_from", "either iap or address ranges")
        return ()
    try:
        ranges = tuple(str(ipaddress.ip_network(word)) for word in words)
    except ValueError as error:
        raise settings.wrong("ssh_from", f"iap or address ranges such as 203.0.113.7/32 ({error})") from None
    faults = [f"{text} is no range of the internet" for text in ranges if text not in rules.outside([text])]
    if faults := faults or rules.range_faults(ranges):
        raise settings.wrong("ssh_from", f"iap or a few addresses ({faults[0]})")
    return ranges


def _external(settings: StackConfig, ssh_from: Sequence[str]) -> bool:
    external = settings.flag("external_address", bool(ssh_from))
    if ssh_from and not external:
        raise SettingError(
            "convscale:external_address is false, but convscale:ssh_from has address ranges, which reach a node only "
            "by such an address: set ssh_from to iap"
        )
    return external


def _cpus(machine: MachineType, threads_per_core: int | None) -> int:
    """Hardware threads that a node's ranks may take."""
    return machine.vcpus // 2 if threads_per_core == 1 else machine.vcpus


def _threads(settings: StackConfig, machine: MachineType) -> int | None:
    if settings.raw("threads_per_core") is None:
        return None
    if not machine.threads_per_core:
        raise settings.wrong("threads_per_core", f"left out: {machine.name} takes none")
    return settings.whole("threads_per_core", None, machine.threads_per_core[0], machine.threads_per_core[-1])


def _platform(settings: StackConfig, machine: MachineType) -> str | None:
    """The newest that the machine type has, unless the stack says otherwise: else nodes may differ."""
    if settings.raw("min_cpu_platform") is None:
        return machine.cpu_platforms[-1] if machine.cpu_platforms else None
    if not machine.cpu_platforms:
        raise settings.wrong("min_cpu_platform", f"left out: {machine.name} takes none")
    return settings.choice("min_cpu_platform", "", machine.cpu_platforms)


def _compact(settings: StackConfig, machine: MachineType) -> bool:
    compact = settings.choice("placement", SPREAD, (SPREAD, COMPACT)) == COMPACT
    if compact and not machine.compact_placement:
        raise settings.wrong("placement", f"left out: Google places {machine.name} as it likes")
    if compact and settings.whole("nodes", 1, 1, MOST_NODES) == 1:
        raise settings.wrong("placement", "left out: one node is close to itself")
    return compact


def _operator_key(settings: StackConfig) -> str | None:
    if settings.raw("operator_key") is None:
        return None
    return settings.text("operator_key", None, PUBLIC_KEY, "a public key, 'ssh-ed25519 KEY [NAME]'")
