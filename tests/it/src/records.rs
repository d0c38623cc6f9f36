//! Records: order, outcomes of runs, ranges and states.

use anyhow::Result;
use domain::resource::{Outcome, Record, RecordState, RunOutcome};
use domain::{ExternalId, IntegrationId, JobId};
use store::{Cursor, Store, Written};

use crate::sample::{at, external_id, record, store};

fn id() -> IntegrationId {
    IntegrationId::new(at(0))
}

fn ran(run: u64, outcome: Outcome) -> Option<RunOutcome> {
    Some(RunOutcome { job_id: JobId::new(at(0)), run, outcome })
}

async fn get(store: &Store, id: IntegrationId, external_id: &ExternalId) -> Result<Option<Record>> {
    Ok(store.get_records(id, std::slice::from_ref(external_id)).await?.remove(external_id))
}

#[tokio::test]
async fn a_record_reads_back_as_written() -> Result<()> {
    let store = store().await?;
    let id = id();
    let mut written = record("a", at(5));
    written.observed_at += chrono::TimeDelta::microseconds(7);
    written.last_run = ran(1, Outcome::Synced);
    (written.url, written.memory_id) = (Some("https://x".to_owned()), Some("m".to_owned()));
    assert_eq!(store.save_record(id, &written).await?, Written::Yes);
    assert_eq!(get(&store, id, &written.external_id).await?, Some(written));
    assert_eq!(get(&store, IntegrationId::new(at(1)), &external_id("a")).await?, None, "another integration's");
    Ok(())
}

#[tokio::test]
async fn an_older_observation_never_overwrites_a_newer_one() -> Result<()> {
    let store = store().await?;
    let id = id();
    let newer = Record { revision: "2".to_owned(), ..record("a", at(10)) };
    let older = Record { revision: "1".to_owned(), ..record("a", at(9)) };
    store.save_record(id, &newer).await?;
    assert_eq!(store.save_record(id, &older).await?, Written::Stale(Box::new(newer.clone())));
    assert_eq!(get(&store, id, &external_id("a")).await?, Some(newer.clone()));
    let gone = Record { state: RecordState::Deleted, ..record("a", at(11)) };
    store.save_record(id, &gone).await?;
    assert_eq!(store.save_record(id, &newer).await?, Written::Stale(Box::new(gone)), "no resurrection");
    Ok(())
}

/// Two workers with the same resource: one delivers it, the other found it gone before there was a record, and had nothing to delete.
#[tokio::test]
async fn guarantee_03_whoever_writes_second_learns_of_a_delivery_that_it_did_not_see() -> Result<()> {
    let store = store().await?;
    let id = id();
    let (delivered, tombstone) = (record("a", at(5)), Record { state: RecordState::Deleted, ..record("a", at(6)) });
    assert_eq!(store.save_record_over(id, None, &delivered).await?, Written::Yes);
    let changed = Written::Changed(Box::new(delivered.clone()));
    assert_eq!(store.save_record_over(id, None, &tombstone).await?, changed, "later, but blind");
    assert_eq!(get(&store, id, &external_id("a")).await?, Some(delivered.clone()));
    // Repeated after a lost answer, a write is its own.
    assert_eq!(store.save_record_over(id, None, &delivered).await?, Written::Yes);

    assert_eq!(store.save_record_over(id, Some(&delivered), &tombstone).await?, Written::Yes);
    let late = Record { revision: "late".to_owned(), ..record("a", at(5)) };
    let stale = Written::Stale(Box::new(tombstone.clone()));
    assert_eq!(store.save_record_over(id, Some(&delivered), &late).await?, stale);
    let blind = Record { revision: "blind".to_owned(), ..record("a", at(9)) };
    let changed = Written::Changed(Box::new(tombstone.clone()));
    assert_eq!(store.save_record_over(id, Some(&delivered), &blind).await?, changed);
    // What a purge took is no reason to stop.
    store.delete_records(id, std::slice::from_ref(&blind.external_id)).await?;
    assert_eq!(store.save_record_over(id, Some(&tombstone), &blind).await?, Written::Yes);
    Ok(())
}

/// A later run's outcome on the record that was read is no other record.
#[tokio::test]
async fn an_outcome_noted_meanwhile_does_not_stop_a_write() -> Result<()> {
    let store = store().await?;
    let id = id();
    let noted = ran(3, Outcome::Unchanged);
    let seen = Record { last_run: ran(1, Outcome::Synced), ..record("a", at(5)) };
    store.save_record(id, &seen).await?;
    assert!(store.note_outcome(id, &external_id("a"), noted.expect("some")).await?);
    let next = Record { last_run: ran(2, Outcome::Synced), revision: "2".to_owned(), ..record("a", at(6)) };
    assert_eq!(store.save_record_over(id, Some(&seen), &next).await?, Written::Yes);
    let stored = get(&store, id, &external_id("a")).await?.expect("stored");
    assert_eq!((stored.revision.as_str(), stored.last_run), ("2", noted));
    Ok(())
}

#[tokio::test]
async fn of_fifty_observations_in_any_order_the_latest_stays() -> Result<()> {
    let store = store().await?;
    let id = id();
    let writes = (0..50).map(|i| {
        let store = store.clone();
        // 37 and 50 share no divisor: every second comes once, in a shuffled order.
        let seconds = i * 37 % 50;
        let record = Record { revision: seconds.to_string(), ..record("a", at(seconds)) };
        async move { store.save_record(id, &record).await }
    });
    futures::future::try_join_all(writes).await?;
    assert_eq!(get(&store, id, &external_id("a")).await?.map(|record| record.revision), Some("49".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_write_without_a_run_keeps_the_runs_outcome() -> Result<()> {
    let store = store().await?;
    let id = id();
    let by_run = Record { last_run: ran(3, Outcome::Failed), ..record("a", at(1)) };
    store.save_record(id, &by_run).await?;
    store.save_record(id, &record("a", at(2))).await?;
    let stored = get(&store, id, &external_id("a")).await?.expect("stored");
    assert_eq!((stored.observed_at, stored.last_run), (at(2), by_run.last_run));
    Ok(())
}

#[tokio::test]
async fn an_earlier_run_leaves_a_later_runs_outcome() -> Result<()> {
    let store = store().await?;
    let id = id();
    let later = Record { last_run: ran(3, Outcome::Synced), ..record("a", at(1)) };
    store.save_record(id, &later).await?;
    let earlier = Record { last_run: ran(2, Outcome::Synced), revision: "2".to_owned(), ..record("a", at(2)) };
    assert_eq!(store.save_record(id, &earlier).await?, Written::Yes);
    let stored = get(&store, id, &external_id("a")).await?.expect("stored");
    assert_eq!((stored.revision.as_str(), stored.last_run), ("2", later.last_run));
    assert!(store.note_outcome(id, &external_id("a"), ran(2, Outcome::Unchanged).expect("some")).await?);
    assert!(store.note_outcome(id, &external_id("a"), ran(3, Outcome::Unchanged).expect("some")).await?);
    assert_eq!(get(&store, id, &external_id("a")).await?.expect("stored").last_run, later.last_run, "the first counts");
    let next = ran(4, Outcome::Unchanged);
    assert!(store.note_outcome(id, &external_id("a"), next.expect("some")).await?);
    assert_eq!(get(&store, id, &external_id("a")).await?.expect("stored").last_run, next);
    Ok(())
}

#[tokio::test]
async fn an_outcome_makes_no_record() -> Result<()> {
    let store = store().await?;
    let id = id();
    assert!(!store.note_outcome(id, &external_id("a"), ran(1, Outcome::Unchanged).expect("some")).await?);
    assert_eq!(get(&store, id, &external_id("a")).await?, None);
    Ok(())
}

/// Writes `count` records, every third failed.
async fn many(store: &Store, id: IntegrationId, count: usize) -> Result<Vec<ExternalId>> {
    let ids: Vec<ExternalId> = (0..count).map(|i| external_id(&format!("{i:04}"))).collect();
    for chunk in ids.chunks(20) {
        let writes = chunk.iter().map(|external_id| {
            let third = external_id.as_str().parse::<u32>().is_ok_and(|i| i % 3 == 0);
            let state = if third { RecordState::Failed } else { RecordState::Synced };
            let record = Record { state, retriable: third, ..record(external_id.as_str(), at(1)) };
            async move { store.save_record(id, &record).await }
        });
        futures::future::try_join_all(writes).await?;
    }
    Ok(ids)
}

async fn all_of(store: &Store, id: IntegrationId, state: Option<RecordState>, limit: u32) -> Result<Vec<String>> {
    let (mut found, mut cursor): (Vec<String>, Option<Cursor>) = (Vec::new(), None);
    loop {
        let (page, next) = store.records_of(id, state, cursor.as_ref(), limit).await?;
        assert!(page.len() <= usize::try_from(limit)?);
        found.extend(page.into_iter().map(|record| record.external_id.to_string()));
        match next {
            Some(next) => cursor = Some(Cursor::parse(&next.to_string())?),
            None => return Ok(found),
        }
    }
}

#[tokio::test]
async fn many_records_are_read_by_key_by_range_and_by_state() -> Result<()> {
    let store = store().await?;
    let (id, other) = (id(), IntegrationId::new(at(1)));
    let ids = many(&store, id, 250).await?;
    many(&store, other, 3).await?;

    let mut asked = ids.clone();
    asked.extend([external_id("missing"), ids[0].clone(), ids[0].clone()]);
    assert_eq!(store.get_records(id, &asked).await?.len(), 250);
    assert!(store.get_records(id, &[]).await?.is_empty());

    let mut seen = Vec::new();
    store.for_each_record(id, |mark| seen.push((mark.external_id, mark.state, mark.retriable))).await?;
    assert_eq!(seen.iter().map(|(external_id, ..)| external_id.clone()).collect::<Vec<_>>(), ids);
    assert!(seen.iter().all(|(_, state, retriable)| (*state == RecordState::Failed) == *retriable));

    let names = |failed: Option<bool>| -> Vec<String> {
        let numbered = ids.iter().enumerate();
        let wanted = numbered.filter(|(i, _)| failed.is_none_or(|failed| (i % 3 == 0) == failed));
        wanted.map(|(_, id)| id.to_string()).collect()
    };
    assert_eq!(all_of(&store, id, None, 60).await?, names(None));
    assert_eq!(all_of(&store, id, Some(RecordState::Failed), 7).await?, names(Some(true)));
    assert_eq!(all_of(&store, id, Some(RecordState::Synced), 50).await?, names(Some(false)));
    assert!(all_of(&store, id, Some(RecordState::Skipped), 50).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_mended_record_leaves_the_failed_ones() -> Result<()> {
    let store = store().await?;
    let id = id();
    store.save_record(id, &Record { state: RecordState::Failed, ..record("a", at(1)) }).await?;
    assert_eq!(all_of(&store, id, Some(RecordState::Failed), 5).await?, ["a"]);
    store.save_record(id, &record("a", at(2))).await?;
    assert!(all_of(&store, id, Some(RecordState::Failed), 5).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_purge_deletes_what_it_names_and_nothing_else() -> Result<()> {
    let store = store().await?;
    let (id, other) = (id(), IntegrationId::new(at(1)));
    let ids = many(&store, id, 60).await?;
    many(&store, other, 3).await?;
    let mut named = ids[..55].to_vec();
    named.push(ids[0].clone());
    store.delete_records(id, &named).await?;
    assert_eq!(all_of(&store, id, None, 100).await?.len(), 5);
    assert_eq!(all_of(&store, other, None, 100).await?.len(), 3);
    Ok(())
}
