"""Two profiles of one table → what changed, in words. Pure."""

from collections.abc import Iterator

from repro.lock import Column, Profile

_MOST = 12
_SHARE = 0.1
"""Of the distance between the old quartiles: quartiles that moved less are not told."""


def differences(was: Profile, now: Profile) -> tuple[str, ...]:
    """A sentence for each difference that a person would look for, at most a dozen; never empty."""
    found = [*_shape(was, now), *_columns(was, now)]
    if not found:
        return (f"{was.path}: rows, columns, nulls and ranges are the same; single values differ",)
    more = [f"{was.path}: and {len(found) - _MOST} more differences"] if len(found) > _MOST else []
    return (*(f"{was.path}: {text}" for text in found[:_MOST]), *more)


def _shape(was: Profile, now: Profile) -> Iterator[str]:
    old, new = [column.name for column in was.columns], [column.name for column in now.columns]
    gone, came = [name for name in old if name not in new], [name for name in new if name not in old]
    if gone:
        yield f"{_columns_named(gone)} gone"
    if came:
        yield f"{_columns_named(came)} new"
    if not gone and not came and old != new:
        yield "the columns are in another order"
    if was.rows != now.rows:
        yield f"{now.rows:,} rows, was {was.rows:,}"


def _columns_named(names: list[str]) -> str:
    return f"column {names[0]} is" if len(names) == 1 else f"columns {', '.join(names)} are"


def _columns(was: Profile, now: Profile) -> Iterator[str]:
    new = {column.name: column for column in now.columns}
    for old in was.columns:
        if old.name in new:
            for text in _column(old, new[old.name], was.rows, now.rows):
                yield f"column {old.name}: {text}"


def _column(was: Column, now: Column, rows_then: int, rows_now: int) -> Iterator[str]:
    if was.type != now.type:
        yield f"{now.type}, was {was.type}"
    then, today = _percent(was.nulls, rows_then), _percent(now.nulls, rows_now)
    if then != today:
        yield f"{today} nulls, was {then}"
    if was.quantiles and now.quantiles:
        yield from _range(was.quantiles, now.quantiles)
    elif was.distinct != now.distinct:
        yield f"{_distinct(now.distinct)} distinct values, was {_distinct(was.distinct)}"


def _range(was: tuple[float, ...], now: tuple[float, ...]) -> Iterator[str]:
    if (was[0], was[-1]) != (now[0], now[-1]):
        yield f"from {now[0]:g} to {now[-1]:g}, was {was[0]:g} to {was[-1]:g}"
    enough = _SHARE * (was[3] - was[1])
    if any(abs(now[index] - was[index]) > enough for index in (1, 2, 3)):
        yield f"quartiles {_quartiles(now)}, were {_quartiles(was)}"


def _quartiles(quantiles: tuple[float, ...]) -> str:
    return ", ".join(f"{one:g}" for one in quantiles[1:4])


def _distinct(count: int | None) -> str:
    return "many" if count is None else str(count)


def _percent(count: int, rows: int) -> str:
    """A share that shows even a few: `0 %`, `0.3 %`, `31 %`."""
    share = 100 * count / rows if rows else 0.0
    text = f"{share:.1f}" if share >= 1 else f"{share:.2g}"
    return f"{text.removesuffix('.0')} %"
