//! What is proposed for tables of three trades, and for tables that mean no good.

mod ecommerce;
mod hints;
mod hostile;
mod items;
mod keys;
mod laws;
mod library;
mod streaming;

use keystar_item::scan::Tape;
use keystar_star::Model;
use keystar_star::infer::{Profile, Proposal, TableHint};

/// The profile of items, in DynamoDB JSON.
fn profile(items: &[String]) -> Profile {
    let mut profile = Profile::new(TableHint::default());
    let mut tape = Tape::new();
    for item in items {
        profile.observe(tape.scan(item.as_bytes()).expect("an item"));
    }
    profile
}

/// Compares the proposal with what a person would write, and checks it as the tool does.
fn is_golden(items: &[String], name: &str) -> Model {
    let proposal = Proposal::from(&profile(items));
    let toml = proposal.to_toml();
    let path = format!("{}/../../tests/golden/infer/{name}/model.toml", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &toml).expect("the golden is written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden is there");
    assert!(toml == golden, "{path} differs; UPDATE_GOLDENS=1 writes it. Proposed:\n{toml}");
    match Model::parse(&toml) {
        Ok(model) => model,
        Err(error) => panic!("{error}\n{toml}"),
    }
}
