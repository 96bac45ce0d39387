//! Operators who wait to hear what became of their command.

use std::sync::mpsc::Sender;

use oddsmith_domain::{Command, InstanceId, OrderId, OrderState, Scope, Time};
use oddsmith_engine::Engine;

use crate::control::{Answer, Ask, Request, Settled, Word};

/// What a request means for the engine.
pub struct Wanted {
    /// The command; none for a question.
    pub command: Option<Command>,
    /// The scope that the command cancels in.
    pub cancels: Option<Scope>,
}

/// Reads a request.
///
/// # Errors
/// Why it cannot be done, in words.
pub fn wanted(request: &Request, engine: &Engine) -> Result<Wanted, String> {
    let scope = scope(request, engine)?;
    let (command, cancels) = match request.command {
        Word::Stop => (Some(Command::Stop), Some(Scope::Wallet)),
        Word::Resume => (Some(Command::Resume), None),
        Word::Shutdown => (Some(Command::Shutdown), Some(Scope::Wallet)),
        Word::Status => (None, None),
        Word::Kill => (Some(Command::Kill), Some(Scope::Wallet)),
        Word::Reset => (Some(Command::Reset), None),
        Word::Reduce => (Some(Command::Reduce(scope)), None),
        Word::Halt => (Some(Command::Halt(scope)), Some(scope)),
        Word::Activate => (Some(Command::Activate(scope)), None),
    };
    let scoped = matches!(request.command, Word::Status | Word::Reduce | Word::Halt | Word::Activate);
    if scope != Scope::Wallet && !scoped {
        return Err(
            "this command is for everything: `halt`, `reduce` and `activate` take a market or an instance".to_owned()
        );
    }
    Ok(Wanted { command, cancels })
}

/// What a request is about.
fn scope(request: &Request, engine: &Engine) -> Result<Scope, String> {
    match (&request.market, &request.instance) {
        (None, None) => Ok(Scope::Wallet),
        (Some(slug), None) => {
            let named = engine.cards().find(|(_, card)| card.slug == *slug).map(|(id, _)| Scope::Market(id));
            named.ok_or_else(|| unknown(slug, engine.cards().map(|(_, card)| card.slug.as_str())))
        }
        (None, Some(name)) => {
            let named = (0u16..).zip(engine.instance_names()).find(|(_, known)| known == name);
            named.map(|(id, _)| Scope::Instance(InstanceId(id))).ok_or_else(|| unknown(name, engine.instance_names()))
        }
        (Some(_), Some(_)) => Err("a market or an instance is meant, not both".to_owned()),
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.take(20).collect();
    format!("the run does not trade `{name}`; it trades {}", known.join(", "))
}

/// Answers; an operator who has hung up does not care.
pub fn answer(reply: &Sender<Answer>, answer: Answer) {
    let _ = reply.send(answer);
}

/// One who waits for the venue to show that nothing is left.
struct Waiting {
    scope: Scope,
    orders: Vec<OrderId>,
    until: u64,
    reply: Sender<Answer>,
}

/// All who wait.
#[derive(Default)]
pub struct Attendance {
    waiting: Vec<Waiting>,
}

impl Attendance {
    /// One more: `orders` were open when the command came.
    pub fn add(&mut self, ask: &Ask, scope: Scope, orders: Vec<OrderId>, now: Time) {
        if ask.request.wait_ms > 0 {
            let until = now.plus_ns(ask.request.wait_ms.saturating_mul(Time::MILLI)).mono_ns;
            self.waiting.push(Waiting { scope, orders, until, reply: ask.reply.clone() });
        }
    }

    /// Answers those whose scope is shown empty, and those whose time is up.
    pub fn look(&mut self, engine: &Engine, now: Time) {
        self.waiting.retain(|one| {
            let waits = !engine.is_shown_empty(one.scope) && now.mono_ns < one.until;
            if !waits {
                one.tell(engine);
            }
            waits
        });
    }

    /// Answers all: the run ends.
    pub fn dismiss(&mut self, engine: &Engine) {
        self.waiting.drain(..).for_each(|one| one.tell(engine));
    }
}

impl Waiting {
    fn tell(&self, engine: &Engine) {
        let state = |id: &OrderId| engine.order_state(id).unwrap_or(OrderState::Unknown);
        let orders = self.orders.iter().map(|id| (*id, state(id))).collect();
        answer(&self.reply, Answer::Settled(Settled { shown: engine.is_shown_empty(self.scope), orders }));
    }
}
