"""Ranks on cores beside GPUs, a row a problem, with who is ahead where in notes; and the times by a GPU's own clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from results.comparison import gpu
from results.comparison.gpu import CORES, GPU, GpuRow
from results.estimates import Estimate
from results.formats import NONE, estimate, number, plural, slug
from results.records.marks import GPU_BESIDE, HELD_BACK, MARKS, SHARED_GPU
from results.records.point import RecordedPoint
from results.records.price import HourlyPrice, price_of
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Column, Table, build, estimated, hidden, numeric, plain
from results.tables import columns
from workload.record.schema import DEVICE_PARTS

TITLE = "GPU beside MPI"
OF_GPUS = (SHARED_GPU, GPU_BESIDE, HELD_BACK)
HOST, THERE = "With the data on the host", "With the data on the GPU"
RATIOS: tuple[tuple[str, Callable[[GpuRow], Estimate | None]], ...] = (
    (HOST, lambda row: row.ratio),
    (THERE, lambda row: row.resident_ratio),
)
SECONDS_AN_HOUR = 3600.0


def tables(sweep: RecordedSweep) -> list[Table]:
    """One table, or none where no run was on a GPU."""
    found = gpu.rows(sweep)
    if not found:
        return []
    price = price_of(sweep)
    notes = [*_about(), *_money(price), *_noise(found), *_missing(found), *answers(sweep)]
    return [build(TITLE, _columns(sweep, found, price), found, name="gpu", notes=notes)]


def answers(sweep: RecordedSweep) -> list[str]:
    """The lines among the table's notes that answer: who is ahead where, and where that changes."""
    found = gpu.rows(sweep)
    return [*_ahead(found), *_crossings(found)]


def _columns(sweep: RecordedSweep, found: Sequence[GpuRow], price: HourlyPrice | None) -> list[Column[GpuRow]]:
    points = [row.tried for row in found]
    paid = price is not None and price.amount_per_hour > 0.0
    return [
        *columns.shapes(points, _tried, input_shape="Input shape", kernel_size="Kernel", output_shape="Output shape"),
        numeric("Operations a byte", "operations_per_byte", lambda row: row.operations_per_byte, 3),
        estimated("Images/s on cores", "cores_images_per_s", lambda row: _rate(row.cores), digits=3),
        estimated("With a GPU", "gpu_images_per_s", lambda row: _rate(row.gpu), digits=3),
        estimated("Times the cores", "gpu_ratio", lambda row: row.ratio, digits=3),
        estimated("Times the cores, data there", "resident_ratio", lambda row: row.resident_ratio, digits=3),
        plain("Fastest on cores", "cores", lambda row: _who(row.cores)),
        plain("Fastest with a GPU", "gpu", lambda row: _who(row.gpu)),
        estimated("Forward time with it (s)", "gpu_forward", lambda row: _time(row.gpu), digits=3, unit="_s"),
        estimated("Kernel alone (s)", "kernel", lambda row: row.resident_time, digits=3, unit="_s"),
        *(_per_money(sweep, price) if price is not None and paid else []),
        plain("Marks", "marks", lambda row: ", ".join(_marks(row)) or NONE),
        hidden(
            "run_ids", lambda row: " ".join(dict.fromkeys(name for point in _points(row) for name in point.run_ids))
        ),
    ]


def _per_money(sweep: RecordedSweep, price: HourlyPrice) -> list[Column[GpuRow]]:
    """Images for one unit of the currency, of the nodes that worked."""
    listed = sweep.inventory.get("nodes")
    nodes = len(listed) if isinstance(listed, list) and listed else 1

    def images(of: Callable[[GpuRow], RecordedPoint | None], row: GpuRow) -> Estimate | None:
        point, rate = of(row), _rate(of(row))
        if point is None or rate is None:
            return None
        return rate.scaled(SECONDS_AN_HOUR / (price.amount_per_hour * point.run.nodes / nodes))

    return [
        estimated(f"Images/{price.currency}, cores", "cores_images_per_money", partial(images, _cores), digits=3),
        estimated(f"Images/{price.currency}, GPU", "gpu_images_per_money", partial(images, _gpu), digits=3),
    ]


def _about() -> Iterator[str]:
    yield (
        "Of each problem the fastest point on cores and the fastest with a GPU, by forward time: from x in place on "
        "the host to y in place there, each answer checked alike. What streams has no such time, and is left out."
    )
    yield (
        "Kernel alone: by the GPU's own clock, as if x were on the GPU already and y could stay; the shortest of the "
        "points with a GPU. The cores' time stays that of data on the host. Operations a byte: of x and y."
    )


def _ahead(found: Sequence[GpuRow]) -> Iterator[str]:
    for words, of in RATIOS:
        for leader in (GPU, CORES):
            if told := _led(leader, found, of):
                yield f"{words} {told}."
        if open_ := [row.name for row in found if of(row) is not None and not gpu.leader(of(row))]:
            yield f"{words} no difference can be claimed at {'; '.join(open_)}."


def _led(leader: str, found: Sequence[GpuRow], of: Callable[[GpuRow], Estimate | None]) -> str:
    """By how much it is ahead, and where; empty where it is nowhere."""
    told = []
    for row in found:
        ratio = of(row)
        if ratio is not None and gpu.leader(ratio) == leader:
            told.append(f"{estimate(ratio if leader == GPU else ratio.inverse(1.0), 3)} times as fast at {row.name}")
    other = CORES if leader == GPU else GPU
    return f"{_are(leader)} ahead of {other}: {'; '.join(told)}" if told else ""


def _crossings(found: Sequence[GpuRow]) -> Iterator[str]:
    """Between which problems the lead changes, by operations a byte."""
    for words, of in RATIOS:
        led = {gpu.leader(of(row)) for row in found} - {""}
        changes = list(gpu.crossings(found, of))
        if len(led) == 1 and len(found) > 1:
            yield f"{words} there is no crossing: wherever a difference can be claimed, {_are(led.pop())} ahead."
        if len(changes) > 1:
            yield f"{words} operations a byte alone do not decide: the lead changes {len(changes)} times along them."
        for low, high in changes:
            yield (
                f"{words} the crossing lies between {_place(low)}, where {_are(gpu.leader(of(low)))} ahead, and "
                f"{_place(high)}, where {_are(gpu.leader(of(high)))}."
            )


def _are(leader: str) -> str:
    return f"{leader} {'is' if leader == GPU else 'are'}"


def _place(row: GpuRow) -> str:
    return f"{number(row.operations_per_byte, 3)} operations a byte ({row.name})"


def _money(price: HourlyPrice | None) -> Iterator[str]:
    if price is None:
        yield "What a dollar buys is not known: the inventory has no price."
    elif price.amount_per_hour > 0.0:
        yield (
            f"Images/{price.currency}: at {number(price.amount_per_hour, 3)} {price.currency} an hour for the whole "
            "cluster, GPUs included, by the nodes that worked. Machines with the same cores and no GPU cost less; what "
            "they do for the money is another sweep, and 'fab report' of both says which to buy."
        )


def _noise(found: Sequence[GpuRow]) -> Iterator[str]:
    present = {mark for row in found for mark in _marks(row)}
    yield from (f"Points marked {mark}: {MARKS[mark]}." for mark in OF_GPUS if mark in present)


def _missing(found: Sequence[GpuRow]) -> Iterator[str]:
    for row in found:
        if row.gpu is None:
            yield f"{row.name}: no time with a GPU: {row.tried.why_no_speedup}."
        elif row.cores is None:
            yield f"{row.name}: no time on cores: nothing to compare with was measured in this sweep."


def _marks(row: GpuRow) -> list[str]:
    on = frozenset[str]().union(*(point.marks for point in (row.gpu, row.resident) if point is not None))
    return [mark for mark in OF_GPUS if mark in on]


def _points(row: GpuRow) -> Iterator[RecordedPoint]:
    yield from (point for point in (row.cores, row.gpu, row.resident) if point is not None)


def _tried(row: GpuRow) -> RecordedPoint:
    return row.tried


def _cores(row: GpuRow) -> RecordedPoint | None:
    return row.cores


def _gpu(row: GpuRow) -> RecordedPoint | None:
    return row.gpu


def _who(point: RecordedPoint | None) -> str:
    return NONE if point is None else f"{point.variant.full_label}, {plural(point.run.ranks, 'rank')}"


def _time(point: RecordedPoint | None) -> Estimate | None:
    return None if point is None else point.time()


def _rate(point: RecordedPoint | None) -> Estimate | None:
    time = _time(point)
    return None if point is None or time is None else time.inverse(point.work.amount)


def of_series(series: RecordedSeries) -> list[Table]:
    """What the GPU was busy with, point by point; none for a series without GPUs."""
    points = [point for point in series.points if gpu.kernel_time(point) is not None]
    if not points:
        return []
    found: list[Column[RecordedPoint]] = [
        *columns.place(points, columns.itself, detailed=True),
        estimated("Forward time (s)", "forward", lambda point: point.time(), unit="_s"),
        *(_part(part) for part in DEVICE_PARTS),
        columns.run_ids(columns.itself),
    ]
    notes = [
        "Seconds by the GPU's own clock, of the rank that took longest, in the median of repeats and launches: at "
        "least one piece was on its way in, being convolved, on its way back; and from the first to the last. In "
        "pieces they overlap. The forward time is the host's."
    ]
    name = slug("device", series.name)
    return [build(f"By the GPU's clock: {series.name}", found, points, name=name, notes=notes)]


def _part(part: str) -> Column[RecordedPoint]:
    headers = {"distribute": "In (s)", "convolve": "Kernel (s)", "collect": "Back (s)", "total": "All (s)"}
    return numeric(headers[part], f"device_{part}_s", lambda point: gpu.part_time_s(point, part))
