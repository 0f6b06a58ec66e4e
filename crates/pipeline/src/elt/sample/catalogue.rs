//! What the shop sells, where, and how that changes from month to month.

use super::random::Random;

/// Months from January 2020 to December 2023.
pub(super) const MONTHS: usize = 48;
pub(super) const FIRST_YEAR: i16 = 2020;

/// A kind of product; sales move by so many thousandths a month.
#[derive(Debug)]
pub(super) struct Category {
    pub(super) name: &'static str,
    weight: u64,
    growth: i64,
    /// The months in which it is sold.
    months: std::ops::Range<usize>,
    /// The range of prices, in cents.
    cents: (u64, u64),
    /// The quarter that sells best, as January's is 0.
    season: usize,
    things: [&'static str; 8],
}

/// One that ends with 2021 and one that begins with 2022: what a comparison of years by an inner
/// join would hide.
pub(super) const CATEGORIES: [Category; 7] = [
    Category {
        name: "Books",
        weight: 2200,
        growth: -4,
        months: 0..MONTHS,
        cents: (699, 3999),
        season: 3,
        things: [
            "novel",
            "atlas",
            "cookbook",
            "diary",
            "travel guide",
            "biography",
            "comic",
            "primer",
        ],
    },
    Category {
        name: "Electronics",
        weight: 1800,
        growth: 12,
        months: 0..MONTHS,
        cents: (1299, 29900),
        season: 3,
        things: [
            "headphones",
            "keyboard",
            "monitor",
            "camera",
            "charger",
            "speaker",
            "tablet",
            "router",
        ],
    },
    Category {
        name: "Fashion",
        weight: 2000,
        growth: 6,
        months: 0..MONTHS,
        cents: (999, 14999),
        season: 1,
        things: ["jacket", "scarf", "sneakers", "belt", "raincoat", "jumper", "hat", "backpack"],
    },
    Category {
        name: "Garden",
        weight: 1000,
        growth: 3,
        months: 0..MONTHS,
        cents: (499, 24900),
        season: 1,
        things: ["spade", "parasol", "planter", "hose", "bench", "lantern", "shears", "bird house"],
    },
    Category {
        name: "Toys",
        weight: 1200,
        growth: 1,
        months: 0..MONTHS,
        cents: (599, 7999),
        season: 3,
        things: ["puzzle", "kite", "train set", "doll", "board game", "yo-yo", "robot", "marbles"],
    },
    Category {
        name: "DVDs",
        weight: 900,
        growth: -35,
        months: 0..24,
        cents: (499, 2499),
        season: 3,
        things: [
            "comedy",
            "thriller",
            "western",
            "documentary",
            "musical",
            "cartoon",
            "drama",
            "epic",
        ],
    },
    Category {
        name: "Smart home",
        weight: 600,
        growth: 45,
        months: 24..MONTHS,
        cents: (1999, 29900),
        season: 3,
        things: [
            "thermostat",
            "doorbell",
            "light bulb",
            "socket",
            "blind",
            "sensor",
            "lock",
            "hub",
        ],
    },
];

const STYLES: [&str; 12] = [
    "Classic", "Compact", "Deluxe", "Everyday", "Foldable", "Light", "Little", "Modern", "Plain",
    "Pocket", "Sturdy", "Vintage",
];
const COLORS: [&str; 10] =
    ["amber", "black", "blue", "graphite", "green", "ivory", "red", "silver", "teal", "white"];

/// Where customers live; sales move by so many thousandths a month.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) code: &'static str,
    weight: u64,
    growth: i64,
    /// City and state.
    pub(super) cities: [(&'static str, &'static str); 4],
    pub(super) streets: [&'static str; 4],
    /// First and last name, each as it is written and as it stands in an email address.
    pub(super) first: [(&'static str, &'static str); 6],
    pub(super) last: [(&'static str, &'static str); 6],
}

pub(super) const COUNTRIES: [Country; 6] = [
    Country {
        code: "US",
        weight: 30,
        growth: 8,
        cities: [("Austin", "TX"), ("Boston", "MA"), ("Denver", "CO"), ("Portland", "OR")],
        streets: ["Main Street", "Oak Avenue", "Sunset Boulevard", "Lake Drive"],
        first: [
            ("Ava", "ava"),
            ("Liam", "liam"),
            ("Zo\u{eb}", "zoe"),
            ("Noah", "noah"),
            ("Mia", "mia"),
            ("Ethan", "ethan"),
        ],
        last: [
            ("Reed", "reed"),
            ("O'Brien", "obrien"),
            ("Carter", "carter"),
            ("Nguyen", "nguyen"),
            ("Lopez", "lopez"),
            ("Stone", "stone"),
        ],
    },
    Country {
        code: "GB",
        weight: 14,
        growth: -3,
        cities: [
            ("Leeds", "England"),
            ("Cardiff", "Wales"),
            ("Dundee", "Scotland"),
            ("York", "England"),
        ],
        streets: ["High Street", "Church Lane", "Station Road", "Mill Hill"],
        first: [
            ("Amelia", "amelia"),
            ("Oliver", "oliver"),
            ("Isla", "isla"),
            ("Harry", "harry"),
            ("Poppy", "poppy"),
            ("Alfie", "alfie"),
        ],
        last: [
            ("Smith", "smith"),
            ("Hughes", "hughes"),
            ("Campbell", "campbell"),
            ("Patel", "patel"),
            ("Wood", "wood"),
            ("Clarke", "clarke"),
        ],
    },
    Country {
        code: "DE",
        weight: 16,
        growth: 14,
        cities: [("Hamburg", "HH"), ("M\u{fc}nchen", "BY"), ("Leipzig", "SN"), ("K\u{f6}ln", "NW")],
        streets: ["Hauptstra\u{df}e", "Bahnhofstra\u{df}e", "Gartenweg", "Am Markt"],
        first: [
            ("J\u{fc}rgen", "juergen"),
            ("Anna", "anna"),
            ("Lukas", "lukas"),
            ("Emma", "emma"),
            ("Bj\u{f6}rn", "bjoern"),
            ("Lea", "lea"),
        ],
        last: [
            ("M\u{fc}ller", "mueller"),
            ("Schmidt", "schmidt"),
            ("Wei\u{df}", "weiss"),
            ("Keller", "keller"),
            ("Vogel", "vogel"),
            ("Krause", "krause"),
        ],
    },
    Country {
        code: "FR",
        weight: 12,
        growth: 5,
        cities: [("Lyon", "ARA"), ("Nantes", "PDL"), ("Lille", "HDF"), ("Orl\u{e9}ans", "CVL")],
        streets: ["rue de la Gare", "avenue Foch", "place du March\u{e9}", "rue Victor Hugo"],
        first: [
            ("Chlo\u{e9}", "chloe"),
            ("Louis", "louis"),
            ("Manon", "manon"),
            ("Hugo", "hugo"),
            ("In\u{e8}s", "ines"),
            ("Jules", "jules"),
        ],
        last: [
            ("Martin", "martin"),
            ("Lef\u{e8}vre", "lefevre"),
            ("Moreau", "moreau"),
            ("Garnier", "garnier"),
            ("Roux", "roux"),
            ("Petit", "petit"),
        ],
    },
    Country {
        code: "JP",
        weight: 10,
        growth: -6,
        cities: [
            ("Osaka", "Osaka"),
            ("Sapporo", "Hokkaido"),
            ("Sendai", "Miyagi"),
            ("Kyoto", "Kyoto"),
        ],
        streets: ["Sakura-dori", "Midosuji", "Aoba-dori", "Karasuma-dori"],
        first: [
            ("\u{82b1}\u{5b50}", "hanako"),
            ("Haruto", "haruto"),
            ("Yui", "yui"),
            ("Sota", "sota"),
            ("Aoi", "aoi"),
            ("Ren", "ren"),
        ],
        last: [
            ("Sato", "sato"),
            ("Suzuki", "suzuki"),
            ("Tanaka", "tanaka"),
            ("\u{5c71}\u{7530}", "yamada"),
            ("Mori", "mori"),
            ("Ito", "ito"),
        ],
    },
    Country {
        code: "BR",
        weight: 8,
        growth: 22,
        cities: [
            ("S\u{e3}o Paulo", "SP"),
            ("Recife", "PE"),
            ("Curitiba", "PR"),
            ("Bras\u{ed}lia", "DF"),
        ],
        streets: ["rua das Flores", "avenida Brasil", "rua XV de Novembro", "travessa do Sol"],
        first: [
            ("Jos\u{e9}", "jose"),
            ("Ana", "ana"),
            ("Jo\u{e3}o", "joao"),
            ("Beatriz", "beatriz"),
            ("Rafael", "rafael"),
            ("L\u{ed}via", "livia"),
        ],
        last: [
            ("Silva", "silva"),
            ("Souza", "souza"),
            ("Ara\u{fa}jo", "araujo"),
            ("Costa", "costa"),
            ("Lima", "lima"),
            ("Rocha", "rocha"),
        ],
    },
];

/// A product of the catalogue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Product {
    pub(super) number: u32,
    pub(super) category: usize,
    pub(super) style: &'static str,
    pub(super) thing: &'static str,
    pub(super) color: &'static str,
    pub(super) cents: u64,
}

/// The products, and how likely each category and month is.
#[derive(Debug)]
pub(super) struct Catalogue {
    seed: u64,
    /// Products of each category.
    per_category: u64,
    /// By country, the months' weights, summed up.
    months: Vec<Vec<u64>>,
    /// By month, the categories' weights, summed up.
    categories: Vec<Vec<u64>>,
}

impl Catalogue {
    pub(super) fn new(seed: u64, customers: u64) -> Self {
        let countries = COUNTRIES.iter();
        let months = countries.map(|country| {
            let steps = (0..MONTHS).map(|month| grown(1_000_000, country.growth, month));
            sums(steps)
        });
        let categories = (0..MONTHS).map(|month| {
            sums(CATEGORIES.iter().map(|category| {
                if !category.months.contains(&month) {
                    return 0;
                }
                let age = month - category.months.start;
                let season = if month % 12 / 3 == category.season { 13 } else { 10 };
                grown(category.weight * 1000, category.growth, age) * season / 10
            }))
        });
        Self {
            seed,
            per_category: (customers / 50).clamp(16, 3000),
            months: months.collect(),
            categories: categories.collect(),
        }
    }

    /// The country of a customer.
    pub(super) fn country(random: &mut Random) -> usize {
        choose(&sums(COUNTRIES.iter().map(|country| country.weight)), random)
    }

    /// The month of an order from a country.
    pub(super) fn month(&self, country: usize, random: &mut Random) -> usize {
        self.months.get(country).map_or(0, |months| choose(months, random))
    }

    /// A product as it sells in a month; a month after the last is as the last.
    pub(super) fn product(&self, month: usize, random: &mut Random) -> Product {
        let categories = self.categories.get(month.min(MONTHS - 1));
        let category = categories.map_or(0, |categories| choose(categories, random));
        self.nth(category, random.below(self.per_category))
    }

    fn nth(&self, category: usize, at: u64) -> Product {
        let number = at * CATEGORIES.len() as u64 + category as u64;
        let mut random = Random::nth(self.seed ^ 0x50_524f_4455, number);
        let (things, (low, high)) = match CATEGORIES.get(category) {
            Some(category) => (category.things, category.cents),
            None => ([""; 8], (0, 1)),
        };
        // Cheap things are many; prices end as prices do.
        let height = random.below(1000) * random.below(1000);
        let cents = low + (high - low) * height / 1_000_000;
        let cents = match random.below(4) {
            0 => cents,
            1 => cents / 10 * 10,
            2 => cents / 100 * 100 + 99,
            _ => cents / 50 * 50,
        };
        Product {
            number: number as u32,
            category,
            style: random.pick(&STYLES, ""),
            thing: random.pick(&things, ""),
            color: random.pick(&COLORS, ""),
            cents: cents.max(99),
        }
    }
}

/// Whole numbers: the same on every machine.
fn grown(start: u64, permille: i64, months: usize) -> u64 {
    let factor = 1000_u64.saturating_add_signed(permille);
    (0..months).fold(start, |value, _| value * factor / 1000)
}

fn sums(weights: impl Iterator<Item = u64>) -> Vec<u64> {
    weights
        .scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect()
}

fn choose(sums: &[u64], random: &mut Random) -> usize {
    let at = random.below(sums.last().copied().unwrap_or(1).max(1));
    sums.partition_point(|sum| *sum <= at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_end_and_begin() {
        let catalogue = Catalogue::new(1, 1000);
        let mut random = Random::nth(1, 1);
        let mut sold = |month| -> Vec<usize> {
            (0..2000).map(|_| catalogue.product(month, &mut random).category).collect()
        };
        let (before, after) = (sold(23), sold(24));
        assert!(before.contains(&5) && !before.contains(&6), "DVDs, and no smart home yet");
        assert!(!after.contains(&5) && after.contains(&6));
    }

    #[test]
    fn growth_differs_by_country() {
        let catalogue = Catalogue::new(1, 1000);
        let mut random = Random::nth(1, 1);
        let mut late =
            |country| (0..4000).filter(|_| catalogue.month(country, &mut random) >= 36).count();
        let (japan, brazil) = (late(4), late(5));
        assert!(japan < 1000 && brazil > 1300, "{japan} {brazil}");
    }
}
