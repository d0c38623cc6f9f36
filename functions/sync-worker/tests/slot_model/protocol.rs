//! Who may do what next, and what becomes of it.

use crate::resources::{remove, send, work};
use crate::world::{Checkpoint, Job, Message, Mishaps, RESOURCES, Set, Stage, Step, Turn, World};

/// The protocol, what protects it, and what may go wrong how often.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// Checkpoints and the run's end are written on condition of the fencing number.
    pub is_fenced: bool,
    /// A page's messages are sent before it is recorded.
    pub sends_first: bool,
    /// The run's end is written on condition that nobody has wished for another pass since.
    pub heeds_wishes: bool,
    /// The scheduler looks after runs that nobody attends to.
    pub is_watched: bool,
    /// What was handed out and never reported is handed out again.
    pub hands_out_again: bool,
    /// What this run itself has brought up to date is handed out all the same when a page is repeated.
    pub knows_its_own: bool,
    pub most: Mishaps,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something changes at the source, which sends a webhook.
    Change(u8),
    /// A webhook worker takes up a delivery.
    Hear,
    /// A webhook worker asks for another pass, or for a run if there is none any more.
    Wish,
    /// A webhook worker dies between the two.
    DieHearing,
    /// The scheduler starts a run that is due.
    Start,
    /// The scheduler sends the message of a run under way.
    Watch,
    /// A sync worker receives a message of this run; `true`: it will come again.
    Receive(u8, bool),
    /// A sync worker does its next step.
    Go(usize),
    /// A sync worker's turn is over before the listing is.
    HandOver(usize),
    /// A sync worker dies.
    Crash(usize),
    LeaseEnds,
    /// A resource worker does the next step for a message.
    Work(Message),
    /// A resource worker's message comes again although it was worked on.
    Repeat(Message),
    Lose(Message),
    LoseTurn(u8),
    Cancel,
}

impl Protocol {
    pub fn actions_in(&self, world: &World, actions: &mut Vec<Action>) {
        let (most, had) = (&self.most, &world.mishaps);
        if had.changes < most.changes {
            actions.extend((0..RESOURCES as u8).map(Action::Change));
        }
        if world.delivery.found_busy {
            actions.push(Action::Wish);
            if had.crashes < most.crashes {
                actions.push(Action::DieHearing);
            }
        } else if world.delivery.is_queued {
            actions.push(Action::Hear);
        }
        self.scheduler_in(world, actions);
        if world.workers.contains(&Step::Idle) {
            let mut runs = world.queued.clone();
            runs.dedup();
            for run in runs {
                actions.push(Action::Receive(run, false));
                if had.copies < most.copies {
                    actions.push(Action::Receive(run, true));
                }
                if had.losses < most.losses {
                    actions.push(Action::LoseTurn(run));
                }
            }
        }
        for (w, step) in world.workers.iter().enumerate().filter(|(_, step)| **step != Step::Idle) {
            actions.push(Action::Go(w));
            if matches!(step, Step::Lists(_)) && had.hand_overs < most.hand_overs {
                actions.push(Action::HandOver(w));
            }
            if had.crashes < most.crashes {
                actions.push(Action::Crash(w));
            }
        }
        let is_held = world.workers.iter().filter_map(Step::turn).any(|turn| world.holds(turn));
        if world.job.leased && (!is_held || had.pauses < most.pauses) {
            actions.push(Action::LeaseEnds);
        }
        let mut messages = world.messages.clone();
        messages.dedup();
        for message in messages {
            actions.push(Action::Work(message));
            if message.stage == Stage::Recorded && had.copies < most.copies {
                actions.push(Action::Repeat(message));
            }
            if message.stage == Stage::Sent && had.losses < most.losses {
                actions.push(Action::Lose(message));
            }
        }
        if world.row.active.is_some() && had.cancels < most.cancels {
            actions.push(Action::Cancel);
        }
    }

    /// What the scheduler does when nobody else will; and sooner, a few times.
    fn scheduler_in(&self, world: &World, actions: &mut Vec<Action>) {
        let may_hurry = world.mishaps.watches < self.most.watches;
        match world.row.active {
            None if world.row.due => {
                let follows = world.workers.iter().any(|step| matches!(step, Step::Follows(_)));
                if !follows || may_hurry {
                    actions.push(Action::Start);
                }
            }
            Some(run) if self.is_watched && (may_hurry || !world.is_attended(run) && !world.has_messages_of(run)) => {
                actions.push(Action::Watch);
            }
            _ => {}
        }
    }

    pub fn after(&self, before: &World, action: Action) -> World {
        let mut world = before.clone();
        match action {
            Action::Change(resource) => {
                world.mishaps.changes += 1;
                world.log.push(resource);
                world.delivery.is_queued = true;
            }
            Action::Hear => {
                world.delivery.is_queued = false;
                world.delivery.found_busy = !start(&mut world);
            }
            Action::Wish => {
                world.delivery.found_busy = false;
                if world.row.active.is_some() {
                    world.row.again = true;
                } else {
                    start(&mut world);
                }
            }
            Action::DieHearing => {
                world.mishaps.crashes += 1;
                (world.delivery.found_busy, world.delivery.is_queued) = (false, true);
            }
            Action::Start => {
                world.mishaps.watches += u8::from(world.workers.iter().any(|step| matches!(step, Step::Follows(_))));
                start(&mut world);
            }
            Action::Watch => {
                let run = world.job.run;
                world.mishaps.watches += u8::from(world.is_attended(run) || world.has_messages_of(run));
                world.queued.push(run);
            }
            Action::Receive(run, comes_again) => {
                world.mishaps.copies += u8::from(comes_again);
                if !comes_again {
                    remove(&mut world.queued, run);
                }
                let idle = world.workers.iter_mut().find(|step| **step == Step::Idle);
                if let Some(step) = idle {
                    *step = Step::Reads(run);
                }
            }
            Action::Go(w) => world.workers[w] = self.go(&mut world, before.workers[w]),
            Action::HandOver(w) => {
                world.mishaps.hand_overs += 1;
                if let Step::Lists(turn) = before.workers[w] {
                    world.workers[w] = Step::LetsGo(turn, true);
                }
            }
            Action::Crash(w) => {
                world.mishaps.crashes += 1;
                world.queued.extend(before.workers[w].run());
                world.workers[w] = Step::Idle;
            }
            Action::LeaseEnds => {
                let is_held = world.workers.iter().filter_map(Step::turn).any(|turn| world.holds(turn));
                world.mishaps.pauses += u8::from(is_held);
                world.job.leased = false;
            }
            Action::Work(message) => work(&mut world, message),
            Action::Repeat(message) => {
                world.mishaps.copies += 1;
                work(&mut world, message);
                world.messages.push(Message { stage: Stage::Sent, ..message });
            }
            Action::Lose(message) => {
                world.mishaps.losses += 1;
                remove(&mut world.messages, message);
            }
            Action::LoseTurn(run) => {
                world.mishaps.losses += 1;
                remove(&mut world.queued, run);
            }
            Action::Cancel => {
                world.mishaps.cancels += 1;
                (world.job.is_final, world.job.leased) = (true, false);
                (world.row.active, world.row.due) = (None, true);
            }
        }
        world.in_order()
    }

    /// A sync worker's step: what it does to the world, and what comes next.
    fn go(&self, world: &mut World, step: Step) -> Step {
        match step {
            Step::Idle => Step::Idle,
            Step::Reads(run) if world.row.active == Some(run) => Step::Claims { run, again: world.row.again },
            // Of a run that has ended: nothing remains to be done.
            Step::Reads(_) => Step::Idle,
            Step::Claims { run, again } => claim(world, run, again),
            Step::Lists(turn) => self.list(world, turn),
            Step::HandsOut(turn, handed) => {
                send(world, turn.run, handed);
                if self.sends_first { Step::Writes(turn, Some(handed)) } else { next(turn) }
            }
            Step::Writes(turn, page) => {
                if !self.may_write(world, turn) {
                    return Step::Idle;
                }
                (world.job.checkpoint, world.job.leased) = (turn.checkpoint, true);
                if let Some(handed) = page {
                    let place = usize::from(turn.checkpoint.pages) - 1;
                    match world.job.pages.get_mut(place) {
                        Some(page) => *page = handed,
                        None => world.job.pages.push(handed),
                    }
                }
                match page {
                    Some(handed) if !self.sends_first => Step::HandsOut(turn, handed),
                    _ => next(turn),
                }
            }
            Step::Looks(turn) => self.look(world, turn),
            Step::Ends(turn, counted) => self.end(world, turn, counted),
            Step::Follows(_) => {
                if !start(world) {
                    // Somebody was faster; that run began after the wish, but who asks cannot know.
                    world.row.again = world.row.active.is_some();
                }
                Step::Idle
            }
            Step::LetsGo(turn, has_more) => {
                if world.job.run == turn.run && world.job.fence == turn.fence {
                    world.job.leased = false;
                }
                if has_more {
                    world.queued.push(turn.run);
                }
                Step::Idle
            }
        }
    }

    /// The condition on a worker's writes.
    fn may_write(&self, world: &mut World, turn: Turn) -> bool {
        if world.job.run != turn.run || world.job.is_final || (self.is_fenced && world.job.fence != turn.fence) {
            return false;
        }
        world.broken.stale_write |= world.job.fence != turn.fence;
        true
    }

    fn list(&self, world: &World, turn: Turn) -> Step {
        let Checkpoint { is_full, from, pages, .. } = turn.checkpoint;
        if is_full && from.is_none() {
            let checkpoint = Checkpoint { from: Some(world.changes()), ..turn.checkpoint };
            return Step::Writes(Turn { checkpoint, ..turn }, None);
        }
        // One resource to a page: each in turn, or whatever the next change is about.
        let since = world.row.cursor.unwrap_or_default();
        let (resource, is_last) = if is_full {
            (Some(pages), usize::from(pages) + 1 == RESOURCES)
        } else {
            let place = since + pages;
            (world.log.get(usize::from(place)).copied(), place + 1 >= world.changes())
        };
        let mut checkpoint = turn.checkpoint;
        if is_last {
            checkpoint.ended = true;
            checkpoint.from = if is_full { from } else { Some(world.changes()) };
        }
        let Some(resource) = resource else {
            // Nothing has changed: the end follows without a write.
            return Step::Looks(Turn { checkpoint: Checkpoint { listed: true, ..checkpoint }, ..turn });
        };
        let record = world.records[usize::from(resource)];
        let is_known = record.version == world.version(resource) && !(self.knows_its_own && record.run == turn.run);
        let handed: Set = if is_known { 0 } else { 1 << resource };
        checkpoint.pages += 1;
        checkpoint.handed_out += u8::from(handed != 0);
        let turn = Turn { checkpoint, ..turn };
        if self.sends_first { Step::HandsOut(turn, handed) } else { Step::Writes(turn, Some(handed)) }
    }

    fn look(&self, world: &mut World, turn: Turn) -> Step {
        if world.job.run != turn.run {
            return Step::Idle;
        }
        // Time passes; a run of which nothing is on any queue is found by that.
        let is_stalled = !world.has_messages_of(turn.run);
        if world.job.reported < turn.checkpoint.handed_out && !is_stalled {
            return Step::LetsGo(turn, false);
        }
        let handed = world.job.handed();
        let open = world.open(handed, turn.run);
        if open == 0 {
            return Step::Ends(turn, handed);
        }
        if is_stalled && self.hands_out_again {
            send(world, turn.run, open);
        }
        Step::LetsGo(turn, false)
    }

    /// Job and slot in one transaction, on condition of what was read.
    fn end(&self, world: &mut World, turn: Turn, counted: Set) -> Step {
        if world.row.active != Some(turn.run) || !self.may_write(world, turn) {
            return Step::Idle;
        }
        world.broken.left_open |= world.open(world.job.handed(), turn.run) != 0;
        world.broken.miscounted |= world.those(|record| record.brought_by == turn.run) & !counted != 0;
        (world.job.is_final, world.job.leased) = (true, false);
        world.row.active = None;
        world.row.cursor = turn.checkpoint.from;
        let again = if self.heeds_wishes { world.row.again } else { turn.again };
        world.row.due = again;
        if again { Step::Follows(turn.run) } else { Step::Idle }
    }
}

/// Takes the slot, with a job of its own, if it is free; and sends the run's message.
fn start(world: &mut World) -> bool {
    if world.row.active.is_some() {
        return false;
    }
    let row = &mut world.row;
    row.runs += 1;
    (row.active, row.again, row.due) = (Some(row.runs), false, false);
    let is_full = row.cursor.is_none();
    let checkpoint = Checkpoint { is_full, from: None, pages: 0, ended: false, listed: false, handed_out: 0 };
    let (run, pages) = (row.runs, Vec::new());
    world.job = Job { run, is_final: false, fence: 0, leased: false, checkpoint, reported: 0, pages };
    world.queued.push(run);
    true
}

fn claim(world: &mut World, run: u8, again: bool) -> Step {
    let job = &mut world.job;
    if job.run != run || job.is_final {
        return Step::Idle;
    }
    if job.leased {
        // Whoever lists sends the message again; whoever looks may have looked too early.
        if job.checkpoint.listed {
            world.queued.push(run);
        }
        return Step::Idle;
    }
    (job.fence, job.leased) = (job.fence + 1, true);
    next(Turn { run, fence: job.fence, checkpoint: job.checkpoint, again })
}

/// What a turn does from a checkpoint on.
fn next(turn: Turn) -> Step {
    if turn.checkpoint.listed {
        Step::Looks(turn)
    } else if turn.checkpoint.ended {
        Step::Writes(Turn { checkpoint: Checkpoint { listed: true, ..turn.checkpoint }, ..turn }, None)
    } else {
        Step::Lists(turn)
    }
}
