//! Eight workers on one account, before a provider that counts strictly.
//!
//! The store and its table are real, and the workers meet there as processes do. The queue is a list in memory, as late as a queue may
//! be, and the provider a sliding window. Time is the test's own: it moves on when everybody waits for it, so minutes take
//! seconds, and a slow machine changes nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use domain::Timestamp;
use domain::provider::RateLimits;
use domain::rate::{Budget, Lane, SlotState, after, slot_state};
use store::{Held, Reserved, Store};
use testkit::emulator::Emulator;
use tokio::sync::oneshot;

use crate::sample::at;

const LIMITS: RateLimits = RateLimits { per_minute: 600, per_day: None, concurrent: 20 };
const WORKERS: usize = 8;
/// What a backfill has to fetch: three minutes' worth of our share.
const BACKFILL: usize = 1260;
/// Between these seconds it is measured how much of our share the backfill uses: before it begins, after it thins out.
const FROM: u32 = 10;
const TO: u32 = 160;
const KEY: &str = "google_drive#ada";
const HORIZON: Duration = Duration::from_secs(900);
/// What a request to the store takes in the test's time.
const REQUEST: Duration = Duration::from_millis(15);
const CALL: Duration = Duration::from_millis(300);

/// Time that moves on when all who are active have come to wait.
struct Time(Mutex<Waiting>);

struct Waiting {
    now: Timestamp,
    active: usize,
    sleepers: BTreeMap<(Timestamp, usize), oneshot::Sender<()>>,
    number: usize,
}

impl Time {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    /// One more who is active.
    fn enter(&self) {
        self.0.lock().unwrap().active += 1;
    }

    /// One less: the others go on.
    fn leave(&self) {
        let mut waiting = self.0.lock().unwrap();
        waiting.active -= 1;
        waiting.move_on();
    }

    async fn pass(&self, time: Duration) {
        let woken = {
            let mut waiting = self.0.lock().unwrap();
            let (wake, woken) = oneshot::channel();
            let key = (after(waiting.now, time), waiting.number);
            waiting.number += 1;
            waiting.sleepers.insert(key, wake);
            waiting.active -= 1;
            waiting.move_on();
            woken
        };
        woken.await.unwrap();
    }
}

impl Waiting {
    /// Wakes all who are to wake next. The dead do not wake.
    fn move_on(&mut self) {
        while self.active == 0
            && let Some((&(next, _), _)) = self.sleepers.first_key_value()
        {
            self.now = next;
            while let Some(first) = self.sleepers.first_entry().filter(|first| first.key().0 == next) {
                self.active += usize::from(first.remove().send(()).is_ok());
            }
        }
    }
}

/// A message on the queue.
#[derive(Debug, Clone, Copy)]
struct Message {
    live: bool,
    slot: Option<Timestamp>,
    /// When the queue delivers it.
    visible_at: Timestamp,
}

/// The provider as it sees us.
#[derive(Default)]
struct Provider {
    calls: VecDeque<Timestamp>,
    backfilled: usize,
    announced: usize,
    /// Of the backfill's calls, how many within the time that is measured.
    measured: u32,
    under_way: u32,
    most_in_a_minute: usize,
    most_at_once: u32,
    /// Slots that were not used because their time had passed.
    lapsed: usize,
    /// Times that no connection was free.
    busy: usize,
}

/// What all share.
struct World {
    time: Time,
    budget: Budget,
    queue: Mutex<Vec<Message>>,
    provider: Mutex<Provider>,
    random: Mutex<u64>,
}

impl World {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// A number below `below`, the same ones in every run.
    fn random(&self, below: u64) -> u64 {
        let mut state = self.random.lock().unwrap();
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }

    /// Sends a message: it comes on the next whole second after its slot is due, and up to seven later.
    fn send(&self, live: bool, slot: Option<Timestamp>) {
        let late = i64::try_from(1 + self.random(8)).unwrap();
        self.send_after(live, slot, late);
    }

    fn send_after(&self, live: bool, slot: Option<Timestamp>, late: i64) {
        let due = slot.unwrap_or_else(|| self.now()).max(self.now());
        let visible_at = at((due - at(0)).num_seconds() + late);
        self.queue.lock().unwrap().push(Message { live, slot, visible_at });
    }

    /// Up to ten messages that are due.
    fn receive(&self) -> Vec<Message> {
        let (mut queue, now) = (self.queue.lock().unwrap(), self.now());
        let mut taken = Vec::new();
        queue.retain(|message| {
            let take = taken.len() < 10 && message.visible_at <= now;
            if take {
                taken.push(*message);
            }
            !take
        });
        taken
    }

    /// Calls at the provider, side by side.
    async fn call(&self, messages: &[Message]) {
        let under_way = UnderWay(self, u32::try_from(messages.len()).unwrap());
        {
            let (mut provider, now) = (self.provider.lock().unwrap(), self.now());
            for message in messages {
                while provider.calls.front().is_some_and(|first| now - *first >= TimeDelta::minutes(1)) {
                    provider.calls.pop_front();
                }
                provider.calls.push_back(now);
                *if message.live { &mut provider.announced } else { &mut provider.backfilled } += 1;
                provider.measured += u32::from(!message.live && (at(FROM.into())..at(TO.into())).contains(&now));
                provider.most_in_a_minute = provider.most_in_a_minute.max(provider.calls.len());
            }
            provider.under_way += under_way.1;
            provider.most_at_once = provider.most_at_once.max(provider.under_way);
        }
        self.time.pass(CALL).await;
    }
}

/// Calls, until they end or their worker dies.
struct UnderWay<'a>(&'a World, u32);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.provider.lock().unwrap().under_way -= self.1;
    }
}

/// Gives messages slots and sends them, as whoever lists or sends back does.
async fn reserve_and_send(world: &World, store: &Store, live: bool, mut count: usize) -> Result<()> {
    let lane = if live { Lane::Live } else { Lane::Backfill };
    while count > 0 {
        let units = u32::try_from(count)?;
        world.time.pass(REQUEST).await;
        match store.reserve(KEY, &world.budget, lane, units, HORIZON, world.now()).await? {
            Reserved::Slots(slots) => {
                slots.iter().for_each(|slot| world.send(live, Some(slot)));
                count -= usize::try_from(slots.count)?;
            }
            Reserved::Wait(wait) => world.time.pass(wait).await,
        }
    }
    Ok(())
}

/// A worker, until it is stopped, or dies with what it holds in the first batch after `dies_at`.
async fn work(world: Arc<World>, store: Store, name: String, dies_at: Option<Timestamp>) -> Result<()> {
    for batch in 0.. {
        let (messages, now) = (world.receive(), world.now());
        let (good, bad): (Vec<Message>, Vec<Message>) = messages
            .into_iter()
            .partition(|message| message.slot.is_some_and(|slot| slot_state(slot, now) == SlotState::Good));
        world.provider.lock().unwrap().lapsed += bad.iter().filter(|message| message.slot.is_some()).count();
        for live in [true, false] {
            let count = bad.iter().filter(|message| message.live == live).count();
            reserve_and_send(&world, &store, live, count).await?;
        }
        if good.is_empty() {
            world.time.pass(Duration::from_millis(100)).await;
            continue;
        }
        let (holder, want) = (format!("{name}#{batch}"), u32::try_from(good.len())?);
        world.time.pass(REQUEST).await;
        let now = world.now();
        match store.hold(KEY, &world.budget, &holder, want, now + TimeDelta::seconds(60), now).await? {
            Held::Some(count) => {
                if dies_at.is_some_and(|moment| world.now() >= moment) {
                    world.time.leave();
                    return Ok(());
                }
                for some in good.chunks(usize::try_from(count)?) {
                    let is_good = |slot| slot_state(slot, world.now()) == SlotState::Good;
                    let (good, late): (Vec<Message>, Vec<Message>) =
                        some.iter().partition(|message| message.slot.is_some_and(is_good));
                    late.into_iter().for_each(|message| world.send(message.live, None));
                    world.call(&good).await;
                }
                world.time.pass(REQUEST).await;
                store.let_go(KEY, &holder, world.now()).await?;
            }
            Held::Wait(wait) => {
                world.provider.lock().unwrap().busy += good.len();
                let late = i64::try_from(wait.as_secs() + 1)?;
                good.into_iter().for_each(|message| world.send_after(message.live, message.slot, late));
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guarantee_47_eight_workers_break_no_limit_and_use_their_share_though_one_is_killed() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let tables = emulator.tables().await?;
    let start = Waiting { now: at(0), active: 1, sleepers: BTreeMap::new(), number: 0 };
    let world = Arc::new(World {
        time: Time(Mutex::new(start)),
        budget: LIMITS.budget(),
        queue: Mutex::default(),
        provider: Mutex::default(),
        random: Mutex::new(47),
    });
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        world.time.enter();
        // One of them dies while it holds connections, and with it the messages it had, whose slots are wasted.
        let dies_at = (number == 0).then_some(at(30));
        workers.push(tokio::spawn(work(world.clone(), emulator.store(&tables), number.to_string(), dies_at)));
    }
    let story = async {
        reserve_and_send(&world, &emulator.store(&tables), false, BACKFILL).await?;
        // Meanwhile a webhook announces something every second.
        while world.provider.lock().unwrap().backfilled < BACKFILL - 20 {
            assert!(world.now() < at(300), "the backfill does not come to its end");
            world.send(true, None);
            world.time.pass(Duration::from_secs(1)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(180), story).await.context("time stands still: a worker has failed")??;
    assert_eq!(workers.iter().filter(|worker| worker.is_finished()).count(), 1, "one has died and no other");
    workers.iter().for_each(tokio::task::JoinHandle::abort);

    let provider = world.provider.lock().unwrap();
    let share = f64::from(provider.measured) / (f64::from(LIMITS.per_minute) * 0.7 / 60.0 * f64::from(TO - FROM));
    println!(
        "{} calls of the backfill and {} of webhooks, at most {} in a minute of {} and {} at once of {}; {} slots lapsed, {} calls \
         found no connection; the backfill used {:.1} % of our share",
        provider.backfilled,
        provider.announced,
        provider.most_in_a_minute,
        LIMITS.per_minute,
        provider.most_at_once,
        LIMITS.concurrent,
        provider.lapsed,
        provider.busy,
        share * 100.0
    );
    assert!(provider.most_in_a_minute <= usize::try_from(LIMITS.per_minute)?);
    assert!(provider.most_at_once <= LIMITS.concurrent);
    assert!(provider.announced >= 100, "webhooks were heard all the while: {}", provider.announced);
    assert!(share >= 0.95, "{share}");
    Ok(())
}
