//! Leave to call the provider: a slot for every call, and connections for as many at once as the account allows.
//!
//! A call whose slot is at most a nap away is waited for; every other goes back to its queue with its slot and comes again when that
//! is due. So waiting holds no function, and no message asks twice for the same thing.

use std::time::Duration;

use connections::Metered;
use domain::Timestamp;
use domain::rate::{Held, Lane, Reserved, SlotState, after, slot_state};

use crate::batch::Group;
use crate::failure::Fault;
use crate::fetch::Wanted;
use crate::worker::ResourceWorker;

/// The longest wait that is slept out: the shortest delay that a queue has.
const NAP: Duration = Duration::from_secs(1);
/// How far ahead slots are taken: the longest delay that a queue has.
pub(crate) const HORIZON: Duration = Duration::from_secs(900);

/// A call on its way: which of the wanted, and its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Its place among the wanted.
    pub place: usize,
    /// Its slot; `None` if one is to be taken.
    pub slot: Option<Timestamp>,
    /// The token was renewed for it.
    pub renewed: bool,
}

/// What is to be done about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// To be made now.
    Now,
    /// To be made after a nap.
    Soon(Duration),
    /// To go back until its slot is due.
    Back(Timestamp),
    /// Has no slot that is good for anything.
    Slotless,
}

impl Due {
    fn turn(self, now: Timestamp) -> Turn {
        let Some(slot) = self.slot else { return Turn::Slotless };
        match slot_state(slot, now) {
            SlotState::Good => Turn::Now,
            SlotState::Early(wait) if wait <= NAP => Turn::Soon(wait),
            SlotState::Early(_) => Turn::Back(slot),
            SlotState::Lapsed => Turn::Slotless,
        }
    }

    /// Whether it may be begun now.
    pub fn is_good(self, now: Timestamp) -> bool {
        self.turn(now) == Turn::Now
    }

    /// Whether its slot is still good when the message comes back after `wait`, which queues round up to seconds.
    fn survives(self, wait: Duration, now: Timestamp) -> bool {
        let back = after(now, Duration::from_secs(wait.as_secs() + 1)) + chrono::TimeDelta::milliseconds(500);
        self.slot.is_some_and(|slot| slot_state(slot, back) == SlotState::Good)
    }
}

/// Calls that cannot be made now, with what that means for their messages.
pub(crate) type Backs = Vec<(usize, Fault)>;

impl ResourceWorker {
    /// Finds a slot for each call that has none, and naps if that is all it takes: the calls to make now, and the others.
    pub(crate) async fn allot(&self, group: &Group, wanted: &[Wanted], calls: Vec<Due>) -> (Vec<Due>, Backs) {
        let now = self.clock.now();
        let (slotless, mut slotted): (Vec<Due>, Vec<Due>) =
            calls.into_iter().partition(|call| call.turn(now) == Turn::Slotless);
        let mut backs = Backs::new();
        for (call, slot) in self.reserve(group, wanted, slotless, now).await {
            match slot {
                Ok(slot) => slotted.push(Due { slot: Some(slot), ..call }),
                Err(fault) => backs.push((call.place, fault)),
            }
        }
        let (mut ready, mut nap) = (Vec::new(), Duration::ZERO);
        for call in slotted {
            match call.turn(now) {
                Turn::Back(slot) => backs.push((call.place, Fault::Slot(slot))),
                Turn::Soon(wait) => {
                    nap = nap.max(wait);
                    ready.push(call);
                }
                Turn::Now | Turn::Slotless => ready.push(call),
            }
        }
        if !nap.is_zero() {
            tokio::time::sleep(nap.min(group.time.left())).await;
        }
        (ready, backs)
    }

    /// New slots for calls that cannot be made now; their messages go back with them.
    pub(crate) async fn later(&self, group: &Group, wanted: &[Wanted], calls: Vec<Due>) -> Backs {
        let slots = self.reserve(group, wanted, calls, self.clock.now()).await;
        slots.into_iter().map(|(call, slot)| (call.place, slot.map_or_else(|fault| fault, Fault::Slot))).collect()
    }

    /// Connections for these calls. Where there are none, the calls go back: with their slots if these outlast the wait.
    ///
    /// # Errors
    /// What it means for each of the calls.
    pub(crate) async fn hold(&self, group: &Group, wanted: &[Wanted], calls: &[Due]) -> Result<u32, Backs> {
        let want = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let Metered { key, budget } = group.meter.clone();
        let mut napped = false;
        let wait = loop {
            let held = self.store.hold(&key, &budget, &group.holder, want, group.time.ends_at(), self.clock.now());
            match held.await {
                Ok(Held::Some(count)) => return Ok(count),
                Ok(Held::Wait(wait)) if !napped && wait <= NAP && wait < group.time.left() => {
                    tokio::time::sleep(wait).await;
                    napped = true;
                }
                Ok(Held::Wait(wait)) => break wait,
                Err(error) => return Err(same(calls, ours(error), self.clock.now())),
            }
        };
        let now = self.clock.now();
        let (kept, lost): (Vec<Due>, Vec<Due>) = calls.iter().partition(|call| call.survives(wait, now));
        let mut backs = same(&kept, Fault::Wait(wait), now);
        backs.extend(self.later(group, wanted, lost).await);
        Err(backs)
    }

    /// Gives the connections back. What does not get through frees itself when the lease ends.
    pub(crate) async fn let_go(&self, group: &Group) {
        let key = &group.meter.key;
        if let Err(error) = self.store.let_go(key, &group.holder, self.clock.now()).await {
            tracing::warn!(error = lambda::telemetry::chain(&error), "connections were not given back");
        }
    }

    /// A slot for each call, in its lane. Whoever waits for a webhook's resource goes ahead of what runs have handed out.
    async fn reserve(
        &self,
        group: &Group,
        wanted: &[Wanted],
        calls: Vec<Due>,
        now: Timestamp,
    ) -> Vec<(Due, Result<Timestamp, Fault>)> {
        let lane = |call: &Due| wanted.get(call.place).map_or(Lane::Backfill, |wanted| wanted.lane);
        let (live, backfill): (Vec<Due>, Vec<Due>) = calls.into_iter().partition(|call| lane(call) == Lane::Live);
        let mut slots = Vec::with_capacity(live.len() + backfill.len());
        for (lane, calls) in [(Lane::Live, live), (Lane::Backfill, backfill)] {
            let each: Vec<u32> =
                calls.iter().map(|call| wanted.get(call.place).map_or(1, |wanted| wanted.calls)).collect();
            let given = self.reserve_in(group, lane, &each, now).await;
            slots.extend(calls.into_iter().zip(given));
        }
        slots
    }

    /// For each of several, the slot of the last of as many calls as it makes.
    async fn reserve_in(
        &self,
        group: &Group,
        lane: Lane,
        each: &[u32],
        now: Timestamp,
    ) -> Vec<Result<Timestamp, Fault>> {
        let Metered { key, budget } = &group.meter;
        let count = each.iter().map(|calls| *calls as usize).sum();
        let mut slots: Vec<Timestamp> = Vec::with_capacity(count);
        // One answer may bring fewer than asked for: those of the live line first, or those that the day still allows.
        while slots.len() < count {
            let more = u32::try_from(count - slots.len()).unwrap_or(u32::MAX);
            let fault = match self.store.reserve(key, budget, lane, more, HORIZON, now).await {
                Ok(Reserved::Slots(given)) => {
                    slots.extend(given.iter());
                    continue;
                }
                // The answer is when to ask again, which is half the horizon before the first slot comes into it.
                Ok(Reserved::Wait(wait)) if wait > HORIZON => Fault::Far(wait + HORIZON / 2),
                Ok(Reserved::Wait(wait)) => Fault::Wait(wait),
                Err(error) => ours(error),
            };
            let mut given: Vec<Result<Timestamp, Fault>> = last_of_each(&slots, each).into_iter().map(Ok).collect();
            given.extend(fault.of_all(each.len() - given.len()).into_iter().map(Err));
            return given;
        }
        last_of_each(&slots, each).into_iter().map(Ok).collect()
    }
}

/// The slot of the last call of each, as far as the slots reach.
fn last_of_each(slots: &[Timestamp], each: &[u32]) -> Vec<Timestamp> {
    let mut used = 0_usize;
    let last = |calls: &u32| {
        used += (*calls).max(1) as usize;
        slots.get(used - 1).copied()
    };
    each.iter().map_while(last).collect()
}

/// The same for each of these calls, none of which was made. Those whose slots outlast a wait keep them.
pub(crate) fn same(calls: &[Due], fault: Fault, now: Timestamp) -> Backs {
    let kept = |call: &Due, fault| match (fault, call.slot) {
        (Fault::Wait(wait), Some(slot)) if call.survives(wait, now) => Fault::Busy { slot, wait },
        (fault, _) => fault,
    };
    calls.iter().zip(fault.of_all(calls.len())).map(|(call, fault)| (call.place, kept(call, fault))).collect()
}

/// Our own table did not answer.
fn ours(error: store::Error) -> Fault {
    Fault::Passing { code: "internal", reason: "It met a trouble of ours.".to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::tests::at;

    fn due(slot: Option<i64>) -> Due {
        Due { place: 0, slot: slot.map(at), renewed: false }
    }

    #[test]
    fn a_slot_that_is_a_nap_away_is_waited_for_and_a_later_one_goes_back() {
        let check = |slot, turn| assert_eq!(due(slot).turn(at(100)), turn, "{slot:?}");
        check(None, Turn::Slotless);
        check(Some(89), Turn::Slotless);
        check(Some(90), Turn::Now);
        check(Some(101), Turn::Now);
        check(Some(102), Turn::Soon(Duration::from_secs(1)));
        check(Some(103), Turn::Back(at(103)));
    }

    #[test]
    fn a_fetch_of_several_calls_is_due_when_the_last_of_them_is() {
        let slots: Vec<Timestamp> = (1..=5).map(at).collect();
        assert_eq!(last_of_each(&slots, &[1, 3, 1]), [at(1), at(4), at(5)]);
        assert_eq!(last_of_each(&slots, &[2, 4, 1]), [at(2)], "where the slots end, so do those that follow");
    }

    #[test]
    fn a_slot_is_kept_over_a_wait_only_if_it_is_still_good_then() {
        let check = |slot, wait, kept| assert_eq!(due(slot).survives(Duration::from_secs(wait), at(100)), kept);
        check(Some(100), 2, true);
        check(Some(100), 8, true);
        check(Some(100), 9, false);
        check(None, 0, false);
    }
}
