"""A table as LaTeX with booktabs. Text from records is escaped: nothing in it is ever a command."""

from __future__ import annotations

from results.formats import slug
from results.table import Table, is_numeric

LONG_CELL = 48  # characters of a text that gets a column of its own width, and breaks
MANY_COLUMNS = 5  # above, a table takes both columns of the page
NO_WIDER = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"  # than the column: scaled down to it
SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}", "—": r"\textemdash{}", "…": r"\ldots{}",
}  # fmt: skip
KNOWN_TO_LATEX = 0x17F  # the last character of Latin Extended-A, which every LaTeX can set


def latex(table: Table) -> str:
    """A float with caption, label, rules and the notes below, no wider than its column."""
    long = [any(len(row[column]) > LONG_CELL for row in table.rows) for column in range(len(table.columns))]
    share = f"{0.6 / max(1, sum(long)):.2f}"
    aligned = "".join(
        rf"p{{{share}\linewidth}}" if long[column] else "r" if is_numeric(table, column) else "l"
        for column in range(len(table.columns))
    )
    name = "table*" if len(table.columns) > MANY_COLUMNS else "table"
    rows = [_row(table.columns), r"\midrule", *map(_row, table.rows)]
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


def _row(cells: tuple[str, ...]) -> str:
    # {} in front: an opening bracket after the end of a row would be its argument
    return " & ".join(f"{{}}{escaped(cell)}" if cell[:1] in "[*" else escaped(cell) for cell in cells) + r" \\"
