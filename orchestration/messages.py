"""Refusals in words: unknown names with the nearest known one, and pydantic's errors in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing where no known word is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {found[0]}?)" if found else ""


def unknown(what: str, word: str, known: Iterable[str]) -> str:
    """Says that a word is unknown, suggests the nearest known word and lists them all."""
    names = list(known)
    return f"{what} {word!r} is unknown{nearest(word, names)}: it is one of {', '.join(names) or 'none'}"


def explain(error: ValidationError, model: type[BaseModel], patterns: Mapping[str, str] | None = None) -> str:
    """The first error as one line: the key, its value, and why it is wrong; for an unknown key the nearest known one.

    `patterns` describes regular expressions in words, for texts that do not match.
    """
    # a misspelt key also leaves the right one missing: report the misspelling
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    place, value = first["loc"], first.get("input")
    key = _dotted(place)
    if first["type"] == "extra_forbidden":
        known = sorted(_model_at(model, place[:-1]).model_fields)
        return f"key {key} is unknown{nearest(str(place[-1]), known)}: known here are {', '.join(known)}"
    if first["type"] == "missing":
        return f"key {key} is missing: add it"
    message = first["msg"].removeprefix("Value error, ")
    message = (patterns or {}).get(str(first.get("ctx", {}).get("pattern")), message)
    shown = repr(value)
    # a long list, cut short, helps nobody
    what = key if isinstance(value, list | dict) and len(shown) > 80 else f"{key} = {shown[:80]}"
    return f"{what} is wrong: {message[0].lower()}{message[1:]}"


def _dotted(place: tuple[int | str, ...]) -> str:
    """`series[1].ranks` for ("series", 1, "ranks")."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _model_at(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel]:
    for part in place:
        if isinstance(part, str):
            model = _model_within(model.model_fields[part].annotation) or model
    return model


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_within(inner))), None)
