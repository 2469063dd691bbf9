"""Draws `docs/results.md` from the rows kept in `data/results`. No figure is written there by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dnalm.evaluation import published
from dnalm.evaluation.results import under_table
from dnalm.evaluation.results.cells import NOT_RUN, TITLES, Document, interval, signed, table
from dnalm.evaluation.results.models import is_network, measured_before, title_of
from dnalm.evaluation.results.published_tables import published_alone, published_rows
from dnalm.evaluation.results.services import render_services
from dnalm.evaluation.results.tasks import TASKS, Row, Task, rows

EARLIER = "†"
"""Marks a figure of dnalm's heads as they were before they last changed."""
GIVEN_BITS = ("GeCo3, a compressor for DNA", 1.878, "given, not measured here")

_HEAD = """# Results

What dnalm's models reach, beside plain baselines on the same sequences and beside what others published. This page is
written by `make results` from `data/results/`; `dnalm bench report --from data/results -o docs` draws it again, and
`dnalm bench run all --to-do` says what is still to be measured. No figure is entered by hand.

- Brackets are 95 % intervals from 1,000 resamples of the test sequences. On grouped folds and on the test split whole
  groups of sequences that share a 20-mer are drawn; on random folds single sequences. With few labels the draws of
  labels are resampled too. Over several seeds the figure is the mean of the seeds' figures. Where one group holds much
  of a set (4,735 of the 8,000 transcripts, 2,469 of the 6,948 enhancers, 1,758 of the 9,034 human promoters), resamples
  are with it or without it, and on grouped folds an interval may lie to one side of its figure. Of a row without an
  error the interval is [1, 1]; of n sequences up to 3 in n may still be wrong.
- **Grouped** folds keep sequences that share a 20-mer on either strand on one side (of 16S reads those of one gene,
  which may still equal a read of another gene: the tables say how many do). **Random** folds are how most figures were
  published; there remembering neighbours pays, so the two are never ranked together.
- *difference*: the paired difference in MCC to the baseline that the table names, on the same folds and draws; below
  it, each seed's own. An interval above 0 says better.
- *seconds*: of one fit with its predictions, inner folds included, while other work ran on the machine: an upper bound.
- `START+HEAD` is dnalm's classifier: the language model that it starts from (`random`: an encoder without
  pre-training), and its head. `wide` is fitted once on all training sequences; `aligned`, the other part of the
  `ensemble`, is trained as `dnalm train` trains, with two of four inner folds of the training sequences in turn as
  validation (on more than 4,000 sequences: one), and averaged.
"""


def render(documents: Mapping[str, Document], services: Iterable[Document] = ()) -> str:
    """The page, from each task's rows as kept: the same for everyone, whatever models and data they have.

    Args:
        documents: the tasks' rows, by the task's name.
        services: what was measured of the lab's services.
    """
    parts = [_HEAD]
    for task in TASKS.values():
        document = documents[task.name]
        body = {"bits": _bits, "curve": _curve, "few": _few}.get(task.kind, _classifiers)
        intro = [f"## {task.title}", *([task.note] if task.note else [])]
        told = body(task, document)
        if EARLIER in "".join(told):
            told.append(f"{EARLIER} measured with the heads as they were before they last changed; not yet run again.")
        parts += [*intro, *told]
    parts += published_alone(tuple(task.published for task in TASKS.values()))
    parts += render_services(services)
    parts += ["## What this was measured on", *_provenance(documents)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _expected(task: Task, document: Document) -> list[Row]:
    """Rows that the table shall have, then others that were kept."""
    measured = [Row(row["model"], row["split"], row["labels"]) for row in document["rows"]]
    return list(dict.fromkeys([*rows(task, {}), *measured]))


def _kept(document: Document) -> dict[Row, Document]:
    return {Row(row["model"], row["split"], row["labels"]): row for row in document["rows"]}


def _bits(task: Task, document: Document) -> list[str]:
    kept = _kept(document)
    body = []
    for row in _expected(task, document):
        found = kept.get(row)
        if found is None:
            body.append([_language_name(row.model), NOT_RUN, "", ""])
            continue
        figure = found["figures"]["bits_per_base"]
        cells = f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
        body.append([_language_name(row.model), cells, f"{found['seconds']:.0f}", _trained(found["facts"])])
    name, bits, note = GIVEN_BITS
    body.append([name, f"{bits:.3f}", "", note])
    relatives = (
        "Where a model's genomes hold relatives of E. coli K-12, its text holds close copies of much of the held-out "
        "stretch, which flatters it here."
    )
    return [
        table(("model", "bits per base", "seconds", "trained on"), body),
        relatives,
        under_table.aims(task, document),
    ]


def _language_name(model: str) -> str:
    kind, _, order = model.partition("-")
    names = {"markov": f"Markov, order {order}", "mixture": f"Markov, all orders up to {order} blended"}
    return names[kind] if kind in names and order.isdigit() else f"**{model}**"


def _trained(facts: Document) -> str:
    if not facts:
        return "the first 90 %, counted"
    genomes = ", ".join(facts.get("genomes") or []) or "not stated"
    seconds = facts.get("seconds")
    time = f"; {seconds / 60:.0f} minutes, {facts.get('threads')} thread(s)" if seconds else ""
    size = f"; {facts['hidden']} hidden, {facts['k']}-mers at stride {facts['stride']}" if facts.get("hidden") else ""
    return genomes + size + time


def _classifiers(task: Task, document: Document) -> list[str]:
    parts: list[str] = []
    kept = _kept(document)
    names = {"grouped": "Grouped 5-fold", "random": "Random 5-fold, as published", "test": ""}
    columns = (
        "model",
        *(TITLES[name] for name in task.figures),
        "seeds",
        f"difference to {title_of(task.reference or '')}",
        "seconds",
    )
    for split in task.splits:
        if names.get(split):
            parts.append(f"### {names[split]}")
        expected = [row for row in _expected(task, document) if row.split == split]
        parts += [table(columns, (_classifier_row(task, row, kept.get(row)) for row in expected))]
        parts.append(under_table.leak(expected, kept))
        parts.append(under_table.chain(expected, kept))
        parts.append(under_table.aims(task, document, split))
        parts.append(under_table.pre_training(expected, kept))
        parts.append(under_table.together(task, expected, kept))
        if task.published and split in ("random", "test"):
            parts.append(published_rows(task.published))
    parts.append(_texts(document))
    return [part for part in parts if part]


def _classifier_row(task: Task, row: Row, found: Document | None) -> list[str]:
    name = f"**{row.model}**" if is_network(row.model) else title_of(row.model)
    if found is None:
        return [name, NOT_RUN, "", "", "", "", ""]
    figures = found["figures"]
    wanted = len(task.seeds)
    seeds = f"{len(found['seeds'])}" + (f" of {wanted}" if len(found["seeds"]) < wanted else "")
    return [
        name + _mark(found),
        *(interval(figures[figure]) for figure in task.figures),
        seeds,
        _difference(found),
        f"{found['seconds']:.0f}" if found["seconds"] >= 1 else "<1",
    ]


def _mark(found: Document) -> str:
    """Says that a network's figures come from an earlier way of fitting it."""
    return EARLIER if measured_before(found["model"], found["fingerprint"]) else ""


def _difference(found: Document) -> str:
    told = found.get("difference")
    if not told:
        return "–"
    each = ", ".join(signed(value) for value in told["by_seed"].values())
    return f"{interval(told['figures']['mcc'])}<br>{each}"


def _texts(document: Document) -> str:
    """What each language model's text held of the dataset."""
    said = {}
    for row in document["rows"]:
        if row.get("text"):
            said[row["model"].partition("+")[0]] = row["text"]
    lines = []
    for name, text in said.items():
        cut = (text["facts"] or {}).get("exclude_matches")
        if text["shared"] is None:
            lines.append(f"- {name}: not known, since its bundle does not name its text or that is not at hand.")
            continue
        lines.append(
            f"- {name}: its pre-training text holds a 20-mer of {text['shared']:,} of the {text['of']:,} sequences"
            + (f" (matches with {cut} were cut out of it)." if cut else " (without their labels; nothing was cut).")
        )
    if not lines:
        return ""
    return "Whether pre-training saw the unlabelled sequences of this set:\n\n" + "\n".join(lines)


def _few(task: Task, document: Document) -> list[str]:
    kept = _kept(document)
    expected = _expected(task, document)
    models = list(dict.fromkeys(row.model for row in expected))
    told = published.load().tasks[task.published].rows if task.published else ()
    ancestor = {row.labels: row.figures for row in told}
    parts = []
    for figure in ("accuracy", "mcc"):
        head = ("labels", *map(title_of, models), *(["published"] if told else []))
        body = []
        for size in dict.fromkeys(row.labels for row in expected):
            cells = [f"{size:,}"]
            for model in models:
                found = kept.get(Row(model, expected[0].split, size))
                cells.append(_few_cell(found, figure, len(task.seeds)))
            if told:
                cells.append(signed(ancestor.get(size, {}).get(figure)))
            body.append(cells)
        parts += [f"### {'MCC' if figure == 'mcc' else 'Accuracy'}", table(head, body)]
    parts.append(
        f"Below each figure of dnalm's, its paired difference to the {title_of(task.reference or '')} on the same "
        "draws. Labels used for validation are among those counted."
    )
    if told:
        parts.append(f"Published: {told[0].model}. {published.load().tasks[task.published or ''].protocol.strip()}")
    return parts


def _few_cell(found: Document | None, figure: str, wanted: int) -> str:
    if found is None:
        return NOT_RUN
    cell = interval(found["figures"][figure]) + _mark(found)
    if len(found["seeds"]) < wanted:
        cell += f" ({len(found['seeds'])} of {wanted} draws)"
    if found.get("difference"):
        cell += f"<br>{interval(found['difference']['figures'][figure])}"
    return cell


def _curve(task: Task, document: Document) -> list[str]:
    kept = _kept(document)
    body = []
    for row in _expected(task, document):
        found = kept.get(row)
        name = row.model.partition("+")[0]
        if found is None or "bits_per_base" not in found:
            body.append([name, NOT_RUN, ""])
        else:
            body.append([name, interval(found["bits_per_base"]), interval(found["figures"]["mcc"]) + _mark(found)])
    picture = (
        "![MCC of the promoter classifier against bits per base of its language model](images/mcc-vs-bits.png)"
        if any("bits_per_base" in row for row in document["rows"])
        else ""
    )
    text = (
        "Language models and snapshots of their training, each with the `wide` head on the grouped folds (seed 0) of "
        "the E. coli sigma-70 set. Bits per base: last 10 % of E. coli K-12. `--snapshots DIR` adds points: "
        "those here, `ecoli-1-minute` and `ecoli-4-minutes`, are `dnalm pretrain ecoli-k12 --minutes 1 --threads 1` "
        "and the 4-mers at stride 3 of [the model](model.md)'s table, on one core."
    )
    return [text, *([picture] if picture else []), table(("language model", "bits per base", "MCC"), body)]


def _provenance(documents: Mapping[str, Document]) -> list[str]:
    body = []
    for name, document in documents.items():
        found = document["rows"]
        if not found:
            continue
        data = sorted({row["data"]["sha256"][:12] for row in found if "data" in row})
        commits = sorted({str(row["versions"].get("commit", ""))[:9] for row in found})
        machines = sorted({machine for row in found for machine in row["machines"]})
        hours = sum(row["seconds"] * row["fits"] for row in found) / 3600
        last = max(row["finished"] for row in found)[:10]
        body.append([name, ", ".join(data) or "–", "; ".join(machines), f"{hours:.2f}", ", ".join(commits), last])
    if not body:
        return ["Nothing was measured yet."]
    return [
        table(("task", "data (sha256)", "machine", "hours of fitting", "commits", "last"), body),
        "Each row's configuration, weights' checksum, seeds and checksum of its predictions stand in `data/results/`.",
    ]
