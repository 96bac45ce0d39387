//! Paper trading: market data from the venue, orders to a venue that exists on paper.

use std::collections::BTreeMap;

use oddsmith_domain::{
    Action, ActionSeq, FetchWhat, GatewayOutcome, Input, Link, MarketCard, MarketId, MarketSource, Restore, Time, Usdc,
};
use oddsmith_engine::{Lanes, OwnedInput};
use oddsmith_net::Intake;
use oddsmith_paper::{PaperInput, PaperSettings, PaperVenue};

/// The paper venue, between the edge and the lanes.
pub struct PaperDesk {
    venue: PaperVenue,
    /// Questions how a market was decided: the answer is for the paper venue too.
    asked: BTreeMap<ActionSeq, MarketId>,
}

impl PaperDesk {
    /// A desk at which an account begins with what the settings give it, or with what the run before left.
    pub fn new(settings: PaperSettings, before: Option<&Restore>) -> PaperDesk {
        let venue = match before {
            Some(before) => PaperVenue::after(settings, before),
            None => PaperVenue::new(settings),
        };
        PaperDesk { venue, asked: BTreeMap::new() }
    }

    /// What the account has, for people.
    pub const fn collateral(&self) -> Usdc {
        self.venue.collateral()
    }

    /// Learns a market.
    pub fn learn(&mut self, market: MarketId, card: &MarketCard) {
        self.venue.learn(market, card);
    }

    /// Takes an action if it is one for this venue; otherwise the edge must carry it out.
    pub fn takes(&mut self, seq: ActionSeq, action: &Action, now: Time) -> bool {
        match action {
            Action::Unsubscribe { markets } => markets.iter().for_each(|market| self.venue.forget(*market)),
            Action::Fetch(FetchWhat::Resolution(market)) => {
                self.asked.insert(seq, *market);
            }
            _ => {}
        }
        let takes = PaperVenue::takes(action);
        if takes {
            self.venue.act(seq, action, now);
        }
        takes
    }

    /// What has reached us by now goes into the lanes.
    pub fn hear(&mut self, lanes: &mut Lanes, now: Time) {
        self.venue.advance(now);
        while let Some(input) = self.venue.next_input() {
            lanes.push(match input {
                PaperInput::User(bytes) => OwnedInput::User(bytes),
                PaperInput::Gateway(result) => OwnedInput::Other(Input::Gateway(Box::new(result))),
            });
        }
    }

    /// When something happens by itself next.
    pub fn next_due(&self) -> Option<u64> {
        self.venue.next_due()
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.venue.is_idle()
    }
}

/// The way from the edge into the lanes, past the paper venue if there is one.
pub struct IntoLanes<'a> {
    pub lanes: &'a mut Lanes,
    pub paper: Option<&'a mut PaperDesk>,
    pub now: Time,
}

impl Intake for IntoLanes<'_> {
    fn frame(&mut self, source: MarketSource, bytes: &[u8]) {
        if let Some(paper) = &mut self.paper {
            paper.venue.frame(bytes, self.now);
        }
        self.lanes.push_frame(source, bytes);
    }

    fn user(&mut self, bytes: &[u8]) {
        self.lanes.push(OwnedInput::User(bytes.to_vec()));
    }

    fn input(&mut self, input: Input<'static>) {
        if let Some(paper) = &mut self.paper {
            match &input {
                // On paper, what carries orders and their news always stands.
                Input::Link { link: Link::User | Link::Orders, .. } => return,
                Input::Gateway(result) => {
                    if let (Some(market), GatewayOutcome::Resolution(Ok(Some(pays)))) =
                        (paper.asked.remove(&result.action), &result.outcome)
                    {
                        paper.venue.resolve(market, *pays, self.now);
                    }
                }
                _ => {}
            }
        }
        self.lanes.push(OwnedInput::Other(input));
    }
}
