//! Cognia's ways, one by one, whether it works on texts at once or queues them.

use std::time::Duration;

use anyhow::Result;
use sink::{DeliveryOutcome, Error, Sink as _, Upsert};
use testkit::sinks::Trouble;

use crate::room::{QUEUE, Room, person, words};
use crate::sample::{long, upsert};

const WAYS: [Option<Duration>; 2] = [None, Some(QUEUE)];

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_becomes_a_memory_whose_words_are_those_of_its_text() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        let text = "first line\nsecond\tline\r\nthird";
        let delivered = room.deliver(&upsert("f1", text)).await?;
        let memories = room.memories();
        assert_eq!(memories.len(), 1);
        assert_eq!(words(&memories[0].content), words(text));
        assert_eq!(delivered.memory_id.as_deref(), Some(memories[0].id.as_str()));
        assert_eq!(memories[0].metadata["source_type"], "INTEGRATION");
        assert_eq!(memories[0].url.as_deref(), Some("https://drive.example/file/f1"));
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_03_a_delivery_that_comes_twice_is_one_memory_and_asks_for_nothing_more() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        let delivered = room.deliver(&upsert("f1", "text")).await?;
        let asked = room.cognia.troubles.asked().len();
        let again = room.deliver(&upsert("f1", "text")).await?;
        assert_eq!((again.memory_id, again.outcome), (delivered.memory_id, DeliveryOutcome::Unchanged));
        assert_eq!((room.cognia.made(), room.cognia.troubles.asked().len()), (1, asked));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_word_of_a_long_text_can_be_found() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        let text = long(["one", "two", "three"]);
        room.deliver(&upsert("f1", &text)).await?;
        assert!(room.memories().len() > 3);
        assert!(words(&text).is_subset(&room.findable()));
        assert!(room.cognia.troubles.most_at_once() <= 4, "few calls at once");
        room.delete("f1").await?;
        assert!(room.memories().is_empty());
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_one_section_touches_its_parts_alone() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        room.deliver(&upsert("f1", &long(["one", "two", "three"]))).await?;
        let before = room.memories();
        let text = long(["one", "edited", "three"]);
        let outcome = room.deliver(&upsert("f1", &text)).await?.outcome;
        let after = room.memories();
        let kept = after.iter().filter(|memory| before.iter().any(|old| old.id == memory.id)).count();
        assert_eq!((outcome, kept), (DeliveryOutcome::Updated, before.len() - before.len() / 3));
        assert_eq!(room.findable(), room.findable().union(&words(&text)).cloned().collect());
        assert!(!room.findable().iter().any(|word| word.starts_with("two1x")), "nothing of the old text is left");
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_one_word_is_not_taken_for_what_is_there() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        let text =
            |last: &str| format!("{} {last}", (0..60).map(|word| format!("word{word}")).collect::<Vec<_>>().join(" "));
        for last in ["before", "after", "before"] {
            room.deliver(&upsert("f1", &text(last))).await?;
            let memories = room.memories();
            assert_eq!(memories.len(), 1);
            assert!(memories[0].content.ends_with(last), "{last}");
        }
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sensitive_parts_are_left_out_for_good_and_named_by_their_kinds() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        let text = format!("{}\n\n## Numbers\n\nhers is 123-45-6789\n", long(["one", "two", "three"]));
        let refused = room.deliver(&upsert("f1", &text)).await.unwrap_err();
        let Error::Blocked(reason) = &refused else { panic!("{refused:?}") };
        let parts = room.memories().len() + 1;
        assert_eq!(reason, &format!("it found us_ssn in 1 of {parts} parts"));
        assert!(words(&long(["one", "two", "three"])).is_subset(&room.findable()), "the rest is there");
        assert!(!refused.is_retriable());
        // Once the number is gone from the document, all of it is there.
        let mended = text.replace("123-45-6789", "a secret");
        room.deliver(&upsert("f1", &mended)).await?;
        assert!(words(&mended).is_subset(&room.findable()));
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_takes_the_version_before_away() -> Result<()> {
    let room = Room::new(None).await?;
    room.deliver(&upsert("f1", "harmless")).await?;
    assert!(matches!(room.deliver(&upsert("f1", "it is 123-45-6789 now")).await, Err(Error::Blocked(_))));
    assert!(room.memories().is_empty());
    room.delete("f1").await?;
    room.assert_settled();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_16_a_wait_before_anything_was_done_is_one_for_all_and_touches_nothing() -> Result<()> {
    for (status, wait) in [(429, "7"), (503, "90")] {
        let room = Room::new(None).await?;
        room.cognia.troubles.next(Trouble::RetryAfter(status, wait));
        let batch = (0..10).map(|number| upsert(&format!("f{number}"), &format!("text {number}"))).collect();
        let results = room.sink.upsert(batch).await?;
        let waits = results.iter().filter(|result| {
            matches!(result, Err(Error::Busy { wait: told, asked: true, touched: false }) if told.as_secs().to_string() == wait)
        });
        assert!(waits.count() >= 1, "{results:?}");
        assert!(room.memories().len() < 10);
        for number in 0..10 {
            room.deliver(&upsert(&format!("f{number}"), &format!("text {number}"))).await?;
        }
        assert_eq!((room.memories().len(), room.cognia.made()), (10, 10));
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_16_a_wait_in_the_middle_of_a_text_is_no_first_attempt_any_more() -> Result<()> {
    let room = Room::new(None).await?;
    for _ in 0..3 {
        room.cognia.troubles.next(Trouble::None);
    }
    for _ in 0..20 {
        room.cognia.troubles.next(Trouble::RetryAfter(429, "3"));
    }
    let text = long(["one", "two", "three"]);
    let result = room.bring(&upsert("f1", &text)).await;
    assert!(matches!(result, Err(Error::Busy { asked: true, touched: true, .. })), "{result:?}");
    room.deliver(&upsert("f1", &text)).await?;
    assert!(words(&text).is_subset(&room.findable()));
    assert_eq!(room.cognia.made(), room.memories().len() as u64);
    room.assert_settled();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_reference_the_text_is_read_once_and_not_kept() -> Result<()> {
    for way in WAYS {
        let room = Room::new(way).await?;
        let text = long(["canary", "two", "three"]);
        let reference = Upsert { keep_body: false, ..upsert("f1", &text) };
        room.deliver(&reference).await?;
        assert!(words(&text).is_subset(&room.findable()), "it can be found by its text");
        assert!(room.memories().iter().all(|memory| memory.content == "Reference: Plan"), "and its text is gone");
        // A whole one of the same text has a memory of its own.
        room.deliver(&upsert("f2", "short canary")).await?;
        room.deliver(&Upsert { keep_body: false, ..upsert("f3", "short canary") }).await?;
        assert!(room.memories().iter().any(|memory| memory.content == "short canary"));
        // Whoever changes their mind gets the whole.
        room.deliver(&upsert("f1", &text)).await?;
        let kept: Vec<String> = room.memories().into_iter().map(|memory| memory.content).collect();
        assert!(words(&text).is_subset(&words(&kept.join(" "))));
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_threw_away_comes_in_again_with_the_next_edit() -> Result<()> {
    let room = Room::new(Some(QUEUE)).await?;
    let delivered = room.deliver(&upsert("f1", "text")).await?;
    room.cognia.throw_away(&delivered.memory_id.unwrap());
    // Another resource of the same text is taken for what is in the bin, which is then deleted for good.
    room.deliver(&upsert("f2", "text")).await?;
    assert_eq!(room.memories().len(), 1);
    room.deliver(&upsert("f1", "edited text")).await?;
    assert_eq!(room.memories().len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_and_forgotten_is_submitted_again() -> Result<()> {
    let room = Room::new(Some(QUEUE)).await?;
    room.cognia.forget_next(1);
    let first = room.bring(&upsert("f1", "text")).await;
    assert!(matches!(first, Err(Error::Busy { asked: false, touched: true, .. })), "{first:?}");
    room.deliver(&upsert("f1", "text")).await?;
    assert_eq!(room.memories().len(), 1);
    room.assert_settled();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_and_never_turns_up_is_a_failure_in_the_end() -> Result<()> {
    let room = Room::new(Some(QUEUE)).await?;
    room.cognia.forget_next(u32::MAX);
    let mut result = room.bring(&upsert("f1", "text")).await;
    for _ in 0..40 {
        if matches!(result, Err(Error::Unavailable { .. })) {
            break;
        }
        room.clock.advance(chrono::TimeDelta::seconds(31));
        result = room.bring(&upsert("f1", "text")).await;
    }
    assert!(matches!(result, Err(Error::Unavailable { .. })), "{result:?}");
    room.cognia.forget_next(0);
    room.deliver(&upsert("f1", "text")).await?;
    assert_eq!(room.memories().len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_in_one_name_moves_to_the_next() -> Result<()> {
    let room = Room::new(None).await?;
    room.deliver(&upsert("f1", "text")).await?;
    room.deliver(&Upsert { acting: person("eve"), ..upsert("f1", "text") }).await?;
    assert!(room.memories().is_empty());
    assert_eq!(room.cognia.memories("eve").len(), 1);
    room.delete("f1").await?;
    assert!(room.cognia.memories("eve").is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_404_that_is_not_cognia_s_does_not_count_as_deleted() -> Result<()> {
    let room = Room::new(None).await?;
    room.deliver(&upsert("f1", "text")).await?;
    room.cognia.troubles.always(Some(Trouble::Answer(404, "<html>no such page</html>")));
    let failed = room.sink.delete(vec![crate::sample::deletion("f1")]).await?.pop().unwrap();
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    room.cognia.troubles.always(None);
    room.delete("f1").await?;
    assert!(room.memories().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_delivered_is_deleted_without_a_call() -> Result<()> {
    let room = Room::new(None).await?;
    room.delete("f1").await?;
    assert!(room.cognia.troubles.asked().is_empty());
    Ok(())
}
