//! A library's table, in which no attribute says what an item is: only the keys do.
//!
//! Members borrow copies of books at branches. Books have one author, copies stand in a branch,
//! a loan's key begins with the day.

use keystar_star::Name;

use super::is_golden;
use super::items::{Dice, item, n, s};

fn items() -> Vec<String> {
    let dice = &mut Dice(2);
    let mut items = Vec::new();
    let branches = ["central", "harbour", "hillside", "northgate"];
    for (number, branch) in branches.iter().enumerate() {
        items.push(item(&[
            ("pk", s(format!("BRANCH#{branch}"))),
            ("sk", s("METADATA")),
            ("branch_name", s(format!("Library at {branch}"))),
            ("city", s(["Bergen", "Oslo"][number % 2])),
            ("opened", s(format!("19{}0-05-0{}", 6 + number, 1 + number))),
        ]));
    }
    let genres = ["crime", "fantasy", "history", "poetry", "science"];
    let mut copies: Vec<(String, String)> = Vec::new();
    for book in 0..80 {
        let isbn = format!("978{:010}", 1_000_000 + dice.below(1 << 31));
        items.push(item(&[
            ("pk", s(format!("BOOK#{isbn}"))),
            ("sk", s("METADATA")),
            (
                "title",
                s(format!(
                    "The {} of Number {book}",
                    dice.one_of(&["Rise", "Fall", "Dream", "Song"])
                )),
            ),
            ("author", s(format!("{} Writer", dice.one_of(&["Ada", "Ben", "Cleo", "Dan"])))),
            ("genre", s(dice.one_of(&genres))),
            ("published", n(1950 + dice.below(70))),
        ]));
        for copy in 0..1 + dice.below(3) {
            let barcode = format!("{:08}", 10_000_000 + book * 10 + copy);
            items.push(item(&[
                ("pk", s(format!("BOOK#{isbn}"))),
                ("sk", s(format!("COPY#{barcode}"))),
                ("gsi1pk", s(format!("COPY#{barcode}"))),
                ("branch", s(dice.one_of(&branches))),
                ("condition", s(dice.one_of(&["good", "new", "worn"]))),
            ]));
            copies.push((isbn.clone(), barcode));
        }
    }
    for member in 0..150 {
        let member = format!("M{:05}", 300 + member * 7);
        items.push(item(&[
            ("pk", s(format!("MEMBER#{member}"))),
            ("sk", s("METADATA")),
            ("name", s(format!("{} Reader", dice.one_of(&["Ines", "Jon", "Kaja", "Lars"])))),
            ("joined", s(dice.day(2015))),
            ("student", format!(r#"{{"BOOL":{}}}"#, dice.below(3) == 0)),
        ]));
        for _ in 0..dice.below(6) {
            let (isbn, barcode) = &copies[dice.below(copies.len() as u64) as usize];
            let day = dice.day(2022);
            let mut loan = vec![
                ("pk", s(format!("MEMBER#{member}"))),
                ("sk", s(format!("LOAN#{day}#{barcode}"))),
                ("isbn", s(isbn)),
                ("barcode", s(barcode)),
                ("loan_date", s(&day)),
                (
                    "due",
                    s(format!(
                        "{}-{:02}-{:02}",
                        2022 + dice.below(3),
                        1 + dice.below(12),
                        1 + dice.below(28)
                    )),
                ),
                ("renewals", n(dice.below(4))),
            ];
            if dice.below(3) == 0 {
                loan.push(("fine", n(format!("{}.{}", dice.below(20), 5 * (1 + dice.below(9))))));
            }
            items.push(item(&loan));
        }
    }
    items
}

#[test]
fn a_library_without_types_is_understood() {
    let model = is_golden(&items(), "library");
    let name = |name: &str| Name::new(name).unwrap();
    let names: Vec<&str> = model.entities.iter().map(|entity| entity.name.as_str()).collect();
    assert_eq!(names, ["book", "branch", "copy", "member", "loan"]);
    let loans = model.fact(&name("loans")).unwrap();
    let roles: Vec<&str> = loans.dimensions.iter().map(|role| role.role.as_str()).collect();
    assert_eq!(roles, ["book", "copy", "member", "branch", "date", "due"]);
}
