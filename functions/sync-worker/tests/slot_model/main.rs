//! The run of a sync as a model, explored exhaustively: the slot, the checkpoints and how a run is handed from worker to worker.
//! Three sync workers that crash at any step or lose their lease while they live; messages that come twice or never; a watch
//! that sends again what is under way; a source that changes and says so by webhook; a person who cancels.
//!
//! `world` is what tables and queues hold; `protocol` (and `resources`) has one action for each request that the code makes: `start` is
//! `store::start_run`, `Wish` is `want_another`, `claim` is `claim_job`, `Writes` is `checkpoint`, `end` is `finish_run`,
//! `LetsGo` is `release_job`, and a resource worker fetches, records and reports. Beside the protocol itself stand variants
//! that leave out one thing that protects it. They are expected to fail: that shows that the model would notice.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what is not where the model says it is is an error in the model, and fails the test"
)]

mod protocol;
mod resources;
mod world;

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use stateright::{Checker, Expectation, Model, Property};

use protocol::{Action, Protocol};
use world::{Mishaps, Step, World};

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        self.actions_in(world, actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.after(world, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_STALE_WRITE, |_, world: &World| !world.broken.stale_write),
            Property::always(ONE_HOLDER, |_, world: &World| {
                world.workers.iter().filter_map(Step::turn).filter(|turn| world.holds(*turn)).count() <= 1
            }),
            Property::always(SLOT_AND_JOB, |_, world: &World| {
                world.row.active == (!world.job.is_final).then_some(world.job.run)
            }),
            Property::always(NOTHING_SKIPPED, |_, world: &World| {
                world.row.cursor.is_none_or(|cursor| world.has_all_up_to(cursor))
            }),
            Property::always(NOTHING_OPEN, |_, world: &World| !world.broken.left_open),
            Property::always(EXACT, |_, world: &World| !world.broken.miscounted),
            Property::sometimes(LATE_WRITE, |_, world: &World| {
                let is_late = |step: &Step| matches!(step, Step::Writes(turn, _) if !world.holds(*turn));
                world.workers.iter().any(is_late)
            }),
            Property::sometimes(MIRRORED, |_, world: &World| {
                world.mishaps.changes > 0 && world.row.runs > 1 && world.is_quiet()
            }),
        ]
    }
}

const NO_STALE_WRITE: &str = "no write with an older fencing number is taken";
const ONE_HOLDER: &str = "at most one worker has the fencing number that counts";
const SLOT_AND_JOB: &str = "the slot is held by the job that has not ended";
const NOTHING_SKIPPED: &str = "the change cursor never passes what is not recorded";
const NOTHING_OPEN: &str = "no run ends well without what it handed out";
const EXACT: &str = "what a run did is in its counts";
const LATE_WRITE: &str = "a worker that lost its hold is about to write";
const MIRRORED: &str = "a change that came after the first run is mirrored in the end";
const ENDS: &str = "from everywhere the run ends and the source is mirrored";

const SOUND: Protocol = Protocol {
    is_fenced: true,
    sends_first: true,
    heeds_wishes: true,
    is_watched: true,
    hands_out_again: true,
    knows_its_own: true,
    most: NONE,
};

const NONE: Mishaps =
    Mishaps { crashes: 0, pauses: 0, copies: 0, losses: 0, watches: 0, hand_overs: 0, cancels: 0, changes: 0 };

/// Explores every world of a mixture and says what does not hold.
fn broken(protocol: &Protocol, most: Mishaps) -> Vec<&'static str> {
    let model = Protocol { most, ..protocol.clone() };
    let began = std::time::Instant::now();
    let checker = model.clone().checker().threads(2).spawn_bfs().join();
    let is_broken = |(expectation, name): &(Expectation, &'static str)| {
        *expectation == Expectation::Always && checker.discovery(name).is_some()
    };
    let properties = model.properties().into_iter().map(|property| (property.expectation, property.name));
    let mut broken: Vec<&str> = properties.filter(is_broken).map(|(_, name)| name).collect();
    broken.extend((!always_ends(&model)).then_some(ENDS));
    println!("{most:?}: {} worlds in {:.1} s", checker.unique_state_count(), began.elapsed().as_secs_f64());
    broken
}

/// Whether a world in which all is done can be reached from every world: no run is stuck, and no wish forgotten.
fn always_ends(model: &Protocol) -> bool {
    let mut places = HashMap::new();
    let mut came_from: Vec<Vec<usize>> = Vec::new();
    let mut open = VecDeque::new();
    let mut ended = Vec::new();
    let mut actions = Vec::new();
    let mut visit = |world: World, from: Option<usize>, open: &mut VecDeque<(usize, World)>| {
        let place = *places.entry(hash(&world)).or_insert_with(|| {
            let place = came_from.len();
            came_from.push(Vec::new());
            if world.is_quiet() {
                ended.push(place);
            }
            open.push_back((place, world));
            place
        });
        came_from[place].extend(from);
    };
    visit(World::new(), None, &mut open);
    while let Some((place, world)) = open.pop_front() {
        model.actions_in(&world, &mut actions);
        for action in actions.drain(..) {
            visit(model.after(&world, action), Some(place), &mut open);
        }
    }
    let mut leads_to_the_end = vec![false; came_from.len()];
    while let Some(place) = ended.pop() {
        if !std::mem::replace(&mut leads_to_the_end[place], true) {
            ended.append(&mut came_from[place]);
        }
    }
    leads_to_the_end.into_iter().all(|leads| leads)
}

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// All that does not hold in any of these mixtures of what goes wrong; everything at once would take hours to explore.
fn check(protocol: &Protocol, mixtures: &[Mishaps]) -> Vec<&'static str> {
    mixtures.iter().flat_map(|most| broken(protocol, *most)).collect()
}

#[test]
fn guarantee_01_a_run_survives_a_crash_at_every_step_and_a_lease_that_ends_too_soon() {
    let mixtures = [
        Mishaps { crashes: 2, pauses: 1, ..NONE },
        Mishaps { crashes: 1, pauses: 1, watches: 1, ..NONE },
        Mishaps { crashes: 1, pauses: 1, hand_overs: 1, ..NONE },
        Mishaps { crashes: 1, cancels: 1, ..NONE },
    ];
    assert_eq!(check(&SOUND, &mixtures), Vec::<&str>::new());
}

#[test]
fn guarantee_03_messages_that_come_twice_or_never_change_nothing() {
    let mixtures = [
        Mishaps { copies: 2, pauses: 1, ..NONE },
        Mishaps { losses: 1, crashes: 1, ..NONE },
        Mishaps { losses: 1, copies: 1, ..NONE },
    ];
    assert_eq!(check(&SOUND, &mixtures), Vec::<&str>::new());
}

#[test]
fn guarantee_09_no_change_during_a_run_is_forgotten() {
    let mixtures = [
        Mishaps { changes: 2, ..NONE },
        Mishaps { changes: 1, crashes: 1, hand_overs: 1, ..NONE },
        Mishaps { changes: 1, losses: 1, ..NONE },
        Mishaps { changes: 1, pauses: 1, watches: 1, ..NONE },
    ];
    assert_eq!(check(&SOUND, &mixtures), Vec::<&str>::new());
}

#[test]
fn the_model_comes_upon_late_writes_and_changes_during_a_run() {
    let comes_upon = |name, most| {
        let checker = Protocol { most, ..SOUND }.checker().threads(2).spawn_bfs().join();
        assert!(checker.discovery(name).is_some(), "never: {name}");
    };
    comes_upon(LATE_WRITE, Mishaps { pauses: 1, watches: 1, ..NONE });
    comes_upon(MIRRORED, Mishaps { changes: 1, ..NONE });
}

#[test]
fn without_the_fence_the_model_fails() {
    let most = Mishaps { pauses: 1, watches: 1, ..NONE };
    assert_eq!(check(&Protocol { is_fenced: false, ..SOUND }, &[most]), [NO_STALE_WRITE]);
}

#[test]
fn with_a_page_recorded_before_it_is_handed_out_the_model_fails() {
    let most = Mishaps { crashes: 1, ..NONE };
    // What is handed out again after a standstill would hide the loss, only late.
    let protocol = Protocol { hands_out_again: false, ..SOUND };
    assert_eq!(check(&protocol, &[most]), Vec::<&str>::new());
    assert_eq!(check(&Protocol { sends_first: false, ..protocol }, &[most]), [ENDS]);
}

#[test]
fn with_an_end_that_overlooks_a_wish_the_model_fails() {
    let most = Mishaps { changes: 1, ..NONE };
    assert_eq!(check(&Protocol { heeds_wishes: false, ..SOUND }, &[most]), [ENDS]);
}

#[test]
fn without_the_watch_or_a_second_hand_out_a_lost_message_stops_the_model() {
    let most = Mishaps { losses: 1, ..NONE };
    assert_eq!(check(&Protocol { is_watched: false, ..SOUND }, &[most]), [ENDS]);
    assert_eq!(check(&Protocol { hands_out_again: false, ..SOUND }, &[most]), [ENDS]);
}

#[test]
fn without_an_eye_for_what_the_run_itself_has_done_the_model_miscounts() {
    let most = Mishaps { crashes: 1, ..NONE };
    assert_eq!(check(&Protocol { knows_its_own: false, ..SOUND }, &[most]), [EXACT]);
}
