"""Two more windows by hand after those of `elt sample`, with what the sample has not: members that come back, orders of
customers and addresses that no one knows, lines without an order, a write that comes late, a removal of nothing.

Argument: the folder with AWSDynamoDB, which must hold a removed customer and one with a changed name.
"""

import base64
import gzip
import hashlib
import json
import pathlib
import sys

import shop
import star

DAY = 86_400_000_000


def text(moment):
    return shop.moment(moment).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Window:
    def __init__(self, start):
        self.start, self.records = start, []

    def write(self, second, keys, image=None, late=0):
        """A change in that second of the window, or so long before it."""
        record = {
            "Metadata": {"WriteTimestampMicros": {"N": str(self.start + second * 1_000_000 + 1 - late)}},
            "Keys": dict(zip(("PK", "SK"), ({"S": key} for key in keys))),
        }
        if image is not None:
            record["NewImage"] = record["Keys"] | image
        self.records.append(record)

    def customer(self, second, username, fullname, late=0, **addresses):
        key = f"CUST#{username}"
        image = {"type": {"S": "customer"}, "username": {"S": username}, "email": {"S": f"{username}@example.net"}}
        image |= {"fullname": {"S": fullname}}
        if addresses:
            image["address"] = {
                "M": {
                    name: {"M": {part: {"S": value} for part, value in parts.items()}} for name, parts in addresses.items()
                }
            }
        self.write(second, (key, key), image, late)

    def order(self, second, username, orderid, orderdate, shipto, prices):
        image = {"type": {"S": "order"}, "orderid": {"S": orderid}, "orderdate": {"S": orderdate}}
        image |= {"numberofitems": {"N": str(len(prices))}}
        if shipto is not None:
            image["shipto"] = {"S": shipto}
        self.write(second, (f"CUST#{username}", f"ORD#{orderid}"), image)
        for productid, price in prices.items():
            self.line(second, orderid, productid, price)

    def line(self, second, orderid, productid, price):
        image = {"type": {"S": "product"}, "orderid": {"S": orderid}, "productid": {"S": productid}}
        image |= {"category": {"S": "Curiosities"}, "productname": {"S": f"Zażółć „gęślą” 🦆\u2028{second}"}}
        image |= {"price": {"N": price}}
        self.write(second, (f"ORD#{orderid}", f"PROD#{productid}"), image)

    def save(self, root):
        """As DynamoDB lays an export out, in two files."""
        end = self.start + DAY
        name = f"{end // 1000:014}-0badcafe"
        folder = root / "AWSDynamoDB" / name
        folder.mkdir()
        (folder / "_started").touch()
        md5 = lambda raw: base64.b64encode(hashlib.md5(raw).digest()).decode()
        files = b""
        for part in range(2):
            records = self.records[part::2]
            raw = gzip.compress("".join(json.dumps(it, ensure_ascii=False) + "\n" for it in records).encode(), mtime=0)
            path = f"AWSDynamoDB/data/{name[:14]}part{part}aaaaaaaa.json.gz"
            (root / path).write_bytes(raw)
            entry = {"itemCount": len(records), "md5Checksum": md5(raw), "etag": "0-1", "dataFileS3Key": path}
            files += json.dumps(entry).encode() + b"\n"
        summaries = sorted((root / "AWSDynamoDB").glob("*/manifest-summary.json"))
        like = json.loads(next(it for it in summaries if "INCREMENTAL" in it.read_text()).read_text())
        summary = like | {
            "endTime": text(end),
            "startTime": text(end),
            "exportArn": like["exportArn"].rsplit("/", 1)[0] + f"/{name}",
            "exportFromTime": text(self.start),
            "exportToTime": text(end),
            "itemCount": len(self.records),
            "manifestFilesS3Key": f"AWSDynamoDB/{name}/manifest-files.json",
        }
        for name, raw in (("summary", json.dumps(summary).encode()), ("files", files)):
            (folder / f"manifest-{name}.json").write_bytes(raw)
            (folder / f"manifest-{name}.md5").write_text(md5(raw))


def main(source):
    root = pathlib.Path(source)
    start = shop.micros(shop.exports(source)[-1][0]["exportToTime"])
    known = star.Star()
    table = shop.replay(source, known.load)
    gone = next(name for name, it in known.customers.items() if it["deleted"])
    renamed = next(name for name, it in known.customers.items() if len(it["versions"]) > 1 and not it["deleted"])
    quiet = next(name for name, it in known.customers.items() if len(it["versions"]) == 1 and not it["deleted"])
    home = {"street": "Rue de l'Été 1", "city": "Lyon", "state": "", "postcode": "69001", "country": "FR"}
    product = next(iter(known.products))

    first = Window(start)
    # Back, with another name and another home; the other addresses stay removed.
    first.customer(1, gone, "Back Again", home=home)
    # Of the version of that day, not of the first.
    first.order(2, renamed, "by-hand-1", text(start), "home", {"X-1": "99999999.99", "X-2": "0.01"})
    # A customer and an address that are told of later, and ones that never are.
    first.order(3, "late.comer", "by-hand-2", text(start - 700 * DAY), "home", {"X-1": "10"})
    first.order(4, "never.comer", "by-hand-3", text(start - 1000 * DAY), "elsewhere", {"X-1": "-3.5", "X-3": "1e2"})
    first.order(5, "never.comer", "by-hand-4", text(start), None, {"X-1": "0"})
    first.line(6, "no-such-order", "X-1", "7.77")
    # Written before what the table already holds.
    first.customer(7, quiet, "Too Late", late=9 * DAY)
    first.write(8, ("CUST#nobody", "CUST#nobody"))
    # All lines of a product go: the product is kept, as removed.
    for orderid, productid in table.lines():
        if productid == product:
            first.write(9, (f"ORD#{orderid}", f"PROD#{productid}"))
    first.save(root)

    second = Window(start + DAY)
    # Twice renamed; the order of the day before stays with the version before.
    second.customer(1, renamed, "Once More", home=home)
    second.order(2, renamed, "by-hand-5", text(start + DAY * 2), "work", {"X-2": "12345678.9"})
    # What was inferred becomes known, without a version of its own.
    second.customer(3, "late.comer", "Late Comer", home=home)
    second.customer(4, gone, "Back Again")
    # The only line of a product goes, its order too.
    second.write(5, ("ORD#by-hand-3", "PROD#X-3"))
    second.write(6, ("CUST#never.comer", "ORD#by-hand-4"))
    second.save(root)


if __name__ == "__main__":
    main(*sys.argv[1:])
