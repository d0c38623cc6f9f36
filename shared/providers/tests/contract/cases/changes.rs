//! Listings of changes: each kind is found and nothing else is; what is deleted is gone from everywhere.

use std::collections::{BTreeMap, BTreeSet};

use domain::ExternalId;
use providers::Kind;
use providers::provider::From;
use serde_json::json;

use crate::fixtures::{Change, Fixture};
use crate::for_each;
use crate::listing::{Whole, squeezed};
use crate::provider::Connected;

/// Changes by whose clock providers sort are told apart by the second; where it is the minute, the provider's clock is moved.
async fn a_moment(connected: &Connected) {
    if !connected.fixture.tells_minutes {
        return tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    let ahead = connected.sandbox.control("GET", "clock", json!({})).await["offsetMs"].as_i64().unwrap();
    connected.sandbox.control("POST", "clock", json!({ "offsetMs": ahead + 61_000 })).await;
}

/// What is known of an account: the revision of each resource that was listed.
#[derive(Default)]
struct Known(BTreeMap<ExternalId, String>);

impl Known {
    /// What a listing says anew: what it lists under another revision than was known, and what is gone. Providers whose clocks are coarse
    /// list some of what is known again.
    fn news(&mut self, whole: &Whole) -> BTreeSet<ExternalId> {
        let mut news: BTreeSet<ExternalId> =
            whole.gone.keys().filter(|id| self.0.remove(*id).is_some()).cloned().collect();
        for (id, (resource, _)) in &whole.resources {
            if self.0.insert(id.clone(), resource.revision.clone()).as_ref() != Some(&resource.revision) {
                news.insert(id.clone());
            }
        }
        news
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_has_changed_nothing_is_found_and_little_is_asked() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        for number in 0..3 {
            connected.create(&format!("Note {number}"), "It stays as it is.").await;
        }
        a_moment(&connected).await;
        let cursor = connected.start_cursor().await;
        assert!(cursor.len() <= 100_000, "a cursor travels in a row of a table");
        let mut known = Known::default();
        known.news(&connected.everything().await);
        let (first, next) = connected.changes(&cursor).await;
        connected.sandbox.calls().await;
        let (second, _) = connected.changes(&next).await;
        let calls = connected.sandbox.calls().await;
        assert!(!first.relist && !second.relist);
        assert_eq!(known.news(&first), BTreeSet::new(), "the listing came after");
        assert_eq!(known.news(&second), BTreeSet::new(), "nothing has changed");
        assert!(calls.len() <= fixture.calls_when_unchanged, "{calls:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_change_is_found_and_nothing_else_is() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        let ids = {
            let mut ids = Vec::new();
            for name in ["edited", "renamed", "deleted", "untouched"] {
                ids.push(connected.create(&format!("To be {name}"), &format!("This will be {name}.")).await);
            }
            ids
        };
        a_moment(&connected).await;
        let mut cursor = connected.start_cursor().await;
        let mut known = Known::default();
        known.news(&connected.everything().await);
        cursor = connected.changes(&cursor).await.1;
        let finds = |change| fixture.pulled.contains(&change);

        a_moment(&connected).await;
        let made = connected.external_id(&connected.create("Made later", "This came after the first listing.").await);
        let (found, next) = connected.changes(&cursor).await;
        cursor = next;
        if finds(Change::Create) {
            assert_eq!(known.news(&found), [made.clone()].into(), "a resource was made");
            assert!(
                squeezed(&connected.text_of(&found.resources[&made]).await)
                    .contains("This came after the first listing.")
            );
        }

        a_moment(&connected).await;
        let before = connected.everything().await;
        known.news(&before);
        connected.edit(&ids[0], "This has been edited.").await;
        let edited = connected.external_id(&ids[0]);
        let (found, next) = connected.changes(&cursor).await;
        cursor = next;
        if finds(Change::Edit) {
            assert_eq!(known.news(&found), [edited.clone()].into(), "a text was changed");
            assert!(squeezed(&connected.text_of(&found.resources[&edited]).await).contains("This has been edited."));
        }
        let after = connected.everything().await;
        assert_ne!(
            before.resources[&edited].0.revision, after.resources[&edited].0.revision,
            "another text, another revision"
        );
        known.news(&after);
        let same: Vec<_> = after.resources.iter().filter(|(id, _)| **id != edited).collect();
        assert!(
            same.iter().all(|(id, now)| before.resources[*id].0.revision == now.0.revision),
            "all else is the same"
        );

        if connected.can("rename").await {
            a_moment(&connected).await;
            connected.rename(&ids[1], "Renamed").await;
            let renamed = connected.external_id(&ids[1]);
            let (found, next) = connected.changes(&cursor).await;
            cursor = next;
            if finds(Change::Rename) {
                assert_eq!(known.news(&found), [renamed.clone()].into(), "a title was changed");
                assert!(found.resources[&renamed].0.name.ends_with("Renamed"));
            }
        }

        a_moment(&connected).await;
        connected.delete(&ids[2]).await;
        let deleted = connected.external_id(&ids[2]);
        let (found, next) = connected.changes(&cursor).await;
        cursor = next;
        if finds(Change::Delete) {
            assert!(found.gone.contains_key(&deleted), "it was deleted: {found:?}");
            assert_eq!(known.news(&found), [deleted].into());
        } else {
            known.news(&connected.everything().await);
        }
        let (nothing, _) = connected.changes(&cursor).await;
        assert_eq!(known.news(&nothing), BTreeSet::new(), "what was found is not found again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_is_listed_no_more_cannot_be_fetched_and_is_confirmed_as_gone() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        let (kept, lost) = (connected.create("Kept", "It stays.").await, connected.create("Lost", "It goes.").await);
        connected.delete(&lost).await;
        let (kept, lost) = (connected.external_id(&kept), connected.external_id(&lost));
        let whole = connected.everything().await;
        assert!(whole.resources.contains_key(&kept) && !whole.resources.contains_key(&lost));
        let error = connected.text(&lost, None).await.expect_err("it is gone");
        assert_eq!(error.kind, Kind::NotFound, "{error:?}");
        let gone = connected.provider().confirm_gone(&connected.access(), &connected.config, &lost).await.unwrap();
        assert!(gone.is_some());
        if fixture.confirms {
            let there = connected.provider().confirm_gone(&connected.access(), &connected.config, &kept).await.unwrap();
            assert_eq!(there, None, "it is still there");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_has_expired_is_told_from_every_other_trouble() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        if !connected.can("expireCursors").await {
            return;
        }
        connected.create("Note", "It is there.").await;
        let cursor = connected.start_cursor().await;
        connected.everything().await;
        let (_, cursor) = connected.changes(&cursor).await;
        connected.act("expire-cursors", json!({})).await;
        let error = connected.list(From::Cursor(&cursor)).await.expect_err("the cursor has expired");
        assert_eq!(error.kind, Kind::CursorExpired, "{error:?}");
        let anew = connected.start_cursor().await;
        connected.list(From::Cursor(&anew)).await.expect("a new cursor serves");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_makes_no_sense_harms_nobody() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        for nonsense in ["nonsense", "{}", "[]", "null", "\u{0}", &"9".repeat(5000)] {
            let error = connected.list(From::Cursor(nonsense)).await.expect_err("it is no cursor");
            assert!(matches!(error.kind, Kind::CursorExpired | Kind::Malformed(_)), "{nonsense:.20}: {error:?}");
        }
    })
    .await;
}
