//! What happens in a history, as the seed says: changes at the source, requests of the person, and bad times at the provider.

use crate::random::Random;

/// One event. Files and folders are numbered in the order in which they are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A new folder.
    Folder,
    /// A new file, in this folder or at the top.
    Add { folder: Option<usize> },
    /// Somebody else's file, shared with the person.
    Share,
    /// New text.
    Edit(usize),
    /// A new name.
    Rename(usize),
    /// Into this folder, or to the top.
    Move(usize, usize),
    /// Into the bin.
    Trash(usize),
    /// Out of the bin.
    Restore(usize),
    /// A folder with all that is in it into the bin, and out of it again later.
    TrashFolder(usize),
    /// Out of the bin.
    RestoreFolder(usize),
    /// For good.
    Delete(usize),
    /// The person may see it no longer.
    Unshare(usize),
    /// The person asks for a sync.
    Sync { full: bool },
    /// Access tokens end.
    ExpireTokens,
    /// The provider limits so many calls.
    Limit { calls: u64 },
    /// The provider fails so many calls.
    Outage { calls: u64 },
    /// The provider breaks off the body of so many answers.
    Truncate { calls: u64 },
    /// The provider forgets its change cursors.
    ExpireCursors,
    /// The provider's clock is off by so many minutes from now on, for every account.
    Skew { minutes: i64 },
    /// The person disconnects and connects again.
    Reconnect,
    /// Nothing, for so many milliseconds: what is under way goes on.
    Pause { ms: u64 },
}

/// How a file stands while the steps are thought out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Binned,
    Gone,
}

/// How often it is chosen is said beside it.
type Event = fn(&mut Plot);

struct Plot {
    random: Random,
    /// Each file's state, and whether it is somebody else's.
    files: Vec<(State, bool)>,
    /// Whether each folder is in the bin.
    folders: Vec<bool>,
    steps: Vec<Step>,
}

/// The steps of a seed.
pub fn of_seed(seed: u64) -> Vec<Step> {
    let mut plot = Plot { random: Random::new(seed, 1), files: Vec::new(), folders: Vec::new(), steps: Vec::new() };
    let length = plot.random.between(20, 45);
    for _ in 0..length {
        plot.step();
    }
    plot.steps
}

/// How many files there are before the account is connected.
pub fn files_at_first(seed: u64) -> usize {
    usize::try_from(Random::new(seed, 2).between(0, 14)).unwrap_or_default()
}

impl Plot {
    fn step(&mut self) {
        let choices: &[(u64, Event)] = &[
            (2, Self::folder),
            (6, Self::add),
            (2, |plot| {
                plot.files.push((State::Live, true));
                plot.steps.push(Step::Share);
            }),
            (6, |plot| plot.with(State::Live, |_, file| Step::Edit(file))),
            (3, |plot| plot.with(State::Live, |_, file| Step::Rename(file))),
            (3, Self::move_),
            (3, Self::trash),
            (3, Self::restore),
            (2, Self::trash_folder),
            (2, Self::delete),
            (2, Self::unshare),
            (7, |plot| {
                let full = plot.random.between(0, 2) == 0;
                plot.steps.push(Step::Sync { full });
            }),
            (1, |plot| plot.steps.push(Step::ExpireTokens)),
            (1, |plot| plot.bad_times(|calls| Step::Limit { calls })),
            (1, |plot| plot.bad_times(|calls| Step::Outage { calls })),
            (1, |plot| plot.bad_times(|calls| Step::Truncate { calls })),
            (1, |plot| {
                if plot.random.between(0, 2) == 0 {
                    plot.steps.push(Step::ExpireCursors);
                }
            }),
            (1, |plot| {
                if plot.random.between(0, 2) == 0 {
                    plot.steps.push(Step::Reconnect);
                }
            }),
            (1, |plot| {
                let minutes = i64::try_from(plot.random.between(0, 20)).unwrap_or_default() - 10;
                plot.steps.push(Step::Skew { minutes });
            }),
            (5, |plot| {
                let ms = plot.random.between(50, 1_500);
                plot.steps.push(Step::Pause { ms });
            }),
        ];
        let step = *self.random.weighted(choices);
        step(self);
    }

    fn folder(&mut self) {
        self.folders.push(false);
        self.steps.push(Step::Folder);
    }

    fn add(&mut self) {
        let places = self.folders.len() + 1;
        let place = self.random.index(places);
        self.files.push((State::Live, false));
        // A file that is put into a binned folder is binned with it.
        let folder = (place > 0 && !self.folders[place - 1]).then(|| place - 1);
        self.steps.push(Step::Add { folder });
    }

    fn with(&mut self, state: State, step: impl FnOnce(&mut Self, usize) -> Step) {
        let of_state: Vec<usize> = (0..self.files.len()).filter(|file| self.files[*file].0 == state).collect();
        if !of_state.is_empty() {
            let file = of_state[self.random.index(of_state.len())];
            let step = step(self, file);
            self.steps.push(step);
        }
    }

    fn move_(&mut self) {
        let open: Vec<usize> = (0..self.folders.len()).filter(|folder| !self.folders[*folder]).collect();
        let own: Vec<usize> = (0..self.files.len()).filter(|file| self.files[*file] == (State::Live, false)).collect();
        if !open.is_empty() && !own.is_empty() {
            let (file, folder) = (own[self.random.index(own.len())], open[self.random.index(open.len())]);
            self.steps.push(Step::Move(file, folder));
        }
    }

    fn trash(&mut self) {
        self.with(State::Live, |plot, file| {
            plot.files[file].0 = State::Binned;
            Step::Trash(file)
        });
    }

    fn restore(&mut self) {
        if let Some(folder) = self.folders.iter().position(|binned| *binned) {
            self.folders[folder] = false;
            self.steps.push(Step::RestoreFolder(folder));
            return;
        }
        self.with(State::Binned, |plot, file| {
            plot.files[file].0 = State::Live;
            Step::Restore(file)
        });
    }

    fn trash_folder(&mut self) {
        if let Some(folder) = self.folders.iter().position(|binned| !*binned) {
            self.folders[folder] = true;
            self.steps.push(Step::TrashFolder(folder));
        }
    }

    fn delete(&mut self) {
        self.with(State::Live, |plot, file| {
            plot.files[file].0 = State::Gone;
            Step::Delete(file)
        });
    }

    fn unshare(&mut self) {
        let shared: Vec<usize> =
            (0..self.files.len()).filter(|file| self.files[*file] == (State::Live, true)).collect();
        if !shared.is_empty() {
            let file = shared[self.random.index(shared.len())];
            self.files[file].0 = State::Gone;
            self.steps.push(Step::Unshare(file));
        }
    }

    fn bad_times(&mut self, step: fn(u64) -> Step) {
        let calls = self.random.between(1, 4);
        self.steps.push(step(calls));
    }
}

#[test]
fn a_seed_gives_the_same_steps_and_another_gives_others() {
    assert_eq!(of_seed(5), of_seed(5));
    assert_ne!(of_seed(5), of_seed(6));
    let all: Vec<Step> = (1..200).flat_map(of_seed).collect();
    assert!(all.iter().any(|step| matches!(step, Step::Unshare(_))) && all.contains(&Step::Reconnect));
    assert!(all.iter().any(|step| matches!(step, Step::RestoreFolder(_))));
}
