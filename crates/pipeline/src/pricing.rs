//! What DynamoDB asks for: list prices by region, as far as they could be confirmed.
//!
//! `docs/reference/pricing.md` names the source of every number.

use serde::Serialize;

/// The list prices of a region in US dollars; what could not be confirmed is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prices {
    /// The region's name, e.g. `us-east-1`.
    pub region: String,
    /// Import from S3, a GB of uncompressed text.
    pub import_gb: Option<f64>,
    /// A million write request units on demand.
    pub write_units_million: Option<f64>,
    /// A provisioned write capacity unit, an hour.
    pub write_capacity_hour: Option<f64>,
    /// Storage in the Standard table class, a GB and month.
    pub storage_gb_month: Option<f64>,
    /// Since when the numbers are known to hold: a month, e.g. `2026-09`.
    pub as_of: String,
}

/// Whose prices are shown where no region is named, or where the region's own are not known.
pub(crate) const EXAMPLE_REGION: &str = "us-east-1";

/// A row of the table: region, import, write units, write capacity, storage, month.
type Row = (&'static str, Option<f64>, Option<f64>, Option<f64>, Option<f64>, &'static str);

const TABLE: [Row; 3] = [
    (EXAMPLE_REGION, Some(0.15), Some(0.625), Some(0.000_65), Some(0.25), "2025-07"),
    ("ap-northeast-1", None, Some(0.715), None, Some(0.285), "2026-09"),
    ("eu-central-1", None, Some(0.7625), None, Some(0.306), "2026-09"),
];

impl Prices {
    /// The listed prices of a region, if it has any.
    ///
    /// ```
    /// use keystar_pipeline::Prices;
    ///
    /// let prices = Prices::listed("us-east-1");
    /// assert_eq!(prices.and_then(|prices| prices.import_gb), Some(0.15));
    /// assert_eq!(Prices::listed("mars-north-1"), None);
    /// ```
    pub fn listed(region: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == region).map(Self::from_row)
    }

    /// The regions that have listed prices.
    pub fn regions() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.0)
    }

    /// Prices of your own, none of them known yet: from a contract, or of a region without listed
    /// ones.
    pub fn new(region: impl Into<String>, as_of: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            import_gb: None,
            write_units_million: None,
            write_capacity_hour: None,
            storage_gb_month: None,
            as_of: as_of.into(),
        }
    }

    pub(crate) fn example() -> Self {
        Self::from_row(&TABLE[0])
    }

    fn from_row(&(region, import, units, capacity, storage, as_of): &Row) -> Self {
        Self {
            region: region.to_owned(),
            import_gb: import,
            write_units_million: units,
            write_capacity_hour: capacity,
            storage_gb_month: storage,
            as_of: as_of.to_owned(),
        }
    }
}

/// What moving the data, and keeping it, costs.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Cost {
    /// The region that was asked for.
    pub region: Option<String>,
    /// The price of each way, and of the storage.
    pub prices: Vec<Price>,
    /// How long each way takes.
    pub durations: Vec<Duration>,
}

/// A sum of money, and how it comes about.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Price {
    /// `import`, `write_on_demand`, `write_provisioned` or `storage_month`.
    pub name: &'static str,
    /// The sum in US dollars.
    pub dollars: f64,
    /// How much there is of what is paid for.
    pub quantity: f64,
    /// What is paid for.
    pub unit: &'static str,
    /// Dollars for one unit.
    pub dollars_per_unit: f64,
    /// The region whose price it is.
    pub priced_in: String,
    /// Whether the price is another region's than the one asked for, or no region was named.
    pub example: bool,
    /// Since when the price is known to hold.
    pub as_of: String,
    /// What was assumed.
    pub assumption: String,
}

/// How long something takes, and how that comes about.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Duration {
    /// `import` or `write`.
    pub name: &'static str,
    /// At best, in seconds.
    pub seconds_min: f64,
    /// At worst, in seconds, as far as can be said.
    pub seconds_max: f64,
    /// What was assumed.
    pub assumption: String,
}

/// What is to be moved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Load {
    pub(crate) items: u64,
    /// Bytes of the items as DynamoDB counts them.
    pub(crate) item_bytes: u64,
    /// Bytes of the copies in indexes, and how many there are.
    pub(crate) index_bytes: u64,
    pub(crate) index_items: u64,
    /// Write units: one for each KB begun, of items and of copies in indexes.
    pub(crate) write_units: u64,
    /// Of these, the units that go to the most loaded partition key.
    pub(crate) hottest_units: u64,
    /// Bytes of text before compression.
    pub(crate) text_bytes: u64,
}

/// Bytes that are billed as a GB: the dearer of the two readings.
const GB: f64 = 1e9;
/// Bytes that storage bills for each item besides its own.
const STORAGE_OVERHEAD_BYTES: u64 = 100;
/// What a new on-demand table takes from its first second, in write units a second.
pub(crate) const NEW_TABLE_UNITS: f64 = 4_000.0;
/// The default quota of a table, in write units a second.
pub(crate) const TABLE_QUOTA_UNITS: f64 = 40_000.0;
/// What one partition takes, in write units a second.
const PARTITION_UNITS: f64 = 1_000.0;
/// Uncompressed bytes a second that an import is assumed to load, slow and fast: AWS names no rate.
const IMPORT_BYTES_A_SECOND: (f64, f64) = (10e6, 100e6);
/// Seconds that an import is assumed to take besides.
const IMPORT_START_SECONDS: f64 = 300.0;

impl Cost {
    /// Prices a load in a region; `own` prices come before listed ones.
    pub(crate) fn of(load: &Load, region: Option<&str>, own: Option<&Prices>) -> Self {
        let listed = region.and_then(Prices::listed);
        let tariff =
            Tariff { asked: region, sources: [own.cloned(), listed, Some(Prices::example())] };
        let text_gb = load.text_bytes as f64 / GB;
        let units = load.write_units as f64;
        let copies = load.items + load.index_items;
        let stored = load.item_bytes + load.index_bytes + copies * STORAGE_OVERHEAD_BYTES;
        let prices = [
            tariff
                .price("import", text_gb, "GB of uncompressed text", |prices| prices.import_gb)
                .assuming(
                    "ImportTable into a new table; GB = 10^9 bytes; indexes are loaded at no extra \
                     price; S3 storage and requests not counted",
                ),
            tariff
                .price("write_on_demand", units / 1e6, "million write request units", |prices| {
                    prices.write_units_million
                })
                .assuming(
                    "one write for each item, a unit for each KB (1,024 bytes) begun, of the item \
                     and of its copy in every index; no retries",
                ),
            tariff
                .price("write_provisioned", units / 3600.0, "WCU-hours", |prices| {
                    prices.write_capacity_hour
                })
                .assuming(
                    "the same units from provisioned capacity that is used to the full; hours \
                     begun are billed whole, so the real price is higher",
                ),
            tariff
                .price("storage_month", stored as f64 / GB, "GB-months", |prices| {
                    prices.storage_gb_month
                })
                .assuming(
                    "Standard table class; items and their copies in indexes, and 100 bytes for \
                     each; GB = 10^9 bytes; free tier, backups and reads not counted",
                ),
        ];
        Self {
            region: region.map(str::to_owned),
            prices: prices.into_iter().filter(|price| price.dollars_per_unit > 0.0).collect(),
            durations: vec![import_duration(load), write_duration(load)],
        }
    }

    /// The price of that name.
    pub(crate) fn price(&self, name: &str) -> Option<&Price> {
        self.prices.iter().find(|price| price.name == name)
    }
}

/// Where prices are taken from, the first that has one.
struct Tariff<'a> {
    asked: Option<&'a str>,
    sources: [Option<Prices>; 3],
}

impl Tariff<'_> {
    fn price(
        &self,
        name: &'static str,
        quantity: f64,
        unit: &'static str,
        of: impl Fn(&Prices) -> Option<f64>,
    ) -> Price {
        let sources = self.sources.iter().flatten();
        let found = sources.filter_map(|prices| Some((prices, of(prices)?))).next();
        let (region, as_of, dollars_per_unit) = match found {
            Some((prices, dollars)) => (prices.region.clone(), prices.as_of.clone(), dollars),
            None => (String::new(), String::new(), 0.0),
        };
        Price {
            name,
            dollars: quantity * dollars_per_unit,
            quantity,
            unit,
            dollars_per_unit,
            example: self.asked != Some(&*region),
            priced_in: region,
            as_of,
            assumption: String::new(),
        }
    }
}

impl Price {
    fn assuming(mut self, assumption: &str) -> Self {
        self.assumption = assumption.to_owned();
        self
    }
}

fn import_duration(load: &Load) -> Duration {
    let bytes = load.text_bytes as f64;
    let (slow, fast) = IMPORT_BYTES_A_SECOND;
    Duration {
        name: "import",
        seconds_min: IMPORT_START_SECONDS + bytes / fast,
        seconds_max: IMPORT_START_SECONDS + bytes / slow,
        assumption:
            "a guess: 5 minutes to start, then 10 to 100 MB of uncompressed text a second; \
                     AWS publishes no rate, so time a small import first"
                .to_owned(),
    }
}

fn write_duration(load: &Load) -> Duration {
    let units = load.write_units as f64;
    let hottest = load.hottest_units as f64 / PARTITION_UNITS;
    Duration {
        name: "write",
        seconds_min: (units / TABLE_QUOTA_UNITS).max(hottest),
        seconds_max: (units / NEW_TABLE_UNITS).max(hottest),
        assumption: "40,000 write units a second (a table's default quota) down to 4,000 (what a \
                     new on-demand table takes from the start), and no partition key above 1,000"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Load {
        Load {
            items: 1_000_000,
            item_bytes: 100_000_000,
            write_units: 1_000_000,
            text_bytes: 170_000_000,
            ..Load::default()
        }
    }

    #[test]
    fn the_article_is_priced_as_by_hand() {
        let cost = Cost::of(&load(), Some("us-east-1"), None);
        let dollars = |name| cost.price(name).map(|price| (price.dollars * 1e6).round() / 1e6);
        assert_eq!(dollars("import"), Some(0.0255));
        assert_eq!(dollars("write_on_demand"), Some(0.625));
        assert_eq!(dollars("write_provisioned"), Some(0.180556));
        assert_eq!(dollars("storage_month"), Some(0.05), "0.1 GB of items and 0.1 GB of overhead");
        assert!(cost.prices.iter().all(|price| !price.example));
        let write = &cost.durations[1];
        assert_eq!((write.seconds_min, write.seconds_max), (25.0, 250.0));
    }

    #[test]
    fn the_reference_page_has_the_same_table() {
        let page = include_str!("../../../docs/reference/pricing.md");
        let cell = |price: Option<f64>| price.map_or(String::new(), |price| format!("${price}"));
        for &(region, import, units, capacity, storage, as_of) in &TABLE {
            let cells = [import, units, capacity, storage].map(cell);
            let row =
                format!("| {region} | {} | {as_of} |", cells.join(" | ")).replace("|  |", "| |");
            assert!(page.contains(&row), "no row {row}");
        }
        assert_eq!(page.matches("| 20").count(), TABLE.len(), "a row too many");
    }

    #[test]
    fn no_region_has_another_regions_price_in_silence() {
        let cost = Cost::of(&load(), None, None);
        assert!(cost.prices.iter().all(|price| price.example && price.priced_in == "us-east-1"));
        let cost = Cost::of(&load(), Some("eu-central-1"), None);
        let shown: Vec<_> = cost
            .prices
            .iter()
            .map(|price| (price.name, &*price.priced_in, price.example))
            .collect();
        assert_eq!(
            shown,
            [
                ("import", "us-east-1", true),
                ("write_on_demand", "eu-central-1", false),
                ("write_provisioned", "us-east-1", true),
                ("storage_month", "eu-central-1", false),
            ]
        );
        let mut own = Prices::new("eu-central-1", "2027-01");
        own.import_gb = Some(0.2);
        let cost = Cost::of(&load(), Some("eu-central-1"), Some(&own));
        let import = cost.price("import").unwrap();
        assert_eq!((import.dollars_per_unit, import.example), (0.2, false));
        assert_eq!(cost.price("write_on_demand").unwrap().dollars_per_unit, 0.7625);
    }

    #[test]
    fn one_hot_key_slows_live_writes() {
        let cost = Cost::of(&Load { hottest_units: 900_000, ..load() }, None, None);
        let write = &cost.durations[1];
        assert_eq!((write.seconds_min, write.seconds_max), (900.0, 900.0));
    }
}
