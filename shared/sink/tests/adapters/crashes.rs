//! A worker that dies at any request, before it was worked on or before its answer came, and whoever comes after it.

use std::time::Duration;

use anyhow::Result;
use sink::Upsert;
use testkit::sinks::Trouble;

use crate::room::{QUEUE, Room, words};
use crate::sample::{long, upsert};

/// Longer than any test: the worker is dead before that.
const NEVER: Duration = Duration::from_secs(3600);

/// The worker dies while its `k`-th request is under way; `worked_on`: the request was worked on. `false`: it needed fewer requests.
async fn die_at(room: &Room, upsert: &Upsert, k: usize, worked_on: bool) -> Result<bool> {
    let troubles = &room.cognia.troubles;
    let before = troubles.asked().len();
    for _ in 1..k {
        troubles.next(Trouble::None);
    }
    troubles.next(if worked_on { Trouble::Late(NEVER) } else { Trouble::Silent(NEVER) });
    let delivery = room.bring(upsert);
    let reached = async {
        while troubles.asked().len() < before + k {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // So that a request which is worked on has been.
        tokio::time::sleep(Duration::from_millis(15)).await;
    };
    tokio::select! {
        // Dropped here, it does nothing more, as a process that was killed.
        () = reached => Ok(true),
        _ = delivery => Ok(false),
    }
}

/// What comes after a crash.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// The same message again.
    Same,
    /// The resource was edited meanwhile.
    Edited,
    /// It was deleted meanwhile.
    Deleted,
}

async fn crash(way: Option<Duration>, first: &str, second: &str, next: Next) -> Result<usize> {
    let mut points = 0;
    for worked_on in [false, true] {
        for k in 1.. {
            let room = Room::new(way).await?;
            // There is a version before, so that something has to be deleted, too.
            room.deliver(&upsert("f1", first)).await?;
            if !die_at(&room, &upsert("f1", second), k, worked_on).await? {
                break;
            }
            points += 1;
            let what = format!("{next:?} after request {k}, worked on: {worked_on}, queue: {way:?}");
            let expected = match next {
                Next::Same => second.to_owned(),
                Next::Edited => second.replace("two", "later"),
                Next::Deleted => String::new(),
            };
            match next {
                Next::Deleted => room.delete("f1").await?,
                _ => drop(room.deliver(&upsert("f1", &expected)).await?),
            }
            // What is still queued turns up now, where it does.
            tokio::time::sleep(way.unwrap_or_default() * 2).await;
            let found: std::collections::BTreeSet<_> =
                room.memories().iter().flat_map(|memory| words(&memory.content)).collect();
            assert_eq!(found, words(&expected), "{what}");
            room.assert_settled();
        }
    }
    Ok(points)
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_01_a_worker_that_dies_at_any_request_leaves_nothing_behind_and_loses_nothing() -> Result<()> {
    for next in [Next::Same, Next::Edited, Next::Deleted] {
        let points = crash(None, "what it was one two", "what it is two three", next).await?;
        assert!(points >= 4, "a deletion and a submission, each before and after: {points}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_01_nor_where_texts_are_queued() -> Result<()> {
    for next in [Next::Same, Next::Edited, Next::Deleted] {
        let points = crash(Some(QUEUE), "what it was one two", "what it is two three", next).await?;
        assert!(points >= 6, "also while it looks for the memory: {points}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_12_answers_that_are_lost_make_nothing_twice() -> Result<()> {
    for way in [None, Some(QUEUE)] {
        let room = Room::new(way).await?;
        let troubles = &room.cognia.troubles;
        let text = long(["one", "two", "three"]);
        // Every second request is worked on and answered with a failure.
        for _ in 0..8 {
            troubles.next(Trouble::Lost);
            troubles.next(Trouble::None);
        }
        room.deliver(&upsert("f1", &text)).await?;
        assert!(words(&text).is_subset(&room.findable()));
        assert_eq!(room.cognia.made(), room.memories().len() as u64);
        for _ in 0..8 {
            troubles.next(Trouble::Lost);
            troubles.next(Trouble::None);
        }
        room.delete("f1").await?;
        assert!(room.memories().is_empty());
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_08_two_workers_at_one_resource_leave_one_state() -> Result<()> {
    for way in [None, Some(QUEUE)] {
        let room = Room::new(way).await?;
        let (one, other) = (long(["one", "two", "three"]), long(["uno", "two", "tre"]));
        let (one, other) = (upsert("f1", &one), upsert("f1", &other));
        let (first, second) = tokio::join!(room.deliver(&one), room.deliver(&other));
        first?;
        second?;
        // Whichever was last: it is that one and nothing of the other. The record's order then has the right one delivered again.
        room.deliver(&other).await?;
        tokio::time::sleep(QUEUE * 2).await;
        let found = room.findable();
        assert_eq!(found, words(&other.content.content));
        room.assert_settled();
    }
    Ok(())
}
