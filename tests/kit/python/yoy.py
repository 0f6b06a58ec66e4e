"""Growth of sales within a year, quarter by quarter, by category and country, computed from the raw export with Decimal,
against the answers of `elt run --json` and of a query over the star.

Arguments: the folder with AWSDynamoDB (a full export alone); a folder with the answers, 2022-Q1.json and so on, and with
sales.csv (year, quarter, category, country, lines, price; of every fact). Prints what was compared as JSON.
"""

import csv
import decimal
import json
import pathlib
import sys

import shop

CENT = decimal.Decimal("0.01")


def growth(groups, year, quarter):
    """(category, country) to (previous, current, change, percent, status), as the texts that JSON has."""

    def of(year):
        return {key[2:]: total for key, (_, total) in groups.items() if key[:2] == (year, quarter)}

    before, now = of(year - 1), of(year)
    rows = {}
    for group in {**before, **now}:
        previous, current = before.get(group), now.get(group)
        change = (current or 0) - (previous or 0)
        percent, status = None, "new" if previous is None else "ended"
        if None not in (previous, current):
            percent = (change * 100 / previous).quantize(CENT, decimal.ROUND_HALF_UP)
            status = "compared"
        rows[group] = (*(None if it is None else str(it) for it in (previous, current, change, percent)), status)
    return rows


def fixed(number):
    """With two decimals, exactly."""
    exact = number.quantize(CENT)
    shop.check(exact == number, f"{number} has more than cents")
    return exact


def main(source, answers):
    answers = pathlib.Path(answers)
    table = shop.replay(source)
    groups = {key: (count, fixed(total)) for key, (count, total) in shop.sales(table).items()}
    everything = fixed(sum(line["price"] for line, _ in table.lines().values()))

    with (answers / "sales.csv").open(newline="") as file:
        read = list(csv.reader(file))[1:]
    shop.check(sum(decimal.Decimal(row[-1]) for row in read) == everything, "facts are lost or doubled")
    number = lambda text: int(text) if text else None
    got = {(number(y), number(q), c, n or None): (int(k), decimal.Decimal(p)) for y, q, c, n, k, p in read}
    shop.check(len(got) == len(read), "a group comes twice")
    shop.same("sales of every quarter", got, groups)

    seen = {"compared": 0, "new": 0, "ended": 0, "unknown": 0}
    for path in sorted(answers.glob("*-Q*.json")):
        year, quarter = map(int, path.stem.split("-Q"))
        answer = json.loads(path.read_text())["answer"]
        about = [answer[name] for name in ("fact", "measure", "by", "period")]
        shop.check(about == ["sales", "price", ["category", "country"], "quarter"], f"{path}: {about}")
        rows = {}
        for row in answer["rows"]:
            shop.check((row["year"], row["number"]) == (year, quarter), f"{path}: {row}")
            shop.check(tuple(row["group"]) not in rows, f"{path}: {row['group']} comes twice")
            rows[tuple(row["group"])] = tuple(
                row[name] for name in ("previous", "current", "change", "growth_percent", "status")
            )
            seen[row["status"]] += 1
            seen["unknown"] += row["group"][1] is None
        shop.same(path.name, rows, growth(groups, year, quarter))
    lost = sum(count for key, (count, _) in groups.items() if key[3] is None)
    orphans = sum(count for key, (count, _) in groups.items() if key[0] is None)
    print(json.dumps(seen | {"lines": len(table.lines()), "without_country": lost, "without_order": orphans}))


if __name__ == "__main__":
    main(*sys.argv[1:])
