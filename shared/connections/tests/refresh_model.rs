//! The refresh of a token as a model, explored exhaustively: three workers, a lease with fencing numbers, a journal, a provider
//! that rotates refresh tokens; a crash at every step, leases that end while their holder is only paused, answers that
//! do not come, a person who connects again meanwhile.
//!
//! The model has one action for each request that the code makes: `Take`, `Save`, `Record` and `GiveBack` are the four
//! conditional writes of `store::tokens`; `Ask` is the provider's work, apart from its answer. What to do after a refusal is
//! decided by the function that production asks (`RefreshTokens::after_refusal`). Two variants of the model leave out what
//! protects it, the fence and the journal, and are expected to fail: they show that the model would notice.
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use providers::RefreshTokens;
use providers::refresh_tokens::AfterRefusal;
use stateright::{Checker, Model, Property};

const WORKERS: usize = 3;
/// The version of the tokens that the workers want; the first is 1.
const WANTED: u8 = 3;
/// Fencing numbers of a new connection start at the next multiple of this; in the table it is 2³².
const CONNECTION: u8 = 32;

/// The protocol and what may go wrong how often.
#[derive(Clone)]
struct Refreshing {
    provider: RefreshTokens,
    /// Whether writes are conditional on the fencing number.
    fenced: bool,
    /// Whether taking the lease announces the request.
    journaled: bool,
    crashes: u8,
    /// Leases that end while their holder lives.
    pauses: u8,
    /// Answers that do not come.
    silences: u8,
    reconnections: u8,
}

/// The integration's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Row {
    /// Which refresh token it has. Tokens are numbered in the order in which the provider gave them.
    token: u8,
    version: u8,
    fence: u8,
    leased: bool,
    /// Whether a request stands open in the journal.
    open: bool,
    /// TOKEN_EXPIRED.
    dead: bool,
}

/// What a worker knows of the row and of its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Held {
    fence: u8,
    token: u8,
    version: u8,
    /// An earlier request stood open when the lease was taken.
    unanswered: bool,
    refusals: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Idle,
    /// Has the lease and is about to ask.
    Holds(Held),
    /// The provider has done its work; the answer (a new token, or a refusal) is on its way.
    Waits(Held, Option<u8>),
    /// The answer did not come.
    Silent(Held),
    /// Has a new token that nobody else has.
    Has(Held, u8),
    /// Was refused and is about to look at the row.
    Refused(Held),
    /// Is about to record that the connection is dead.
    Condemns(Held),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Worker {
    step: Step,
    /// A token that could not be saved, with the one that it follows.
    unsaved: Option<(u8, u8)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    row: Row,
    /// The newest token that the provider gave, which is the one it accepts.
    newest: u8,
    /// The tokens from before the present connection are below this.
    connected_from: u8,
    workers: Vec<Worker>,
    crashes: u8,
    pauses: u8,
    silences: u8,
    reconnections: u8,
    /// The tokens that the provider was asked with, a bit for each.
    asked: u32,
    /// Those among them that somebody offered who knew of an earlier request.
    asked_knowingly: u32,
    /// A token was offered twice, and nobody of those who did knew of the other.
    offered_unknowingly: bool,
    /// An older token was written over a newer one.
    overwritten: bool,
    /// A connection was ended whose token in the row was good.
    ended_alive: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Take(usize),
    Ask(usize),
    Deliver(usize),
    Silence(usize),
    GiveBack(usize),
    Save(usize),
    Look(usize),
    Record(usize),
    Crash(usize),
    LeaseEnds,
    ConnectAgain,
}

impl Refreshing {
    /// What may go wrong, in two mixtures; all of it at once would take hours to explore and show nothing more.
    fn rotating(provider: RefreshTokens) -> [Self; 2] {
        let sound =
            Self { provider, fenced: true, journaled: true, crashes: 1, pauses: 1, silences: 0, reconnections: 0 };
        [Self { crashes: 2, pauses: 2, silences: 1, ..sound.clone() }, Self { pauses: 2, reconnections: 1, ..sound }]
    }

    /// Whether the row still is as the lease's number says.
    fn may_write(&self, row: &Row, held: Held) -> bool {
        !self.fenced || row.fence == held.fence
    }
}

impl World {
    /// Whether the holder of the present lease lives.
    fn holder_lives(&self) -> bool {
        self.workers.iter().any(|worker| worker.step.held().is_some_and(|held| held.fence == self.row.fence))
    }
}

impl Step {
    fn held(&self) -> Option<Held> {
        match *self {
            Self::Idle => None,
            Self::Holds(held)
            | Self::Waits(held, _)
            | Self::Silent(held)
            | Self::Has(held, _)
            | Self::Refused(held)
            | Self::Condemns(held) => Some(held),
        }
    }
}

impl Model for Refreshing {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let row = Row { token: 1, version: 1, fence: 0, leased: false, open: false, dead: false };
        vec![World {
            row,
            newest: 1,
            connected_from: 1,
            workers: vec![Worker { step: Step::Idle, unsaved: None }; WORKERS],
            crashes: 0,
            pauses: 0,
            silences: 0,
            reconnections: 0,
            asked: 0,
            asked_knowingly: 0,
            offered_unknowingly: false,
            overwritten: false,
            ended_alive: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let row = &world.row;
        for (w, worker) in world.workers.iter().enumerate() {
            match worker.step {
                Step::Idle if !row.dead && !row.leased && row.version < WANTED => actions.push(Action::Take(w)),
                Step::Idle => {}
                Step::Holds(_) => actions.push(Action::Ask(w)),
                Step::Waits(..) => {
                    actions.push(Action::Deliver(w));
                    if world.silences < self.silences {
                        actions.push(Action::Silence(w));
                    }
                }
                Step::Silent(_) => actions.push(Action::GiveBack(w)),
                Step::Has(..) => actions.push(Action::Save(w)),
                Step::Refused(_) => actions.push(Action::Look(w)),
                Step::Condemns(_) => actions.push(Action::Record(w)),
            }
            if worker.step != Step::Idle && world.crashes < self.crashes {
                actions.push(Action::Crash(w));
            }
        }
        if row.leased && (!world.holder_lives() || world.pauses < self.pauses) {
            actions.push(Action::LeaseEnds);
        }
        if world.reconnections < self.reconnections {
            actions.push(Action::ConnectAgain);
        }
    }

    fn next_state(&self, before: &World, action: Action) -> Option<World> {
        let mut world = before.clone();
        let row = &mut world.row;
        match action {
            Action::Take(w) => {
                row.fence += 1;
                row.leased = true;
                let (fence, unanswered) = (row.fence, row.open);
                row.open = self.journaled;
                let held = Held { fence, token: row.token, version: row.version, unanswered, refusals: 0 };
                let worker = &mut world.workers[w];
                worker.step = match worker.unsaved {
                    Some((follows, token)) if follows == held.token => Step::Has(held, token),
                    _ => Step::Holds(held),
                };
            }
            Action::Ask(w) => {
                let Step::Holds(held) = world.workers[w].step else { return None };
                let (bit, asked) = (1 << held.token, world.asked);
                let is_first = asked & bit == 0;
                world.asked |= bit;
                world.asked_knowingly |= if held.unanswered { bit } else { 0 };
                // A holder that was paused before it asked may ask late; whoever took its lease knows that it might.
                let is_known = world.asked_knowingly & bit != 0 || held.refusals > 0;
                world.offered_unknowingly |= !is_first && !is_known;
                let good = match self.provider {
                    RefreshTokens::RotatedOnce | RefreshTokens::Kept => held.token == world.newest,
                    RefreshTokens::RotatedWithGrace(_) => {
                        held.token >= world.connected_from && held.token + 1 >= world.newest
                    }
                };
                let answer = good.then(|| {
                    // Within its grace the same request brings the same answer.
                    world.newest = world.newest.max(held.token + 1);
                    world.newest
                });
                world.workers[w].step = Step::Waits(held, answer);
            }
            Action::Deliver(w) => {
                let Step::Waits(held, answer) = world.workers[w].step else { return None };
                world.workers[w].step = answer.map_or(Step::Refused(held), |token| Step::Has(held, token));
            }
            Action::Silence(w) => {
                let Step::Waits(held, _) = world.workers[w].step else { return None };
                world.silences += 1;
                world.workers[w].step = Step::Silent(held);
            }
            Action::GiveBack(w) => {
                let Step::Silent(held) = world.workers[w].step else { return None };
                if self.may_write(row, held) {
                    row.leased = false;
                }
                world.workers[w].step = Step::Idle;
            }
            Action::Save(w) => {
                let Step::Has(held, token) = world.workers[w].step else { return None };
                let worker = &mut world.workers[w];
                worker.step = Step::Idle;
                if self.may_write(row, held) && row.version <= held.version {
                    world.overwritten |= token < row.token;
                    (row.token, row.version) = (token, held.version + 1);
                    (row.leased, row.open) = (false, false);
                    worker.unsaved = None;
                } else {
                    worker.unsaved = (row.token == held.token).then_some((held.token, token));
                }
            }
            Action::Look(w) => {
                let Step::Refused(held) = world.workers[w].step else { return None };
                let held = Held { refusals: held.refusals + 1, ..held };
                let unanswered = held.unanswered.then_some(Duration::ZERO);
                world.workers[w].step = if row.dead || row.token != held.token {
                    Step::Idle
                } else {
                    match self.provider.after_refusal(unanswered, held.refusals.into()) {
                        AfterRefusal::AskAgain => Step::Holds(held),
                        AfterRefusal::Dead | AfterRefusal::Lost => Step::Condemns(held),
                    }
                };
            }
            Action::Record(w) => {
                let Step::Condemns(held) = world.workers[w].step else { return None };
                world.workers[w].step = Step::Idle;
                if self.may_write(row, held) {
                    world.ended_alive |= row.token == world.newest;
                    (row.dead, row.leased, row.open) = (true, false, false);
                }
            }
            Action::Crash(w) => {
                world.crashes += 1;
                world.workers[w] = Worker { step: Step::Idle, unsaved: None };
            }
            Action::LeaseEnds => {
                world.pauses += u8::from(before.holder_lives());
                row.leased = false;
            }
            // Disconnected and connected again: versions start anew, fencing numbers do not.
            Action::ConnectAgain => {
                world.reconnections += 1;
                world.newest += 1;
                world.connected_from = world.newest;
                let fence = (row.fence / CONNECTION + 1) * CONNECTION;
                *row = Row { token: world.newest, version: 1, fence, leased: false, open: false, dead: false };
            }
        }
        // Workers are alike: worlds that differ in their order only are one.
        world.workers.sort_unstable();
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no token is offered twice unknowingly", |_, world: &World| !world.offered_unknowingly),
            Property::always("no token is written over a newer one", |_, world: &World| !world.overwritten),
            Property::always("no connection is ended that lives", |_, world: &World| !world.ended_alive),
            Property::eventually("it ends with a good pair, or dead where it is lost", |_, world: &World| {
                world.row.dead || (world.row.version >= WANTED && world.row.token == world.newest)
            }),
            Property::always("within a grace nothing is lost", |model: &Self, world: &World| {
                !matches!(model.provider, RefreshTokens::RotatedWithGrace(_)) || !world.row.dead
            }),
            Property::sometimes("a crash is survived", |_, world: &World| {
                world.crashes > 0 && world.row.version >= WANTED
            }),
            Property::sometimes("a late write is refused", |_, world: &World| {
                world.workers.iter().any(|worker| worker.unsaved.is_some())
            }),
        ]
    }
}

/// Explores the whole space of each mixture and says which properties do not hold.
fn broken(models: [Refreshing; 2]) -> Vec<&'static str> {
    models.into_iter().flat_map(broken_in).collect()
}

fn broken_in(model: Refreshing) -> Vec<&'static str> {
    let properties: Vec<_> = model.properties().iter().map(|p| (p.expectation.clone(), p.name)).collect();
    let began = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    assert!(checker.is_done());
    println!("{} worlds in {:.1} s", checker.unique_state_count(), began.elapsed().as_secs_f64());
    let is_broken = |(expectation, name): &(stateright::Expectation, &'static str)| {
        checker.discovery(name).is_some() != (*expectation == stateright::Expectation::Sometimes)
    };
    properties.into_iter().filter(is_broken).map(|(_, name)| name).collect()
}

#[test]
fn guarantee_26_a_token_that_is_rotated_once_is_never_lost_by_us_alone() {
    assert_eq!(broken(Refreshing::rotating(RefreshTokens::RotatedOnce)), Vec::<&str>::new());
}

#[test]
fn guarantee_26_a_token_with_a_grace_survives_every_crash() {
    let grace = RefreshTokens::RotatedWithGrace(Duration::from_secs(600));
    assert_eq!(broken(Refreshing::rotating(grace)), Vec::<&str>::new());
}

#[test]
fn guarantee_27_without_the_fence_the_model_fails() {
    let models = Refreshing::rotating(RefreshTokens::RotatedOnce);
    let broken = broken(models.map(|model| Refreshing { fenced: false, ..model }));
    assert!(broken.contains(&"no token is written over a newer one"), "{broken:?}");
    assert!(broken.contains(&"no connection is ended that lives"), "{broken:?}");
}

#[test]
fn guarantee_26_without_the_journal_the_model_fails() {
    let models = Refreshing::rotating(RefreshTokens::RotatedOnce);
    let broken = broken(models.map(|model| Refreshing { journaled: false, ..model }));
    assert!(broken.contains(&"no token is offered twice unknowingly"), "{broken:?}");
}
