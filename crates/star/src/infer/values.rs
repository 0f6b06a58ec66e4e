//! What is known of the values of one attribute, of one path in a map, of one part of a key.

use super::digits::Digits;
use super::moments::Forms;
use super::sketch::{Sketch, hash};

/// DynamoDB's types, as they are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    S,
    N,
    B,
    Bool,
    Null,
    L,
    M,
    Ss,
    Ns,
    Bs,
}

impl Kind {
    pub(super) const ALL: [(Self, &'static str); 10] = [
        (Self::S, "S"),
        (Self::N, "N"),
        (Self::B, "B"),
        (Self::Bool, "BOOL"),
        (Self::Null, "NULL"),
        (Self::L, "L"),
        (Self::M, "M"),
        (Self::Ss, "SS"),
        (Self::Ns, "NS"),
        (Self::Bs, "BS"),
    ];
}

/// So many values are kept as examples.
const EXAMPLES: usize = 6;
/// Examples and bounds are cut to so many bytes.
const SHOWN_BYTES: usize = 48;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values {
    /// How many values there are, of any type.
    pub(super) count: u64,
    kinds: [u64; 10],
    pub(super) sketch: Sketch,
    /// The values with the smallest hashes.
    examples: Vec<(u64, Box<str>)>,
    pub(super) text: Option<Box<Texts>>,
    pub(super) number: Option<Box<Numbers>>,
    /// The most bytes of a binary value.
    pub(super) max_binary: u32,
}

/// Of values of type S.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Texts {
    pub(super) max_bytes: u32,
    /// The fewest bytes, as a number to be subtracted from [`u32::MAX`].
    fewest: u32,
    pub(super) forms: Forms,
    /// Whether not every text is a number, or one of the usual words for true and false.
    pub(super) not_numbers: bool,
    pub(super) not_truths: bool,
    pub(super) empty: u64,
    pub(super) range: Range<()>,
}

/// Of values of type N.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    /// The most digits before the point, and after it.
    pub(super) whole: u16,
    pub(super) scale: u16,
    /// Whether some number is no whole one of 64 bits.
    pub(super) not_integers: bool,
    pub(super) forms: Forms,
    /// The smallest and the largest, by value.
    pub(super) range: Range<f64>,
}

/// The smallest and the largest, as texts; in the order of a number that goes before, if any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Range<T> {
    ends: Option<[(T, String); 2]>,
}

impl<T: Copy + PartialOrd> Range<T> {
    #[inline]
    fn observe(&mut self, rank: T, text: &str) {
        let text = cut(text);
        let Some([least, most]) = &mut self.ends else {
            self.ends = Some([(rank, text.to_owned()), (rank, text.to_owned())]);
            return;
        };
        let set = |end: &mut (T, String)| {
            end.0 = rank;
            // The text's memory is used again: bounds of growing values move often.
            end.1.clear();
            end.1.push_str(text);
        };
        if (rank, text) < (least.0, &least.1) {
            set(least);
        }
        if (rank, text) > (most.0, &most.1) {
            set(most);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (rank, text) in other.ends.iter().flatten() {
            self.observe(*rank, text);
        }
    }

    pub(super) fn ends(&self) -> Option<(&str, &str)> {
        self.ends.as_ref().map(|[least, most]| (least.1.as_str(), most.1.as_str()))
    }
}

/// Whether a number is smaller than another matters for the page only, so a float tells.
fn rank(text: &str) -> f64 {
    text.parse().unwrap_or(0.0)
}

fn cut(text: &str) -> &str {
    if text.len() <= SHOWN_BYTES {
        return text;
    }
    text.get(..text.floor_char_boundary(SHOWN_BYTES)).unwrap_or_default()
}

impl Values {
    pub(super) fn kind(&self, kind: Kind) -> u64 {
        self.kinds.get(kind as usize).copied().unwrap_or(0)
    }

    /// Values that are there and not NULL.
    pub(super) fn present(&self) -> u64 {
        self.count - self.kind(Kind::Null)
    }

    #[inline]
    pub(super) fn observe_kind(&mut self, kind: Kind, count: u64) {
        self.count += count;
        if let Some(counted) = self.kinds.get_mut(kind as usize) {
            *counted += count;
        }
    }

    /// Counts a text so many times; gives its hash.
    #[inline]
    pub(super) fn observe_text(&mut self, text: &str, count: u64) -> u64 {
        self.observe_kind(Kind::S, count);
        let hash = hash(text);
        self.sample(hash, text, count);
        self.text.get_or_insert_default().observe(text, count);
        hash
    }

    #[inline]
    pub(super) fn observe_number(&mut self, text: &str) -> u64 {
        self.observe_kind(Kind::N, 1);
        let hash = hash(text);
        self.sample(hash, text, 1);
        self.number.get_or_insert_default().observe(text);
        hash
    }

    pub(super) fn observe_bool(&mut self, value: bool) -> u64 {
        self.observe_kind(Kind::Bool, 1);
        let text = if value { "true" } else { "false" };
        let hash = hash(text);
        self.sample(hash, text, 1);
        hash
    }

    /// Counts bytes, given as base64.
    pub(super) fn observe_binary(&mut self, base64: &str) -> u64 {
        self.observe_kind(Kind::B, 1);
        let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
        let bytes = (base64.len() / 4 * 3).saturating_sub(padding);
        self.max_binary = self.max_binary.max(u32::try_from(bytes).unwrap_or(u32::MAX));
        let hash = hash(base64);
        self.sketch.add(hash, 1);
        hash
    }

    #[inline]
    fn sample(&mut self, hash: u64, text: &str, count: u64) {
        if self.sketch.add(hash, count) {
            self.keep_example(hash, text);
        }
    }

    fn keep_example(&mut self, hash: u64, text: &str) {
        if let Err(at) = self.examples.binary_search_by_key(&hash, |(hash, _)| *hash)
            && at < EXAMPLES
        {
            self.examples.truncate(EXAMPLES - 1);
            self.examples.insert(at, (hash, cut(text).into()));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (kind, count) in self.kinds.iter_mut().zip(other.kinds) {
            *kind += count;
        }
        self.sketch.merge(&other.sketch);
        for (hash, text) in &other.examples {
            self.keep_example(*hash, text);
        }
        match (&mut self.text, &other.text) {
            (Some(texts), Some(others)) => texts.merge(others),
            (texts @ None, Some(others)) => *texts = Some(others.clone()),
            (_, None) => {}
        }
        match (&mut self.number, &other.number) {
            (Some(numbers), Some(others)) => numbers.merge(others),
            (numbers @ None, Some(others)) => *numbers = Some(others.clone()),
            (_, None) => {}
        }
        self.max_binary = self.max_binary.max(other.max_binary);
    }

    /// A few of the values, in the order of their texts.
    pub(super) fn examples(&self) -> Vec<&str> {
        let mut examples: Vec<&str> = self.examples.iter().map(|(_, text)| &**text).collect();
        examples.sort_unstable();
        examples
    }
}

impl Texts {
    /// Whether all are of one length.
    pub(super) fn is_fixed(&self) -> bool {
        self.max_bytes == u32::MAX - self.fewest
    }

    #[inline]
    fn observe(&mut self, text: &str, count: u64) {
        let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.max_bytes = self.max_bytes.max(bytes);
        self.fewest = self.fewest.max(u32::MAX - bytes);
        self.forms.observe(text);
        if !self.not_numbers {
            self.not_numbers = Digits::of(text).is_none();
        }
        if !self.not_truths {
            self.not_truths = !is_truth(text);
        }
        if text.is_empty() {
            self.empty += count;
        }
        self.range.observe((), text);
    }

    fn merge(&mut self, other: &Self) {
        self.max_bytes = self.max_bytes.max(other.max_bytes);
        self.fewest = self.fewest.max(other.fewest);
        self.forms.merge(other.forms);
        self.not_numbers |= other.not_numbers;
        self.not_truths |= other.not_truths;
        self.empty += other.empty;
        self.range.merge(&other.range);
    }
}

fn is_truth(text: &str) -> bool {
    ["true", "false", "yes", "no", "y", "n", "t", "f"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
}

impl Numbers {
    #[inline]
    fn observe(&mut self, text: &str) {
        let digits = Digits::of(text);
        let integer = digits.and_then(|digits| digits.integer);
        if let Some(digits) = digits {
            self.whole = self.whole.max(digits.whole);
            self.scale = self.scale.max(digits.scale);
        }
        self.not_integers |= integer.is_none();
        self.forms.observe_number(integer);
        let rank = match integer {
            Some(integer) => integer as f64,
            None => rank(text),
        };
        self.range.observe(rank, text);
    }

    fn merge(&mut self, other: &Self) {
        self.whole = self.whole.max(other.whole);
        self.scale = self.scale.max(other.scale);
        self.not_integers |= other.not_integers;
        self.forms.merge(other.forms);
        self.range.merge(&other.range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_measured_in_bytes_and_numbers_in_digits() {
        let mut values = Values::default();
        ["café", "", "ab"].iter().for_each(|text| {
            values.observe_text(text, 1);
        });
        let texts = values.text.as_deref().unwrap();
        assert_eq!((texts.max_bytes, texts.empty, texts.range.ends()), (5, 1, Some(("", "café"))));
        ["10", "9.25", "-3", "1000"].iter().for_each(|number| {
            values.observe_number(number);
        });
        let numbers = values.number.as_deref().unwrap();
        assert_eq!(
            (numbers.whole, numbers.scale, numbers.range.ends()),
            (4, 2, Some(("-3", "1000")))
        );
        assert_eq!((values.count, values.kind(Kind::S), values.kind(Kind::N)), (7, 3, 4));
        values.observe_binary("AQID");
        values.observe_binary("AQ==");
        assert_eq!(values.max_binary, 3);
        assert_eq!(values.sketch.distinct(), 9);
    }

    #[test]
    fn long_values_are_shown_short() {
        let mut values = Values::default();
        values.observe_text(&"é".repeat(100), 1);
        assert_eq!(values.examples(), [&*"é".repeat(24)]);
    }
}
