//! What must not matter: the order of items, and how they are dealt to threads.

use keystar_item::scan::{Tape, ValueView};
use keystar_star::infer::{Profile, Proposal, TableHint};
use keystar_star::{Model, Seen};
use proptest::prelude::*;

use super::ecommerce;
use super::items::{Dice, item, m, n, s};
use super::profile;

/// Profiles of items dealt to so many, merged in the order of the dice.
fn dealt(items: &[String], parts: usize, dice: &mut Dice) -> Profile {
    let mut profiles: Vec<Profile> =
        (0..parts).map(|_| Profile::new(TableHint::default())).collect();
    let mut tape = Tape::new();
    for item in items {
        let to = dice.below(parts as u64) as usize;
        profiles[to].observe(tape.scan(item.as_bytes()).unwrap());
    }
    while profiles.len() > 1 {
        let at = dice.below(profiles.len() as u64 - 1) as usize;
        let right = profiles.remove(at + 1);
        let left = profiles.remove(at);
        let merged = if dice.below(2) == 0 { left.merge(right) } else { right.merge(left) };
        profiles.insert(at, merged);
    }
    profiles.remove(0)
}

fn shuffled(items: &[String], dice: &mut Dice) -> Vec<String> {
    let mut items = items.to_vec();
    for at in (1..items.len()).rev() {
        items.swap(at, dice.below(at as u64 + 1) as usize);
    }
    items
}

/// Items of any shape: words that are values, mixed types, attributes that come and go, maps with
/// many names.
fn any_items(seed: u64, count: u64) -> Vec<String> {
    let dice = &mut Dice(seed);
    let words = |dice: &mut Dice| {
        let letter = |dice: &mut Dice| char::from(b'a' + dice.below(5) as u8);
        (0..1 + dice.below(3)).map(|_| letter(dice)).collect::<String>()
    };
    (0..count)
        .map(|number| {
            let tag = dice.one_of(&["A", "B", "CC"]);
            let word = words(dice);
            let mut attributes = vec![("PK", s(format!("{tag}#{word}")))];
            match dice.below(3) {
                0 => attributes.push(("SK", s(&word))),
                1 => attributes.push(("SK", s(format!("X#{}", dice.below(40))))),
                _ => attributes.push(("SK", s(format!("{}#{number}", words(dice))))),
            }
            if dice.below(2) == 0 {
                attributes.push(("kind", s(tag)));
            }
            if dice.below(3) > 0 {
                attributes.push(("word", s(&word)));
            }
            let value = match dice.below(4) {
                0 => s(dice.day(2020)),
                1 => n(format!("{}.{}", dice.below(9), dice.below(99))),
                2 => r#"{"NULL":true}"#.to_owned(),
                _ => s("01/02/2021"),
            };
            attributes.push(("value", value));
            let name = format!("k{}", dice.below(90));
            attributes.push(("map", m(&[(&name, m(&[("a", n(1)), ("b", s("x"))]))])));
            item(&attributes)
        })
        .collect()
}

/// Items with keys of indexes: the same words in several, nothing in some places, numbers and bytes.
fn indexed_items(seed: u64, count: u64) -> Vec<String> {
    let dice = &mut Dice(seed);
    let forms: Vec<u64> = (0..6).map(|_| dice.below(10)).collect();
    let key = |dice: &mut Dice, form: u64, id: u64| match form {
        0 => s(format!("user_{id}")),
        1 => s(format!("U#user_{id}")),
        2 => s(format!("U#{id}")),
        3 => s(format!("U#{id}#{}", dice.below(4))),
        4 => s(format!("U#{}", ["", "x", "y"][dice.below(3) as usize])),
        5 => s(format!("{}#{id}##end", dice.one_of(&["A", "B"]))),
        6 => n(1_600_000_000 + id),
        7 => format!(r#"{{"B":"{}"}}"#, dice.one_of(&["AA==", "a/b/", "////"])),
        8 => s("a#b#c#d#e#f#g#h#i"),
        _ => s(format!("{}{id}", dice.one_of(&["", "#", "/", "a:"]))),
    };
    (0..count)
        .map(|number| {
            let id = dice.below(30);
            let mut attributes = vec![("PK", key(dice, forms[0] % 4, id))];
            attributes.push(("SK", key(dice, [1, 2, 6][forms[1] as usize % 3], number)));
            for (name, form) in ["GSI1PK", "GSI1SK", "GSI2PK"].into_iter().zip(&forms[2..]) {
                if dice.below(40) > 0 {
                    let id = if form % 2 == 0 { id } else { number };
                    attributes.push((name, key(dice, *form, id)));
                }
            }
            attributes.push(("id", s(id.to_string())));
            item(&attributes)
        })
        .collect()
}

/// Whether some entity of the model takes the item.
fn is_taken(model: &Model, item: &str) -> bool {
    let mut tape = Tape::new();
    let item = tape.scan(item.as_bytes()).unwrap();
    let seen = |attribute: &str| match item.get(attribute) {
        None => Seen::Missing,
        Some(ValueView::S(text)) => Seen::Text(text.as_str()),
        Some(ValueView::N(text)) => Seen::Number(text.into()),
        Some(ValueView::B(text)) => Seen::Bytes(text.as_str()),
        Some(_) => Seen::Other,
    };
    model.entities.iter().any(|entity| entity.unnest.is_none() && entity.matcher.matches(seen))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_item_is_of_what_is_proposed(seed in any::<u64>(), count in 1u64..60) {
        let items = indexed_items(seed, count);
        let toml = Proposal::from(&profile(&items)).to_toml();
        let model = Model::parse(&toml).unwrap_or_else(|error| panic!("{error}\n{toml}"));
        for item in &items {
            prop_assert!(is_taken(&model, item), "{item} is of nothing in\n{toml}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_proposal_does_not_depend_on_how_items_are_dealt(
        seed in any::<u64>(), count in 1u64..300, parts in 1usize..6,
    ) {
        let items = any_items(seed, count);
        let whole = Proposal::from(&profile(&items)).to_toml();
        let dice = &mut Dice(seed ^ 77);
        let items = shuffled(&items, dice);
        let merged = Proposal::from(&dealt(&items, parts, dice)).to_toml();
        prop_assert_eq!(whole, merged);
    }
}

#[test]
fn the_articles_table_dealt_to_three_is_the_same() {
    let items = ecommerce::items(120);
    let dice = &mut Dice(9);
    let whole = Proposal::from(&profile(&items)).to_toml();
    let items = shuffled(&items, dice);
    assert_eq!(Proposal::from(&dealt(&items, 3, dice)).to_toml(), whole);
}
