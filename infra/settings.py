"""Stack configuration: typed reading, one clear line where a value is wrong."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from durations import duration_s

NAMESPACE = "convscale"


class SettingError(ValueError):
    """A setting that cannot be taken; its text is one line with key, value and what is allowed."""


def of_stack(root: Path, stack: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """The profile's values in Pulumi.<stack>.yaml, each overridden by the person's in `config` (full keys).

    Raises SettingError where the file is no profile, OSError.
    """
    import yaml

    file = root / f"Pulumi.{stack}.yaml"
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        document = {}
    except yaml.YAMLError as error:
        raise SettingError(f"{file.name} is no YAML ({' '.join(str(error).split())}): correct it") from error
    values = (document.get("config") or {}) if isinstance(document, dict) else None
    if not isinstance(values, dict) or set(document) - {"config"}:
        raise SettingError(f"{file.name} holds more than 'config': personal settings belong to 'pulumi config set'")
    return {**values, **config}


@dataclass
class StackConfig:
    """The values of one stack by full key, as text (from Pulumi) or as YAML had them.

    Every reader raises SettingError; `unread` finds misspelt keys once all are read.
    """

    values: Mapping[str, Any]
    prefix: str = f"{NAMESPACE}:"
    known: set[str] = field(default_factory=set)

    def wrong(self, key: str, allowed: str) -> SettingError:
        """The error of a key's value."""
        return SettingError(f"{self.prefix}{key} is {self.values.get(self.prefix + key)!r}, but must be {allowed}")

    def raw(self, key: str) -> Any:
        """The value as it stands, None where there is none."""
        self.known.add(self.prefix + key)
        return self.values.get(self.prefix + key)

    def whole(self, key: str, default: int | None, least: int, most: int) -> int:
        """A whole number in a closed range; None for `default` demands a value."""
        value = self.raw(key)
        if value is None and default is not None:
            return default
        text = "" if isinstance(value, bool) else str(value)
        if not re.fullmatch(r"-?[0-9]{1,15}", text) or not least <= int(text) <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return int(text)

    def number(self, key: str, above: float) -> float:
        """A number above another."""
        try:
            value = float(self.raw(key))
        except (TypeError, ValueError):
            value = above
        if isinstance(self.raw(key), bool) or not above < value < float("inf"):
            raise self.wrong(key, f"a number above {above:g}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        value = self.raw(key)
        if value is None:
            return default
        if value not in (True, False, "true", "false") or isinstance(value, int) != isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value in (True, "true")

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of some words."""
        value = self.raw(key)
        value = default if value is None else value
        if value not in allowed:
            raise self.wrong(key, "one of " + ", ".join(allowed))
        return str(value)

    def text(self, key: str, default: str | None, pattern: str, allowed: str) -> str:
        """Text of a pattern; None for `default` demands a value."""
        value = self.raw(key)
        value = default if value is None else value
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self.wrong(key, allowed)
        return value

    def seconds(self, key: str, default: str, least: str, most: str) -> int:
        """A duration such as 90m."""
        value = self.raw(key)
        found = duration_s(default if value is None else value)
        if found is None or not _known(least) <= found <= _known(most):
            raise self.wrong(key, f"a duration from {least} to {most}, such as 5400s, 90m or 4h")
        return int(found)

    def words(self, key: str) -> list[str]:
        """A list of words, or one text with commas between them; empty where there is none."""
        value = self.raw(key)
        if isinstance(value, str) and value.strip().startswith("["):
            value = self._json(key, value, "a list")
        if isinstance(value, str):
            value = value.split(",")
        if value is not None and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise self.wrong(key, "a list of words")
        return [word.strip() for word in value or [] if word.strip()]

    def table(self, key: str) -> StackConfig | None:
        """The keys under a key (`pulumi config set --path convscale:machine.vcpus 8`); None where there are none."""
        value = self.raw(key)
        if isinstance(value, str):
            value = self._json(key, value, "keys with values")
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, "keys with values: 'pulumi config set --path convscale:" + key + ".KEY VALUE'")
        prefix = f"{self.prefix}{key}."
        return StackConfig({prefix + str(name): each for name, each in value.items()}, prefix)

    def unread(self) -> None:
        """Refuses the first key that nothing has read."""
        for key in sorted(self.values):
            if key.startswith(self.prefix) and key not in self.known:
                near = difflib.get_close_matches(key, sorted(self.known), 1)
                raise SettingError(f"{key} is no setting: " + (f"did you mean {near[0]}?" if near else self._all()))

    def _all(self) -> str:
        return "there are " + ", ".join(sorted(key.removeprefix(self.prefix) for key in self.known))

    def _json(self, key: str, value: str, allowed: str) -> Any:
        try:
            return json.loads(value)
        except ValueError:
            raise self.wrong(key, allowed) from None


def _known(text: str) -> float:
    seconds = duration_s(text)
    if seconds is None:
        raise ValueError(text)
    return seconds
