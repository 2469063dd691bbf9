"""A benchmark's table for other programs: CSV, Markdown and LaTeX, each with the line that says how it was measured.

What keeps a row from a fair comparison stands beside it in CSV, and numbered below the table in the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from dnalm.evaluation.bench.benches import Bench
from dnalm.evaluation.bench.entries import Entry, leaks

Format = Literal["csv", "markdown", "latex"]
FORMATS: tuple[Format, ...] = ("csv", "markdown", "latex")


def frame(rows: Sequence[Entry], figures: Sequence[str]) -> pd.DataFrame:
    """One line an entry; of each figure its value and the ends of its 95 % interval, empty where not known."""
    lines = []
    for one in rows:
        line: dict[str, object] = {
            "model": one.model,
            "what": one.what,
            "kind": one.kind,
            "data": one.data,
            "split": one.split,
            "labels": one.labels,
            "seeds": one.seeds,
        }
        for name in figures:
            found = one.figures.get(name)
            for end, value in (("", "value"), ("_low", "low"), ("_high", "high")):
                line[f"{name}{end}"] = None if found is None else getattr(found, value)
        lines.append(line | {"source": one.source, "address": one.address, "date": one.date, "note": one.note})
    return pd.DataFrame(lines).convert_dtypes()


def protocol_line(bench: Bench, rows: Sequence[Entry] = ()) -> str:
    """How the table was measured, in one line; with its rows, what each of their splits leaks."""
    said = [f"{bench.table.title}.", ("Published: " if bench.table.rows else "") + bench.table.protocol.strip()]
    if bench.table.apart and not any(one.kind == "published" for one in rows):  # whose notes say it
        said.append(bench.table.apart.strip())
    said += [f"{group}: {leak}." for group, leak in leaks(rows).items()]
    said.append(
        "Brackets: 95 % intervals; figures of several seeds are means. Rows of different splits are not ranked."
    )
    return " ".join(" ".join(said).split())


def export(bench: Bench, rows: Sequence[Entry], figures: Sequence[str], format: Format) -> str:
    """The table as text.

    Args:
        bench: which.
        rows: those that are wanted, in order.
        figures: names of the figures, as in `dnalm.metrics`.
        format: `csv` has every column in full precision behind a comment line; `markdown` and `latex` are for people.
    """
    if format == "csv":
        return f"# {protocol_line(bench, rows)}\n" + frame(rows, figures).to_csv(index=False)
    marks, notes = numbered(rows)
    titles = [_title(name) for name in figures]
    head = ["Model", "", "Data", "Split", "Labels", "Seeds", *titles, "Source", "Date", "Note"]
    body = [
        [
            one.model,
            one.what,
            one.data,
            one.split,
            "" if one.labels is None else f"{one.labels:,}",
            "" if one.seeds is None else str(one.seeds),
            *(text_of(one, name) for name in figures),
            one.source,
            one.date,
            mark,
        ]
        for one, mark in zip(rows, marks, strict=True)
    ]
    return (_markdown if format == "markdown" else _latex)(protocol_line(bench, rows), head, body, notes)


def numbered(rows: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """What keeps rows from a fair comparison, each text once: the number of each row's, and the numbered texts."""
    texts = list(dict.fromkeys(one.note for one in rows if one.note))
    marks = [str(texts.index(one.note) + 1) if one.note else "" for one in rows]
    return marks, [f"{number}. {text}" for number, text in enumerate(texts, 1)]


def text_of(one: Entry, figure: str) -> str:
    """A figure as tables print it: `0.870 [0.848, 0.890]`; empty where there is none."""
    found = one.figures.get(figure)
    if found is None:
        return ""
    interval = "" if found.low is None or found.high is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.text}{interval}"


def _title(figure: str) -> str:
    return {"mcc": "MCC", "auroc": "AUROC", "auprc": "AUPRC", "f1": "F1"}.get(figure, figure.capitalize())


def _markdown(protocol: str, head: list[str], body: list[list[str]], notes: list[str]) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    under = [protocol, *(["", *notes] if notes else [])]
    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, body), "", *under]) + "\n"


def _latex(protocol: str, head: list[str], body: list[list[str]], notes: list[str]) -> str:
    def line(cells: list[str]) -> str:
        return "  " + " & ".join(map(_escaped, cells)) + r" \\"

    columns = "llll" + "r" * (len(head) - 7) + "lll"
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            rf"  \caption{{{_escaped(protocol)}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"  \toprule",
            line(head),
            r"  \midrule",
            *map(line, body),
            r"  \bottomrule",
            r"  \end{tabular}",
            *(rf"  \par\footnotesize {_escaped(note)}" for note in notes),
            r"\end{table}",
            "",
        ]
    )


def _escaped(text: str) -> str:
    """Text in which nothing is LaTeX."""
    table = {letter: f"\\{letter}" for letter in "&%$#_{}"}
    return text.translate(
        str.maketrans(table | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"})
    )
