"""Arithmetic that a study may hold, evaluated by walking its syntax tree: numbers, names, operators, a few functions.

Standard library only, and no `eval`: the operator's side expands parameters, the head checks conditions.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 500  # characters
LARGEST_POWER = 1024
LARGEST_BASE = 1e18
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "sqrt": math.sqrt, "cbrt": math.cbrt, "log2": math.log2, "log": math.log, "exp": math.exp, "ceil": math.ceil,
    "floor": math.floor, "round": round, "abs": abs, "min": min, "max": max,
}  # fmt: skip


def names_in(text: str) -> set[str]:
    """The names that an expression needs. Raises ValueError where it is none."""
    return {node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name)} - FUNCTIONS.keys()


def evaluate(text: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression, or the truth of a condition. Raises ValueError saying what is wrong."""
    try:
        return _value(_parse(text).body, values)
    except (ArithmeticError, TypeError) as error:
        raise ValueError(f"{text}: {error}") from error
    except ValueError as error:
        raise ValueError(
            str(error) if "math domain" not in str(error) else f"{text}: sqrt or log of a wrong number"
        ) from error


def _parse(text: str) -> ast.Expression:
    if len(text) > LONGEST:
        raise ValueError(f"{text[:40]}.. has more than {LONGEST} characters")
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is no arithmetic") from error


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:  # noqa: PLR0911  one return a kind of node
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, str):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in values:
            raise ValueError(f"{node.id} is unknown: known are {', '.join(sorted(values)) or 'none'}")
        return values[node.id]
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, values), _value(node.right, values)
        return _power(left, right) if isinstance(node.op, ast.Pow) else _binary(node.op, left, right)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _UNARY[type(node.op)](_value(node.operand, values))
    if isinstance(node, ast.BoolOp):
        parts = [bool(_value(part, values)) for part in node.values]
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.Compare):
        return _compare(node, values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            raise ValueError(f"{node.func.id}() is unknown: known are {', '.join(FUNCTIONS)}")
        return FUNCTIONS[node.func.id](*(_value(part, values) for part in node.args))
    raise ValueError(
        f"{ast.unparse(node)} is no arithmetic: numbers, names, + - * / // % **, comparisons and functions"
    )


def _binary(kind: ast.operator, left: Any, right: Any) -> Any:
    if type(kind) not in _BINARY:
        raise ValueError(f"{type(kind).__name__} is no arithmetic")
    if isinstance(left, str) or isinstance(right, str):
        raise ValueError(f"{left!r} and {right!r}: text takes part in comparisons alone")
    return _BINARY[type(kind)](left, right)


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, str) or isinstance(right, str) or abs(right) > LARGEST_POWER or abs(left) > LARGEST_BASE:
        raise ValueError(f"{str(left)[:20]} ** {str(right)[:20]} is out of range")
    value = left**right
    if isinstance(value, complex):
        raise ValueError(f"{left} ** {right} is no real number")
    return value


def _compare(node: ast.Compare, values: Mapping[str, Any]) -> bool:
    sides = [_value(part, values) for part in (node.left, *node.comparators)]
    for kind, left, right in zip(node.ops, sides, sides[1:], strict=False):
        if type(kind) not in _COMPARE:
            raise ValueError(f"{type(kind).__name__} is no comparison")
        if not _COMPARE[type(kind)](left, right):
            return False
    return True
