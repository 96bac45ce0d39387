//! A strategy of one's own in one file, and the contract that every strategy gets checked by: `cargo run -p oddsmith-strategy --example
//! own_strategy`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is run by a person")]

use oddsmith_domain::{DesiredQuote, Mode, Outcome, Reason, Route, Shares, Side};
use oddsmith_strategy::testing::{self, Scene};
use oddsmith_strategy::{Decision, Strategy, View};

/// Wants to buy YES one tick under other people's best bid, as long as less than a hundred shares are held.
struct Patient;

impl Strategy for Patient {
    fn name(&self) -> &'static str {
        "patient"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evaluate(&mut self, view: &View<'_>, decision: &mut Decision) {
        for market in view.markets {
            let rest = decision.set(market.id, Mode::OneSidedBuy);
            let (Some(tick), Some(min_size)) = (market.card.tick, market.card.min_size) else {
                rest.stop(Reason::CardIncomplete);
                continue;
            };
            let Some(best) = market.best_of_others(Side::Buy) else {
                rest.stop(Reason::NoBook);
                continue;
            };
            let price = best.price.saturating_add_units(-i32::from(tick.units()));
            if !tick.admits(price) {
                rest.stop(Reason::NoPrice);
            } else if market.net() >= Shares::from_whole(100) {
                rest.stop(Reason::InventoryLimit);
            } else {
                let (outcome, side, size) = (Outcome::Yes, Side::Buy, min_size);
                rest.quotes.push(DesiredQuote { outcome, side, price, size, route: Route::Materialise });
                rest.because(Reason::Quoting);
            }
        }
    }
}

fn main() {
    let wanted = Scene::default().ask_of(&mut Patient);
    println!("at 0.49 to 0.51 it wants {:?}", wanted.map(|rest| rest.quotes));
    match testing::check(&|| Box::new(Patient)) {
        None => println!("it holds to the contract of every strategy"),
        Some(broken) => {
            eprintln!("{broken:#?}");
            std::process::exit(1);
        }
    }
}
