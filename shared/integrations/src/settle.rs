//! Moves an integration's status when a worker learns something, outside of the end of a run.

use domain::status::Event;
use domain::{Integration, Status, Timestamp};
use store::StatusChange;

use crate::error::Error;
use crate::syncs::Syncs;

/// How often a row that moves under our hands is read again.
const TRIES: usize = 4;

/// What goes along with a status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Why it is not ACTIVE, for people.
    pub last_error: Option<String>,
    /// Until when the provider asked us to wait.
    pub blocked_until: Option<Timestamp>,
    /// When the scheduler looks next; `None` leaves it as it is.
    pub due_at: Option<Timestamp>,
}

impl Syncs {
    /// Moves the status as the flow says (`domain::status`) and says where it stands then. An event that moves nothing still
    /// writes what goes along with it, unless a person's pause or disconnection outlasts it. One request; three per try
    /// when it meets others.
    ///
    /// # Errors
    /// [`Error::NotConnected`] if the integration is another one by now, [`Error::Conflict`], [`Error::Unavailable`].
    pub async fn settle(&self, integration: &Integration, event: Event, with: Settled) -> Result<Status, Error> {
        let reference = integration.reference();
        let mut row = integration.clone();
        for _ in 0..TRIES {
            let Some(change) = change(&row, event, &with) else { return Ok(row.status) };
            if self.store.move_status(&reference, &change, self.clock.now()).await? {
                return Ok(change.to);
            }
            row = self.store.find_integration(&reference).await?.ok_or(Error::NotConnected)?;
        }
        Err(Error::Conflict)
    }
}

/// The write that an event asks for; `None` if a person's word outlasts it.
fn change(row: &Integration, event: Event, with: &Settled) -> Option<StatusChange> {
    let to = row.status.after(event);
    if to == row.status && !to.is_scheduled() {
        return None;
    }
    let failures_in_a_row = match event {
        Event::Failed { in_a_row } => in_a_row,
        Event::Succeeded | Event::Connected | Event::ResumedByPerson => 0,
        Event::LimitHit | Event::TokenRefused | Event::PausedByPerson | Event::DisconnectedByPerson => {
            row.failures_in_a_row
        }
    };
    Some(StatusChange {
        from: row.status,
        to,
        last_error: with.last_error.clone(),
        failures_in_a_row,
        blocked_until: with.blocked_until,
        due_at: with.due_at.filter(|_| to.is_scheduled() || row.active.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::due::tests::{at, integration};

    #[test]
    fn a_limit_blocks_until_its_end_and_wakes_then() {
        let with = Settled { blocked_until: Some(at(90)), due_at: Some(at(90)), ..Settled::default() };
        let change = change(&integration(), Event::LimitHit, &with).unwrap();
        assert_eq!((change.from, change.to), (Status::Active, Status::RateLimited));
        assert_eq!((change.blocked_until, change.due_at), (Some(at(90)), Some(at(90))));
    }

    #[test]
    fn a_pause_outlasts_what_workers_learn() {
        let paused = Integration { status: Status::Paused, ..integration() };
        assert_eq!(change(&paused, Event::Succeeded, &Settled::default()), None);
        assert_eq!(change(&paused, Event::LimitHit, &Settled::default()), None);
    }

    #[test]
    fn when_it_is_due_is_written_only_where_that_was_asked_for() {
        let row = Integration { due_at: Some(at(50)), ..integration() };
        let due_at = |event, due_at| change(&row, event, &Settled { due_at, ..Settled::default() }).unwrap().due_at;
        assert_eq!(due_at(Event::Failed { in_a_row: 2 }, None), None, "what was read may be old by now");
        assert_eq!(due_at(Event::Failed { in_a_row: 2 }, Some(at(60))), Some(at(60)));
        assert_eq!(due_at(Event::PausedByPerson, Some(at(60))), None, "nothing starts while it is paused");
    }
}
