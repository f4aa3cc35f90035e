"""A table as LaTeX with booktabs. Text from records is escaped: nothing in it is ever a command."""

from __future__ import annotations

import re

from results.fitting import LONG_SHARE, long_columns, parts, width_pt
from results.formats import slug
from results.table import Table, is_numeric

LONG_WORD = re.compile(r"[^\s-]{17,}")  # in a text that breaks, it may break as well
PIECE = 16  # letters of such a word between two places where it may
MANY_COLUMNS, COLUMN_PT = 5, 300.0  # above, a table takes both columns of the page
NO_WIDER = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"  # than the column: scaled down to it
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}", "—": r"\textemdash{}", "…": r"\ldots{}",
}  # fmt: skip
KNOWN_TO_LATEX = 0x17F  # the last character of Latin Extended-A, which every LaTeX can set


def latex(table: Table) -> str:
    """Floats with caption, label, rules and the notes below, none wider than its column or longer than a page."""
    return "\n".join(map(_float, parts(table)))


def _float(table: Table) -> str:
    long = long_columns(table)
    share = f"{LONG_SHARE / max(1, sum(long)):.2f}"
    aligned = "".join(
        rf"p{{{share}\linewidth}}" if long[column] else "r" if is_numeric(table, column) else "l"
        for column in range(len(table.columns))
    )
    name = "table*" if len(table.columns) > MANY_COLUMNS or width_pt(table) > COLUMN_PT else "table"
    rows = [_row(table.columns, long), r"\midrule", *(_row(row, long) for row in table.rows)]
    notes = [rf"\par\smallskip\raggedright\footnotesize {' '.join(map(escaped, table.notes))}"] if table.notes else []
    lines = [
        r"% \usepackage{booktabs,graphicx,textcomp}",
        rf"\begin{{{name}}}",
        r"\centering\small",
        rf"\caption{{{escaped(table.title)}}}",
        rf"\label{{tab:{slug(table.name or table.title)}}}",
        NO_WIDER,
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        *notes,
        rf"\end{{{name}}}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text in one line, as LaTeX prints it; what not every LaTeX can set becomes a question mark."""
    found = "".join(_character(character) for character in " ".join(text.split()))
    return found.replace("--", "-{}-")  # two hyphens would become a dash


def _character(character: str) -> str:
    if character in SPECIAL:
        return SPECIAL[character]
    return character if character.isprintable() and ord(character) <= KNOWN_TO_LATEX else "?"


def _row(cells: tuple[str, ...], long: list[bool]) -> str:
    texts = [_broken(cell) if breaks else escaped(cell) for cell, breaks in zip(cells, long, strict=True)]
    # {} in front: an opening bracket after the end of a row would be its argument
    return " & ".join(f"{{}}{text}" if text[:1] in ("[", "*") else text for text in texts) + r" \\"


def _broken(text: str) -> str:
    """The same of a text that breaks: long words, as digests are, too."""

    def pieces(word: str) -> list[str]:
        return [word[start : start + PIECE] for start in range(0, len(word), PIECE)]

    words = (pieces(word) if LONG_WORD.fullmatch(word) else [word] for word in text.split())
    return " ".join(r"\hspace{0pt}".join(map(escaped, word)) for word in words)
