//! The shape of an item: what its keys have in common with those of other items.
//!
//! A key is cut at its separator; parts that look like words are taken literally, `ORD` of
//! `ORD#1042`, others vary. What looks like a word may vary too (`CUST#alice`): when there are too
//! many of them at one place, none is taken literally any more. That is decided by the set of
//! shapes alone, so that the order of items does not matter.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// More words than that at the start of a key are values.
const FIRST_WORDS: usize = 64;
/// The same for later parts.
const LATER_WORDS: usize = 16;
/// The same for a discriminator.
const KINDS: usize = 128;
/// A key has at most so many parts; the last takes the rest.
pub(super) const PARTS: usize = 8;
const LONGEST_WORD: usize = 32;

/// What separates the parts of a key, the likeliest first.
const SEPARATORS: [u8; 5] = *b"#|~:/";

/// A key, cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut<'a> {
    /// 0 if it is all one part.
    pub(super) separator: u8,
    parts: [&'a str; PARTS],
    length: usize,
}

impl<'a> Cut<'a> {
    pub(super) fn new(key: &'a str) -> Self {
        let bytes = key.as_bytes();
        let mut cut = Self::default();
        let is = |separator: &u8| bytes.contains(separator);
        cut.separator = SEPARATORS.into_iter().find(is).unwrap_or(0);
        // Times and dates are no keys of several parts.
        if bytes.first().is_some_and(u8::is_ascii_digit)
            && (cut.separator == b':' && super::moments::is_iso_timestamp(bytes)
                || cut.separator == b'/' && bytes.len() <= 16)
        {
            cut.separator = 0;
        }
        if cut.separator == 0 {
            cut.push(key);
            return cut;
        }
        for part in key.splitn(PARTS, char::from(cut.separator)) {
            cut.push(part);
        }
        cut
    }

    /// All as one part.
    pub(super) fn whole(key: &'a str) -> Self {
        let mut cut = Self::default();
        cut.push(key);
        cut
    }

    fn push(&mut self, part: &'a str) {
        if let Some(place) = self.parts.get_mut(self.length) {
            *place = part;
            self.length += 1;
        }
    }

    pub(super) fn parts(&self) -> &[&'a str] {
        self.parts.get(..self.length).unwrap_or_default()
    }
}

/// What a part of a key is, or a discriminator.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Token {
    /// There are many: words as well as others.
    Any,
    /// A word, the same in every item of the shape.
    Word(Box<str>),
    /// Begins with a word, `user_`, and goes on with something that varies.
    Prefix(Box<str>),
    /// Looks like an id, a number, a date.
    Varies,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Look<'a> {
    Word(&'a str),
    Prefix(&'a str),
    Varies,
}

impl<'a> Look<'a> {
    fn of(part: &'a str) -> Self {
        let bytes = part.as_bytes();
        if bytes.len() > 64 || !part.is_ascii() {
            return Self::Varies;
        }
        let Some(digit) = bytes.iter().position(u8::is_ascii_digit) else {
            let wordy = |byte: &u8| byte.is_ascii_alphabetic() || b"_-.$@ ".contains(byte);
            let is_word =
                bytes.len() <= LONGEST_WORD && bytes.iter().all(wordy) && !bytes.contains(&b'@');
            return if is_word { Self::Word(part) } else { Self::Varies };
        };
        if is_uuid(bytes) {
            return Self::Varies;
        }
        let start = bytes.get(..digit).unwrap_or_default();
        let joint = start.iter().rposition(|byte| b"_-=.".contains(byte));
        let word = joint.and_then(|joint| part.get(..=joint)).unwrap_or_default();
        let wordy = |byte: u8| byte.is_ascii_alphabetic() || b"_-=.$".contains(&byte);
        if (3..=24).contains(&word.len()) && word.bytes().all(wordy) {
            Self::Prefix(word)
        } else {
            Self::Varies
        }
    }

    fn is(self, token: &Token) -> bool {
        match (self, token) {
            (Look::Word(word), Token::Word(have)) | (Look::Prefix(word), Token::Prefix(have)) => {
                *word == **have
            }
            (Look::Varies, Token::Varies) => true,
            _ => false,
        }
    }

    fn token(self) -> Token {
        match self {
            Look::Word(word) => Token::Word(word.into()),
            Look::Prefix(word) => Token::Prefix(word.into()),
            Look::Varies => Token::Varies,
        }
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// What an attribute is in the shape.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Slot {
    /// The table's partition key.
    #[default]
    Partition,
    /// The table's sort key.
    Sort,
    /// The key of an index: by its first part only.
    Index,
    /// What may tell the kind of an item, taken whole; the rank says how likely its name is.
    Kind(u8),
}

impl Slot {
    fn most_words(self, place: usize) -> usize {
        match (self, place) {
            (Slot::Kind(_), _) => KINDS,
            (_, 0) => FIRST_WORDS,
            _ => LATER_WORDS,
        }
    }
}

/// An attribute that counts for the shape, and what it looks like.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    pub(super) slot: Slot,
    pub(super) name: Box<str>,
    pub(super) separator: u8,
    pub(super) tokens: Vec<Token>,
}

/// The shape of an item: its keys in the order of slots and names.
pub(super) type Shape = Vec<Key>;

/// An attribute of an item that counts for its shape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) slot: Slot,
    pub(super) name: &'a str,
    pub(super) cut: Cut<'a>,
}

/// How much of a shape tells groups apart; with too many groups, less.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Level(pub(super) u8);

impl Level {
    pub(super) const LAST: Self = Self(5);

    /// How many tokens of such an attribute count.
    fn tokens(self, slot: Slot) -> usize {
        match (slot, self.0) {
            (Slot::Partition | Slot::Sort, 0 | 1) => PARTS,
            (Slot::Partition, 2..=4) | (Slot::Sort, 2..=3) => 1,
            (Slot::Index, 0) => 1,
            (Slot::Kind(_), 0..=3) => 1,
            (Slot::Kind(rank), 4) => usize::from(rank < 16),
            _ => 0,
        }
    }

    /// How deep maps and lists are looked into.
    pub(super) fn depth(self) -> u8 {
        match self.0 {
            0..=2 => 4,
            3 => 2,
            _ => 1,
        }
    }
}

impl<'a> Found<'a> {
    fn looks(&self, level: Level) -> impl Iterator<Item = Look<'a>> {
        let whole = matches!(self.slot, Slot::Kind(_));
        let most = level.tokens(self.slot);
        let cut = self.cut;
        (0..cut.length.min(most)).filter_map(move |at| {
            let part = *cut.parts.get(at)?;
            Some(if whole { Look::Word(part) } else { Look::of(part) })
        })
    }

    pub(super) fn key(&self, level: Level) -> Option<Key> {
        let tokens: Vec<Token> = self.looks(level).map(Look::token).collect();
        let (slot, name, separator) = (self.slot, self.name.into(), self.cut.separator);
        (!tokens.is_empty()).then_some(Key { slot, name, separator, tokens })
    }
}

/// Cuts shapes to what counts on the level.
pub(super) fn reduce(shape: &mut Shape, level: Level) {
    for key in shape.iter_mut() {
        key.tokens.truncate(level.tokens(key.slot));
    }
    shape.retain(|key| !key.tokens.is_empty());
}

/// Makes words that are too many at their place into [`Token::Any`].
pub(super) fn settle(shapes: &mut [Shape]) {
    let mut keys: Vec<&mut Key> = shapes.iter_mut().flatten().collect();
    let id = |key: &Key| (key.slot, key.name.clone(), key.separator);
    keys.sort_by_cached_key(|key| id(key));
    for alike in keys.chunk_by_mut(|a, b| id(a) == id(b)) {
        let Some(slot) = alike.first().map(|key| key.slot) else { continue };
        settle_place(alike.iter_mut().map(|key| key.tokens.as_mut_slice()).collect(), slot, 0);
    }
}

fn settle_place(keys: Vec<&mut [Token]>, slot: Slot, place: usize) {
    let mut by_token: HashMap<Token, Vec<&mut [Token]>> = HashMap::new();
    for key in keys {
        if let Some(token) = key.first() {
            by_token.entry(token.clone()).or_default().push(key);
        }
    }
    let words = by_token.keys().filter(|token| **token != Token::Varies).count();
    let any = words > slot.most_words(place) || by_token.contains_key(&Token::Any);
    let rest = |key| <[Token]>::split_first_mut(key);
    if any {
        let mut all = Vec::new();
        for (token, tail) in by_token.into_values().flatten().filter_map(rest) {
            *token = Token::Any;
            all.push(tail);
        }
        if !all.is_empty() {
            settle_place(all, slot, place + 1);
        }
    } else {
        for keys in by_token.into_values() {
            let tails = keys.into_iter().filter_map(rest).map(|(_, tail)| tail).collect();
            settle_place(tails, slot, place + 1);
        }
    }
}

/// Finds the group of an item without building its shape.
#[derive(Clone, Debug, Default)]
pub(super) struct Finder {
    steps: Vec<Step>,
    roots: Vec<(Slot, Box<str>, u8, u32)>,
    groups: HashMap<Places, usize, BuildHasherDefault<Fold>>,
}

#[derive(Clone, Debug, Default)]
struct Step {
    any: Option<u32>,
    edges: Vec<(Token, u32)>,
}

/// Where the walks through an item's keys end.
type Places = [u32; 16];

/// The standard hasher takes longer than all the rest of the search.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fold(u64);

impl Hasher for Fold {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Finder {
    pub(super) fn new<'s>(shapes: impl Iterator<Item = &'s Shape>) -> Self {
        let mut finder = Self::default();
        for (group, shape) in shapes.enumerate() {
            let mut ends: Vec<u32> = shape.iter().map(|key| finder.learn(key)).collect();
            let places = Self::places(&mut ends);
            finder.groups.insert(places, group);
        }
        finder
    }

    fn places(ends: &mut [u32]) -> Places {
        ends.sort_unstable();
        let mut places = [0; 16];
        for (place, end) in places.iter_mut().zip(ends) {
            *place = *end;
        }
        places
    }

    fn step(&mut self) -> u32 {
        // 0 stands for none.
        self.steps.push(Step::default());
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    fn learn(&mut self, key: &Key) -> u32 {
        let mut at = match self.root(key.slot, &key.name, key.separator) {
            Some(root) => root,
            None => {
                let root = self.step();
                self.roots.push((key.slot, key.name.clone(), key.separator, root));
                root
            }
        };
        for token in &key.tokens {
            let known = self.get(at).and_then(|step| match token {
                Token::Any => step.any,
                token => step.edges.iter().find(|(have, _)| have == token).map(|(_, to)| *to),
            });
            at = known.unwrap_or_else(|| {
                let to = self.step();
                if let Some(step) = self.steps.get_mut(at as usize - 1) {
                    match token {
                        Token::Any => step.any = Some(to),
                        token => step.edges.push((token.clone(), to)),
                    }
                }
                to
            });
        }
        at
    }

    #[inline]
    fn root(&self, slot: Slot, name: &str, separator: u8) -> Option<u32> {
        let is = |root: &&(Slot, Box<str>, u8, u32)| {
            root.2 == separator && root.0 == slot && *root.1 == *name
        };
        self.roots.iter().find(is).map(|root| root.3)
    }

    fn get(&self, at: u32) -> Option<&Step> {
        self.steps.get((at as usize).wrapping_sub(1))
    }

    /// The group of an item with these keys, if its shape is known.
    #[inline]
    pub(super) fn find(&self, keys: &[Found<'_>], level: Level) -> Option<usize> {
        let mut ends = [0; 16];
        let mut length = 0;
        for key in keys {
            if level.tokens(key.slot) == 0 {
                continue;
            }
            let mut at = self.root(key.slot, key.name, key.cut.separator)?;
            for look in key.looks(level) {
                let step = self.get(at)?;
                at = match step.any {
                    Some(to) => to,
                    None => step.edges.iter().find(|(have, _)| look.is(have)).map(|(_, to)| *to)?,
                };
            }
            *ends.get_mut(length)? = at;
            length += 1;
        }
        let places = Self::places(ends.get_mut(..length)?);
        self.groups.get(&places).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_at_their_separator() {
        let parts = |key| Cut::new(key).parts().to_vec();
        assert_eq!(parts("CUST#alice"), ["CUST", "alice"]);
        assert_eq!(parts("a:b|c"), ["a:b", "c"]);
        assert_eq!(parts("user:7"), ["user", "7"]);
        assert_eq!(parts("2021-04-12T10:20:30Z"), ["2021-04-12T10:20:30Z"]);
        assert_eq!(parts("EVENT#2021-04-12T10:20:30Z"), ["EVENT", "2021-04-12T10:20:30Z"]);
        assert_eq!(parts("1#2#3#4#5#6#7#8#9"), ["1", "2", "3", "4", "5", "6", "7", "8#9"]);
        assert_eq!(parts(""), [""]);
    }

    #[test]
    fn parts_look_like_words_or_vary() {
        assert_eq!(Look::of("ORD"), Look::Word("ORD"));
        assert_eq!(Look::of("user_17"), Look::Prefix("user_"));
        assert_eq!(Look::of("order_item_ab12"), Look::Prefix("order_item_"));
        for varies in ["1042", "a@b.example", "Zoë", "v1", "abcdefab-cdef-4abc-8def-0123456789ab"]
        {
            assert_eq!(Look::of(varies), Look::Varies, "{varies}");
        }
    }

    #[test]
    fn too_many_words_are_values() {
        let shape = |name: &str| {
            let cut = Cut::new(name);
            vec![Found { slot: Slot::Partition, name: "PK", cut }.key(Level(0)).unwrap()]
        };
        let names = ["ann", "bob", "cyd", "dee", "eve", "fay", "gus", "hal", "ivy", "jim"];
        let keys = names.iter().flat_map(|a| ["a", "b"].map(|b| format!("CUST#{a}{b}")));
        let mut shapes: Vec<Shape> = keys.map(|key| shape(&key)).collect();
        shapes.push(shape("ORD#7"));
        shapes.push(shape("CUST#x1"));
        settle(&mut shapes);
        let tokens = |at: usize| shapes[at][0].tokens.clone();
        assert_eq!(tokens(0), [Token::Word("CUST".into()), Token::Any]);
        assert_eq!(tokens(20), [Token::Word("ORD".into()), Token::Varies]);
        assert_eq!(tokens(21), [Token::Word("CUST".into()), Token::Any]);
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), 2);
    }
}
