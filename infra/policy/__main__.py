"""infra/rules.py as a policy pack, for `pulumi up --policy-pack infra/policy`: the engine applies it by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

INFRA = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(INFRA))

import facts  # noqa: E402
import machines  # noqa: E402
import rules  # noqa: E402
import settings  # noqa: E402


def machine_types(stack: str) -> set[str]:
    """Those that infra/machines.toml or the stack itself describes."""
    values = settings.of_stack(INFRA.parent, stack, CONFIG.get())
    described = {str(values["convscale:machine_type"])} if "convscale:machine" in values else set()
    return described | set(machines.read(INFRA / "machines.toml").machines)


def resource(args: ResourceValidationArgs, report: ReportViolation) -> None:
    """Every resource by itself, before it is made."""
    stack = pulumi.get_stack()
    try:
        fact = facts.read(args.resource_type, args.props)
    except facts.UncoveredError as error:
        report(str(error), None)
        return
    for line in [] if fact is None else rules.one(fact, stack, machine_types(stack)):
        report(line, None)


def together(args: StackValidationArgs, report: ReportViolation) -> None:
    """Firewall rules that are narrow one by one, and wide together."""
    found = [facts.opening(each.props) for each in args.resources if each.resource_type == facts.FIREWALL]
    for line in rules.together(found):
        report(line, None)


PolicyPack(
    name="convscale",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        ResourceValidationPolicy("safe-resource", "A resource keeps every rule of infra/rules.py", resource),
        StackValidationPolicy("safe-cluster", "A cluster's firewall rules are narrow together", together),
    ],
)
