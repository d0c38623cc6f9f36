//! What the tables, the queues and the workers hold at one moment.

pub const WORKERS: usize = 3;
pub const RESOURCES: usize = 2;

/// Resources, a bit for each.
pub type Set = u8;

/// The integration's row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// The slot: the run that holds it.
    pub active: Option<u8>,
    /// Runs so far.
    pub runs: u8,
    /// Another pass is wanted.
    pub again: bool,
    /// From where changes are to be read: so many of the source's changes are known. None: everything is to be listed.
    pub cursor: Option<u8>,
    /// The scheduler will start a run by itself, before anything else happens.
    pub due: bool,
}

/// How far a run has come: the part of a job's row that a checkpoint writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checkpoint {
    /// Everything is listed, not only what has changed.
    pub is_full: bool,
    /// The change cursor that the integration gets when the run has ended well.
    pub from: Option<u8>,
    /// Pages recorded.
    pub pages: u8,
    /// The provider's listing has come to its end.
    pub ended: bool,
    /// Everything is handed out.
    pub listed: bool,
    /// Resources handed out, as a hint: repeated pages count twice.
    pub handed_out: u8,
}

/// The newest job's row. Those before have ended, and nothing of them matters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    pub run: u8,
    pub is_final: bool,
    pub fence: u8,
    pub leased: bool,
    pub checkpoint: Checkpoint,
    /// Outcomes reported, as a hint.
    pub reported: u8,
    /// What each recorded page says was handed out.
    pub pages: Vec<Set>,
}

impl Job {
    /// Everything that the pages say was handed out.
    pub fn handed(&self) -> Set {
        self.pages.iter().fold(0, |all, page| all | page)
    }
}

/// What is recorded of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// What the sink has; 0 is nothing.
    pub version: u8,
    /// The last run that has reported on it; 0 is none.
    pub run: u8,
    /// The run that brought this version.
    pub brought_by: u8,
}

/// A resource worker's message, and how far the work on it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    pub run: u8,
    pub resource: u8,
    pub stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// On the queue.
    Sent,
    /// This version was fetched and is not recorded yet.
    Fetched(u8),
    /// Recorded, and not reported to the run.
    Recorded,
}

/// A worker's hold on a run: the job as it read it, ahead of the table while it works on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    pub run: u8,
    pub fence: u8,
    pub checkpoint: Checkpoint,
    /// Whether another pass was wanted when the row was read.
    pub again: bool,
}

/// What a sync worker does next. Each step but the last of a message is one request; a crash may come before any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Idle,
    /// Has a message and reads the integration's row.
    Reads(u8),
    /// Claims the job.
    Claims {
        run: u8,
        again: bool,
    },
    /// Asks the provider for a page, or for the cursor before the first one.
    Lists(Turn),
    /// Sends the messages of a page.
    HandsOut(Turn, Set),
    /// Writes the checkpoint, with a page if there is one.
    Writes(Turn, Option<Set>),
    /// Reads how many have reported and, if it seems to be all, what.
    Looks(Turn),
    /// Ends the run, having counted these.
    Ends(Turn, Set),
    /// Starts the pass that was wanted.
    Follows(u8),
    /// Gives the lease back, and sends itself the message again if there is more to do.
    LetsGo(Turn, bool),
}

impl Step {
    /// The run whose message it has in hand.
    pub fn run(&self) -> Option<u8> {
        match *self {
            Self::Idle => None,
            Self::Reads(run) | Self::Claims { run, .. } | Self::Follows(run) => Some(run),
            _ => self.turn().map(|turn| turn.run),
        }
    }

    /// Its hold on the run.
    pub fn turn(&self) -> Option<Turn> {
        let mut step = *self;
        step.turn_mut().copied()
    }

    fn turn_mut(&mut self) -> Option<&mut Turn> {
        match self {
            Self::Lists(turn)
            | Self::HandsOut(turn, _)
            | Self::Writes(turn, _)
            | Self::Looks(turn)
            | Self::Ends(turn, _)
            | Self::LetsGo(turn, _) => Some(turn),
            Self::Idle | Self::Reads(_) | Self::Claims { .. } | Self::Follows(_) => None,
        }
    }
}

/// A webhook delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// One is on the queue; more than one say no more.
    pub is_queued: bool,
    /// A webhook worker found the slot taken and is about to ask for another pass.
    pub found_busy: bool,
}

/// How often things have gone wrong, or happened that need not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mishaps {
    /// Workers that died.
    pub crashes: u8,
    /// Leases that ended while their holder lived.
    pub pauses: u8,
    /// Messages that came twice.
    pub copies: u8,
    /// Messages that were lost.
    pub losses: u8,
    /// Messages that the watch sent although the run went well.
    pub watches: u8,
    /// Turns whose time was up before the listing's end.
    pub hand_overs: u8,
    /// Runs that a person cancelled.
    pub cancels: u8,
    /// Changes at the source.
    pub changes: u8,
}

/// What never may happen and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Broken {
    /// A write was taken whose fencing number was not the job's.
    pub stale_write: bool,
    /// A run ended well without one of the resources that it had handed out.
    pub left_open: bool,
    /// A run's counts lack what it did.
    pub miscounted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub row: Row,
    pub job: Job,
    pub records: [Record; RESOURCES],
    /// The source's changes, in order: which resource.
    pub log: Vec<u8>,
    pub delivery: Delivery,
    /// In order: workers are alike, and worlds that differ in their order only are one.
    pub workers: [Step; WORKERS],
    /// The resource queue, in order.
    pub messages: Vec<Message>,
    /// The sync queue: which runs, in order.
    pub queued: Vec<u8>,
    pub mishaps: Mishaps,
    pub broken: Broken,
}

impl World {
    /// Just connected: a first run is due, of everything.
    pub fn new() -> Self {
        let job = Job {
            run: 0,
            is_final: true,
            fence: 0,
            leased: false,
            checkpoint: Checkpoint { is_full: true, from: None, pages: 0, ended: true, listed: true, handed_out: 0 },
            reported: 0,
            pages: Vec::new(),
        };
        Self {
            row: Row { active: None, runs: 0, again: false, cursor: None, due: true },
            job,
            records: [Record { version: 0, run: 0, brought_by: 0 }; RESOURCES],
            log: Vec::new(),
            delivery: Delivery { is_queued: false, found_busy: false },
            workers: [Step::Idle; WORKERS],
            messages: Vec::new(),
            queued: Vec::new(),
            mishaps: Mishaps::default(),
            broken: Broken::default(),
        }
    }

    /// A resource's version after so many of the source's changes.
    pub fn version_at(&self, resource: u8, changes: usize) -> u8 {
        let last = self.log.iter().take(changes).rposition(|changed| *changed == resource);
        last.map_or(1, |place| u8::try_from(place + 2).unwrap())
    }

    /// A resource's version at the source.
    pub fn version(&self, resource: u8) -> u8 {
        self.version_at(resource, self.log.len())
    }

    pub fn changes(&self) -> u8 {
        u8::try_from(self.log.len()).unwrap()
    }

    /// Whether the sink has, at least, what the source had after so many changes.
    pub fn has_all_up_to(&self, changes: u8) -> bool {
        let is_there = |resource: u8| {
            self.records[usize::from(resource)].version >= self.version_at(resource, usize::from(changes))
        };
        (0..RESOURCES as u8).all(is_there)
    }

    /// Whether this is the hold whose writes count.
    pub fn holds(&self, turn: Turn) -> bool {
        !self.job.is_final && turn.run == self.job.run && turn.fence == self.job.fence
    }

    /// The resources of a set that this run has not reported on.
    pub fn open(&self, handed: Set, run: u8) -> Set {
        handed & !self.those(|record| record.run >= run)
    }

    /// The resources whose records are like this.
    pub fn those(&self, is_like_this: impl Fn(&Record) -> bool) -> Set {
        let records = self.records.iter().enumerate();
        records.filter(|(_, record)| is_like_this(record)).fold(0, |set, (place, _)| set | 1 << place)
    }

    /// Whether resource workers still have something of the run.
    pub fn has_messages_of(&self, run: u8) -> bool {
        self.messages.iter().any(|message| message.run == run)
    }

    /// Whether somebody has the run in hand or will.
    pub fn is_attended(&self, run: u8) -> bool {
        self.queued.contains(&run) || self.workers.iter().any(|step| step.run() == Some(run))
    }

    /// Whether the source is mirrored and nothing is left to do.
    pub fn is_quiet(&self) -> bool {
        let Row { active, again, due, .. } = self.row;
        let nothing_waits = active.is_none() && !again && !due && self.queued.is_empty() && self.messages.is_empty();
        let is_told = !self.delivery.is_queued && !self.delivery.found_busy;
        let is_idle = self.workers.iter().all(|step| *step == Step::Idle);
        nothing_waits && is_told && is_idle && self.has_all_up_to(self.changes())
    }

    /// Leaves out what makes no difference: the order of what has none; fencing numbers that nobody has; and messages of runs that
    /// have ended, which are read and dropped. Work on one that is past the look at the slot goes on.
    pub fn in_order(mut self) -> Self {
        let mut fences: Vec<u8> = self.workers.iter().filter_map(Step::turn).map(|turn| turn.fence).collect();
        fences.extend([0, self.job.fence]);
        fences.sort_unstable();
        fences.dedup();
        let held = self.workers.iter_mut().filter_map(Step::turn_mut).map(|turn| &mut turn.fence);
        for fence in held.chain([&mut self.job.fence]) {
            *fence = u8::try_from(fences.partition_point(|known| known < fence)).unwrap();
        }
        let active = self.row.active;
        self.queued.retain(|run| active == Some(*run));
        self.messages.retain(|message| active == Some(message.run) || matches!(message.stage, Stage::Fetched(_)));
        self.workers.sort_unstable();
        self.messages.sort_unstable();
        self.queued.sort_unstable();
        self
    }
}
