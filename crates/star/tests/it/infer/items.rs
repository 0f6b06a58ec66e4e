//! Items as DynamoDB JSON, and numbers that look random and are not.

/// The next of a row of numbers below `most`.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    pub(super) fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }

    /// An id that looks like none of the others'.
    pub(super) fn id(&mut self) -> String {
        format!("{:08x}{:08x}", self.below(1 << 31), self.below(1 << 31))
    }

    pub(super) fn day(&mut self, year: u64) -> String {
        format!("{}-{:02}-{:02}", year + self.below(2), 1 + self.below(12), 1 + self.below(28))
    }

    pub(super) fn moment(&mut self, year: u64) -> String {
        let day = self.day(year);
        format!("{day}T{:02}:{:02}:{:02}Z", self.below(24), self.below(60), self.below(60))
    }
}

pub(super) fn s(text: impl AsRef<str>) -> String {
    format!(r#"{{"S":"{}"}}"#, text.as_ref())
}

pub(super) fn n(number: impl std::fmt::Display) -> String {
    format!(r#"{{"N":"{number}"}}"#)
}

pub(super) fn m(fields: &[(&str, String)]) -> String {
    format!(r#"{{"M":{}}}"#, item(fields))
}

pub(super) fn l(elements: &[String]) -> String {
    format!(r#"{{"L":[{}]}}"#, elements.join(","))
}

pub(super) fn item(attributes: &[(&str, String)]) -> String {
    let attributes: Vec<String> =
        attributes.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", attributes.join(","))
}
