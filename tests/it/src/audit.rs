//! The audit log: whatever is noted is found, by who did it, to whose, and what; the latest first, over the turn of a month.

use anyhow::Result;
use chrono::TimeDelta;
use domain::audit::{Action, Entry};
use domain::id::EntryId;
use domain::{ProviderId, Timestamp, UserId};
use serde_json::json;
use store::{AuditFilter, AuditLog, Cursor};
use testkit::emulator::Emulator;

use crate::sample::{at, owner};

/// Something that somebody did at a moment.
fn entry(at: Timestamp, actor: &str, action: Action, whose: Option<&str>) -> Entry {
    Entry {
        id: EntryId::new(at),
        at,
        actor: UserId::new(actor).unwrap(),
        action,
        owner: whose.map(owner),
        provider: Some(ProviderId::GoogleDrive),
        detail: json!({"n": 1}),
    }
}

/// All entries that a filter lets through, page by page.
async fn all(log: &AuditLog, filter: &AuditFilter, limit: u32, now: Timestamp) -> Result<Vec<Entry>> {
    let (mut found, mut cursor): (Vec<Entry>, Option<Cursor>) = (Vec::new(), None);
    for _ in 0..100 {
        let (page, next) = log.entries(filter, cursor.as_ref(), limit, now).await?;
        assert!(page.len() <= limit as usize);
        found.extend(page);
        let Some(next) = next else { return Ok(found) };
        // What travels to the client and back.
        cursor = Some(next.to_string().parse()?);
    }
    panic!("the list does not end");
}

#[tokio::test]
async fn what_was_noted_is_found_by_who_whose_and_what() -> Result<()> {
    let log = Emulator::connect().await?.audit_log().await?;
    let now = at(0) + TimeDelta::days(200);
    // Forty days apart from the first to the last, so that they stand in several months.
    let entries: Vec<Entry> = (0..20)
        .map(|i| {
            let (actor, whose) = if i % 2 == 0 { ("ada", "user/ada") } else { ("bob#2", "organization/acme") };
            let action = if i % 5 == 0 { Action::Paused } else { Action::SyncRequested };
            entry(now - TimeDelta::days(i * 2), actor, action, Some(whose))
        })
        .collect();
    for entry in entries.iter().rev() {
        log.add(entry).await?;
    }
    let nobodys = entry(now, "ada", Action::RegistryChanged, None);
    log.add(&nobodys).await?;

    for limit in [1, 3, 100] {
        let found = all(&log, &AuditFilter::default(), limit, now).await?;
        assert_eq!(found.len(), 21);
        assert!(found.is_sorted_by(|newer, older| newer.id > older.id), "the latest first");
        let check = async |filter: AuditFilter, expected: &dyn Fn(&Entry) -> bool| -> Result<()> {
            let found = all(&log, &filter, limit, now).await?;
            let mut wanted: Vec<Entry> =
                entries.iter().chain([&nobodys]).filter(|entry| expected(entry)).cloned().collect();
            wanted.sort_by_key(|entry| std::cmp::Reverse(entry.id));
            assert!(!wanted.is_empty());
            assert_eq!(found, wanted, "{filter:?} by {limit}");
            Ok(())
        };
        let (ada, acme) = (Some(UserId::new("ada")?), Some(owner("organization/acme")));
        let base = AuditFilter::default;
        check(AuditFilter { actor: ada.clone(), ..base() }, &|entry| entry.actor.as_str() == "ada").await?;
        check(AuditFilter { owner: acme.clone(), ..base() }, &|entry| entry.owner == acme).await?;
        let paused = Some(Action::Paused);
        check(AuditFilter { action: paused, ..base() }, &|entry| entry.action == Action::Paused).await?;
        let both = AuditFilter { owner: acme.clone(), action: paused, ..base() };
        check(both, &|entry| entry.owner == acme && entry.action == Action::Paused).await?;
        let nothing = AuditFilter { actor: ada, owner: acme, action: None };
        assert_eq!(all(&log, &nothing, limit, now).await?, []);
    }
    Ok(())
}

#[tokio::test]
async fn a_repeated_entry_is_there_once_and_an_old_one_is_not_looked_for() -> Result<()> {
    let log = Emulator::connect().await?.audit_log().await?;
    let entry = entry(at(0), "ada", Action::Connected, Some("user/ada"));
    log.add(&entry).await?;
    log.add(&entry).await?;
    assert_eq!(all(&log, &AuditFilter::default(), 10, at(5)).await?, [entry]);
    assert_eq!(all(&log, &AuditFilter::default(), 10, at(0) + TimeDelta::days(500)).await?, []);
    Ok(())
}

#[tokio::test]
async fn a_cursor_of_another_list_leads_nowhere() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let log = emulator.audit_log().await?;
    log.add(&entry(at(0), "ada", Action::Connected, None)).await?;
    let store = emulator.store(&emulator.tables().await?);
    for name in ["ada", "bob"] {
        store.user_on_first_sight(&UserId::new(name)?, at(0)).await?;
    }
    let (_, foreign) = store.users(None, 1).await?;
    let (page, next) = log.entries(&AuditFilter::default(), foreign.as_ref(), 10, at(5)).await?;
    assert!(foreign.is_some() && page.is_empty() && next.is_none());
    Ok(())
}
