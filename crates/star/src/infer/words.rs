//! What names of attributes say: the only place where words of the trade stand.

use super::shape::Slot;

/// The words of a name in lower case: `orderDate`, `order_date`, `OrderDate` are `order` `date`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for character in name.chars() {
        if !character.is_alphanumeric() {
            before = ' ';
            continue;
        }
        let begins = before == ' ' || character.is_uppercase() && before.is_lowercase();
        let lower = character.to_ascii_lowercase();
        match words.last_mut() {
            Some(word) if !begins => word.push(lower),
            _ => words.push(lower.into()),
        }
        before = character;
    }
    words
}

/// The name in lower case without separators.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What an attribute of that name is in the shape of an item, if nobody says.
pub(super) fn slot(name: &str) -> Option<(Slot, u8)> {
    if name.len() > 32 {
        return None;
    }
    let plain = plain(name);
    let at = |names: &[&str]| names.iter().position(|have| *have == plain);
    if let Some(rank) = at(&["pk", "partitionkey", "hashkey", "hk"]) {
        return Some((Slot::Partition, rank as u8));
    }
    if let Some(rank) = at(&["sk", "sortkey", "rangekey", "rk"]) {
        return Some((Slot::Sort, rank as u8));
    }
    let key_of_index = |plain: &str| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let numbered = ["pk", "sk"].iter().any(|key| {
            plain.strip_prefix(key).is_some_and(digits)
                || plain.strip_suffix(key).is_some_and(|rest| {
                    rest.strip_prefix("gs").or_else(|| rest.strip_prefix("ls")).is_some_and(digits)
                })
        });
        plain.starts_with("gsi") || plain.starts_with("lsi") || numbered
    };
    if key_of_index(&plain) {
        return Some((Slot::Index, 0));
    }
    let exact = at(&[
        "type",
        "entity",
        "entitytype",
        "typename",
        "et",
        "edbe",
        "kind",
        "itemtype",
        "recordtype",
        "doctype",
        "objecttype",
        "entityname",
        "rowtype",
    ]);
    let whole = (name.starts_with('_') && plain == "t").then_some(15);
    let rest = ["type", "kind", "entity"].iter().any(|end| plain.ends_with(end)).then_some(16);
    let rank = exact.or(whole).or(rest)? as u8;
    Some((Slot::Kind(rank), rank))
}

/// Whether a name is that of something that identifies.
pub(super) fn is_id(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last() else { return false };
    let plain = plain(name);
    let whole = [
        "id", "key", "code", "number", "no", "nr", "sku", "isbn", "uuid", "guid", "email",
        "username", "login", "handle", "slug", "ssn", "mrn", "vin", "iban", "ref", "asin", "ean",
        "upc", "barcode", "tracking",
    ];
    whole.contains(&last.as_str())
        // All in lower case: `orderid`, but not `paid` or `valid`.
        || ["id", "uuid", "guid", "code", "sku"].iter().any(|end| {
            plain.strip_suffix(end).is_some_and(|stem| stem.len() >= 3 && !NO_IDS.contains(&plain.as_str()))
        })
}

/// End like ids and are none.
const NO_IDS: &[&str] = &[
    "paid", "prepaid", "unpaid", "valid", "invalid", "avoid", "void", "grid", "hybrid", "liquid",
    "solid", "fluid", "rapid", "bid", "covid", "android", "said", "laid", "kid", "acid",
];

/// The thing that an id is of: `order` of `orderid`, `order_id`, `orderId`; empty for `id`.
pub(super) fn thing(name: &str) -> String {
    let words = words(name);
    let ends =
        ["uuid", "guid", "id", "key", "code", "number", "no", "nr", "ref", "sku", "email", "slug"];
    match words.split_last() {
        Some((last, before)) if ends.contains(&last.as_str()) => before.join("_"),
        Some((last, before)) => {
            let stem = ends.iter().find_map(|end| last.strip_suffix(end).filter(|s| s.len() >= 3));
            let mut all = before.to_vec();
            all.push(stem.unwrap_or(last).to_owned());
            all.join("_")
        }
        None => String::new(),
    }
}

/// How a name speaks of time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Time {
    /// When something happened: `orderdate`.
    Event,
    /// When the item was written, or how long it is good: `created_at`, `expires`.
    Audit,
}

/// What a name says of time.
pub(super) fn time(name: &str) -> Option<Time> {
    let plain = plain(name);
    let words = words(name);
    let audit = [
        "created",
        "create",
        "creation",
        "updated",
        "update",
        "modified",
        "changed",
        "deleted",
        "inserted",
        "ingested",
        "expires",
        "expire",
        "expiry",
        "expiration",
        "ttl",
        "lastmodified",
        "joined",
        "registered",
        "signup",
        "birth",
        "dob",
        "lastlogin",
        "lastseen",
        "verified",
        "since",
        "validfrom",
        "validto",
        "validuntil",
    ];
    if audit.iter().any(|word| plain.starts_with(word) || words.iter().any(|have| have == word)) {
        return Some(Time::Audit);
    }
    let last = words.last().map(String::as_str).unwrap_or_default();
    let ends = [
        "at",
        "date",
        "time",
        "timestamp",
        "ts",
        "on",
        "day",
        "moment",
        "when",
        "datetime",
        "start",
        "end",
        "from",
        "to",
        "until",
        "due",
    ];
    let stuck = ["date", "time", "timestamp", "day", "datetime"];
    (ends.contains(&last) || stuck.iter().any(|end| plain.ends_with(end))).then_some(Time::Event)
}

/// Whether a number of that name is not to be summed.
pub(super) fn is_no_measure(name: &str) -> bool {
    let words = words(name);
    let plain = plain(name);
    let no = [
        "year",
        "month",
        "week",
        "quarter",
        "zip",
        "postcode",
        "postal",
        "version",
        "lat",
        "lon",
        "lng",
        "latitude",
        "longitude",
        "age",
        "rank",
        "position",
        "index",
        "sequence",
        "seq",
        "order",
        "floor",
        "room",
        "phone",
        "ttl",
        "line",
        "track",
        "disc",
        "schema",
        "rev",
        "revision",
        "percent",
        "pct",
    ];
    words.last().is_some_and(|last| no.contains(&last.as_str()))
        || ["year", "version", "latitude", "longitude"].iter().any(|end| plain.ends_with(end))
}

/// Whether a number of that name is money or an amount sold.
pub(super) fn is_money(name: &str) -> bool {
    let plain = plain(name);
    ["price", "amount", "total", "revenue", "cost", "fee", "charge"]
        .iter()
        .any(|word| plain.contains(word))
}

/// Whether things of these names are sold.
pub(super) fn is_sale(name: &str) -> bool {
    ["order", "sale", "purchase", "invoice", "cart", "checkout"]
        .contains(&singular(&plain(name)).as_str())
}

/// Whether an attribute of that name describes a thing rather than an event.
pub(super) fn is_description(name: &str) -> bool {
    let words = words(name);
    let plain = plain(name);
    let whole = [
        "name",
        "title",
        "email",
        "fullname",
        "firstname",
        "lastname",
        "surname",
        "phone",
        "description",
        "bio",
        "label",
        "username",
        "dob",
    ];
    words.last().is_some_and(|last| whole.contains(&last.as_str()))
        || ["name", "title"].iter().any(|end| plain.ends_with(end))
}

/// Whether a description of that name only ever is corrected, so that its history tells nothing.
pub(super) fn is_contact(name: &str) -> bool {
    let plain = plain(name);
    [
        "email",
        "phone",
        "mobile",
        "fax",
        "url",
        "uri",
        "link",
        "image",
        "avatar",
        "photo",
        "picture",
        "website",
        "password",
        "hash",
        "token",
        "bio",
        "description",
        "notes",
        "comment",
        "cover",
    ]
    .iter()
    .any(|word| plain.contains(word))
}

/// Whether the tag of a key is short for a word: `CUST` for `customer`.
pub(super) fn abbreviates(tag: &str, word: &str) -> bool {
    let (tag, word) = (plain(tag), plain(word));
    tag.len() >= 2 && !word.is_empty() && (word.starts_with(&tag) || singular(&tag) == word)
}

/// What a short tag stands for, if it is one that everybody uses.
pub(super) fn spell_out(tag: &str) -> String {
    let known = [
        ("acc", "account"),
        ("acct", "account"),
        ("addr", "address"),
        ("appt", "appointment"),
        ("cat", "category"),
        ("cust", "customer"),
        ("dept", "department"),
        ("doc", "document"),
        ("emp", "employee"),
        ("evt", "event"),
        ("inv", "invoice"),
        ("loc", "location"),
        ("msg", "message"),
        ("ord", "order"),
        ("org", "organization"),
        ("pay", "payment"),
        ("prod", "product"),
        ("proj", "project"),
        ("sess", "session"),
        ("sub", "subscription"),
        ("txn", "transaction"),
        ("usr", "user"),
    ];
    known.iter().find(|(short, _)| *short == tag).map_or(tag, |(_, long)| *long).to_owned()
}

/// Whether a sort key of that one word marks the main item of its partition.
pub(super) fn is_main(word: &str) -> bool {
    let words = [
        "profile", "meta", "metadata", "info", "details", "detail", "data", "main", "root", "self",
        "item", "record", "header", "base",
    ];
    words.contains(&word)
}

/// One of what a name is the plural of: `addresses` → `address`, `lines` → `line`.
pub(super) fn singular(name: &str) -> String {
    let cut = |bytes: usize, end: &str| {
        format!("{}{end}", name.get(..name.len() - bytes).unwrap_or_default())
    };
    if name.ends_with("ies") && name.len() > 4 {
        cut(3, "y")
    } else if ["sses", "shes", "ches", "xes", "zes"].iter().any(|end| name.ends_with(end)) {
        cut(2, "")
    } else if name.ends_with('s')
        && name.len() > 3
        && !["ss", "us", "is"].iter().any(|end| name.ends_with(end))
    {
        cut(1, "")
    } else {
        name.to_owned()
    }
}

/// More than one of it: `order` → `orders`, `delivery` → `deliveries`.
pub(super) fn plural(name: &str) -> String {
    if singular(name) != name {
        return name.to_owned();
    }
    let vowel = |byte: Option<&u8>| byte.is_some_and(|byte| b"aeiou".contains(byte));
    let bytes = name.as_bytes();
    if name.ends_with('y') && !vowel(bytes.len().checked_sub(2).and_then(|at| bytes.get(at))) {
        return format!("{}ies", name.get(..name.len() - 1).unwrap_or_default());
    }
    if ["s", "x", "z", "ch", "sh"].iter().any(|end| name.ends_with(end)) {
        return format!("{name}es");
    }
    format!("{name}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        assert_eq!(words("shipToAddress_ID"), ["ship", "to", "address", "id"]);
        for id in ["orderid", "order_id", "orderId", "id", "username", "productSku", "isbn"] {
            assert!(is_id(id), "{id}");
        }
        for no in ["paid", "valid", "orderdate", "price", "fullname", "hybrid"] {
            assert!(!is_id(no), "{no}");
        }
        assert_eq!(
            ["orderid", "customer_id", "id", "productSku"].map(thing),
            ["order", "customer", "", "product"]
        );
        assert_eq!(
            ["addresses", "lines", "category", "status", "boxes"].map(singular),
            ["address", "line", "category", "status", "box"]
        );
        assert_eq!(
            ["order", "delivery", "address", "play", "orders"].map(plural),
            ["orders", "deliveries", "addresses", "plays", "orders"]
        );
        assert_eq!(time("orderdate"), Some(Time::Event));
        assert_eq!(time("createdAt"), Some(Time::Audit));
        assert_eq!(time("category"), None);
    }

    #[test]
    fn key_attributes_are_known_by_name() {
        assert_eq!(slot("PK"), Some((Slot::Partition, 0)));
        assert_eq!(slot("sort_key"), Some((Slot::Sort, 1)));
        for index in ["GSI1PK", "GSIsk", "gs1pk", "LSI1SK", "PK1"] {
            assert_eq!(slot(index), Some((Slot::Index, 0)), "{index}");
        }
        for kind in ["type", "__typename", "_et", "entityType", "__edb_e__", "kind", "roomType"] {
            assert!(matches!(slot(kind), Some((Slot::Kind(_), _))), "{kind}");
        }
        assert_eq!(slot("price"), None);
    }
}
