"""What the real provider refuses before it asks Google: keys, types and words that it does not know.

All of it from the SDK itself: the argument class of a type token, its properties' types, and what their texts say
of the values that are possible. Mocks look at none of this.
"""

from __future__ import annotations

import collections.abc
import difflib
import inspect
import re
import typing
from collections.abc import Iterator
from functools import cache
from typing import Any

import pulumi_gcp
from pulumi import _types

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how a preview writes a value that is not there yet
# Where the SDK's texts list no values, from Google's documentation of its REST interface
WORDS = {
    ("InstanceSchedulingArgs", "provisioningModel"): {"STANDARD", "SPOT"},
    ("InstanceSchedulingArgs", "instanceTerminationAction"): {"STOP", "DELETE"},
    ("InstanceSchedulingArgs", "onHostMaintenance"): {"MIGRATE", "TERMINATE"},
    ("InstanceNetworkInterfaceArgs", "stackType"): {"IPV4_ONLY", "IPV4_IPV6", "IPV6_ONLY"},
    ("InstanceNetworkInterfaceAccessConfigArgs", "networkTier"): {"PREMIUM", "STANDARD"},
    ("InstanceNetworkInterfaceIpv6AccessConfigArgs", "networkTier"): {"PREMIUM"},
    ("AddressArgs", "purpose"): {"GCE_ENDPOINT", "SHARED_LOADBALANCER_VIP", "VPC_PEERING", "PRIVATE_SERVICE_CONNECT"},
    ("RouterNatSubnetworkArgs", "sourceIpRangesToNats"): {
        "ALL_IP_RANGES",
        "PRIMARY_IP_RANGE",
        "LIST_OF_SECONDARY_IP_RANGES",
    },
}
NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"  # RFC 1035
LISTED = re.compile(r"(?i:possible values(?: are)?|must be one of): ?([A-Z0-9_`, ]+?)(?:\.|$| {2})")


def arguments(token: str) -> type | None:
    """The argument class of gcp:compute/instance:Instance and the like; None where the SDK has no such type."""
    found = re.fullmatch(r"gcp:(\w+)/\w+:(\w+)", token)
    module = getattr(pulumi_gcp, found[1], None) if found else None
    made = getattr(module, f"{found[2]}Args", None) if found else None
    return made if isinstance(made, type) else None


def faults(token: str, properties: dict[str, Any]) -> list[tuple[str, str]]:
    """(property path, what is wrong with it) of a resource's inputs, as the engine sends them."""
    made = arguments(token)
    if made is None:
        return [("", f"unrecognized resource type {token}")]
    found = list(_of_object(made, properties, ""))
    name = properties.get("name", UNKNOWN)
    if name != UNKNOWN and not re.fullmatch(NAME, str(name)):
        found.append(("name", f'"name" ({name!r}) doesn\'t match regexp {NAME!r}'))
    return found


@cache
def _properties(made: type) -> dict[str, Any]:
    return {name: _bare(each) for name, each in _types.input_type_types(made).items()}


@cache
def _required(made: type) -> frozenset[str]:
    names = _types.input_type_py_to_pulumi_names(made)
    wanted = inspect.signature(made.__init__).parameters.values()  # type: ignore[misc]
    return frozenset(
        names[each.name] for each in wanted if each.kind is each.KEYWORD_ONLY and each.default is each.empty
    )


@cache
def words(made: type, name: str) -> frozenset[str]:
    """The values that a property may have; empty where any will do."""
    if (made.__name__, name) in WORDS:
        return frozenset(WORDS[made.__name__, name])
    spelt = {value: key for key, value in _types.input_type_py_to_pulumi_names(made).items()}[name]
    text = " ".join((getattr(made, spelt).fget.__doc__ or "").split())
    listed = LISTED.search(text)
    return frozenset(re.findall(r"[A-Z][A-Z0-9_]+", listed[1])) if listed else frozenset()


def _bare(kind: Any) -> Any:
    """A property's type without Input and Optional around it."""
    if typing.get_origin(kind) is typing.Union:
        return _bare(typing.get_args(kind)[0])
    return kind


def _of_object(made: type, value: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    known = _properties(made)
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            yield f"{path}{name}", f"Invalid or unknown key. Examine values at '{path}{name}'.{hint}"
    for name in _required(made):
        if value.get(name) is None:
            yield f"{path}{name}", f'Missing required property "{path}{name}"'
    for name, each in value.items():
        if name in known and each is not None:
            yield from _of_value(known[name], each, f"{path}{name}", words(made, name))


def _of_value(kind: Any, value: Any, path: str, allowed: frozenset[str]) -> Iterator[tuple[str, str]]:
    if value == UNKNOWN:
        return
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is collections.abc.Sequence:
        yield from _of_list(_bare(inner[0]), value, path, allowed)
    elif origin is collections.abc.Mapping:
        yield from _of_map(_bare(inner[1]), value, path)
    elif _types.is_input_type(kind):
        if isinstance(value, dict):
            yield from _of_object(kind, value, f"{path}.")
        else:
            yield path, f"expected an object, got {value!r}"
    elif not _is(kind, value):
        yield path, f"expected {kind.__name__}, got {value!r}"
    elif allowed and value not in allowed:
        yield path, f"expected {path} to be one of {sorted(allowed)}, got {value}"


def _of_list(kind: Any, value: Any, path: str, allowed: frozenset[str]) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield path, f"expected a list, got {value!r}"
        return
    for number, each in enumerate(value):
        yield from _of_value(kind, each, f"{path}[{number}]", allowed)


def _of_map(kind: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield path, f"expected a map, got {value!r}"
        return
    for key, each in value.items():
        yield from _of_value(kind, each, f"{path}.{key}", frozenset())


def _is(kind: type, value: Any) -> bool:
    if kind in (int, float):  # the wire knows one kind of number
        return isinstance(value, int | float) and not isinstance(value, bool) and (kind is float or value == int(value))
    return isinstance(value, kind)
