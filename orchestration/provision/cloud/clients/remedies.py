"""What Google's and Pulumi's errors mean to a person: their own words, in one line, and what to do."""

from __future__ import annotations

import re

LOGIN = "log in with 'gcloud auth application-default login'"
REMEDIES = (
    (r"default credentials|cannot fetch token|invalid_grant|reauth|Error 401|UNAUTHENTICATED", LOGIN),
    (
        r"accessNotConfigured|SERVICE_DISABLED|has not been used in project|API has not been enabled",
        "'gcloud services enable compute.googleapis.com' in that project, and try again in a minute",
    ),
    (
        r"QUOTA_EXCEEDED|quotaExceeded|Quota '[A-Z0-9_]+' exceeded|exceeded quota",
        "ask Google for more quota, or set another zone, machine type or node count",
    ),
    (
        r"referenced image resource cannot be found|/images/\S+ was not found|Could not find image",
        "that image is gone: set convscale:image to one that 'gcloud compute images list --project debian-cloud "
        "--no-standard-images --uri' names (--show-deprecated has older ones; for GPUs --project "
        "ubuntu-os-accelerator-images)",
    ),
    (r"RESOURCE_POOL_EXHAUSTED|does not have enough resources", "set another zone, or try again later"),
    (r"[Cc]onstraint.*violated|constraints/|conditionNotMet.*[Pp]olicy", "an organisation policy stands in the way"),
    (r"alreadyExists|already exists", "it is not in this stack's state: 'fab down --orphans' lists and removes it"),
    (r"Error 403|[Ff]orbidden|PERMISSION_DENIED|Required '[a-z.]+' permission", "ask for the role Compute Admin"),
    (r"incorrect passphrase", "give PULUMI_CONFIG_PASSPHRASE the passphrase that the stack was made with"),
    (r"passphrase must be set", "choose a passphrase and export it as PULUMI_CONFIG_PASSPHRASE (it may be empty)"),
    (r"PULUMI_ACCESS_TOKEN|not logged in|pulumi login", "'pulumi login --local' keeps the state on this machine"),
)
COLOUR = re.compile(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m")
NOISE = re.compile(r"\d+ errors? occurred:|error: (update|preview|destroy|refresh) failed|(update|preview) failed")
LIMIT = 500


def one_line(text: str) -> str:
    """An error's text without colours, bullets and tracebacks."""
    lines = [line.strip().removeprefix("* ") for line in COLOUR.sub("", text).splitlines()]
    lines = [line for line in lines if line and not NOISE.fullmatch(line)]
    if any(line.startswith("Traceback (most recent call last)") for line in lines):
        lines = [line for line in lines if not line.startswith("^")][-1:]
    return " ".join(lines).removeprefix("error: ")[:LIMIT]


def remedy(text: str) -> str:
    """What a person can do about it; empty where only the words themselves help."""
    return next((words for pattern, words in REMEDIES if re.search(pattern, text)), "")


def explained(text: str) -> str:
    """The error in one line, and the remedy after it."""
    line, todo = one_line(text), remedy(text)
    return f"{line}: {todo}" if todo else line
