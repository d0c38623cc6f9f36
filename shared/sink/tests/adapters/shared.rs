//! Memories that several resources share.

use anyhow::Result;

use crate::room::{QUEUE, Room};
use crate::sample::{PERSON, upsert};

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_that_two_resources_share_stays_until_both_are_gone() -> Result<()> {
    for way in [None, Some(QUEUE)] {
        let room = Room::new(way).await?;
        let one = room.deliver(&upsert("f1", "the same words")).await?;
        let other = room.deliver(&upsert("f2", "the same words")).await?;
        assert_eq!(one.memory_id, other.memory_id);
        assert_eq!(room.account.holders().into_values().collect::<Vec<_>>(), [2]);
        room.delete("f1").await?;
        assert_eq!(room.memories().len(), 1, "the other still needs it");
        room.delete("f1").await?;
        assert_eq!(room.memories().len(), 1, "a deletion that comes twice counts once");
        room.delete("f2").await?;
        assert!(room.memories().is_empty());
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_one_leaves_the_other_what_they_shared() -> Result<()> {
    for way in [None, Some(QUEUE)] {
        let room = Room::new(way).await?;
        room.deliver(&upsert("f1", "the same words")).await?;
        room.deliver(&upsert("f2", "the same words")).await?;
        room.deliver(&upsert("f1", "quite another text")).await?;
        let mut texts: Vec<String> = room.memories().into_iter().map(|memory| memory.content).collect();
        texts.sort();
        assert_eq!(texts, ["quite another text", "the same words"]);
        room.assert_settled();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_parts_of_one_text_may_share_a_memory() -> Result<()> {
    let room = Room::new(None).await?;
    let section = format!("## Notes\n\n{}\n\n", "the same words in both ".repeat(40));
    room.deliver(&upsert("f1", &format!("{section}{section}"))).await?;
    assert_eq!(room.account.holders().into_values().collect::<Vec<_>>(), [2]);
    room.delete("f1").await?;
    assert!(room.memories().is_empty());
    Ok(())
}

/// One resource gives a memory up while another takes it up, many times over: whoever has it at the end, it is there.
#[tokio::test(flavor = "multi_thread")]
async fn guarantee_11_a_memory_is_not_deleted_under_the_hands_of_who_has_just_taken_it_up() -> Result<()> {
    for way in [None, Some(QUEUE)] {
        let room = Room::new(way).await?;
        for round in 0..12 {
            let text = format!("the words of round {round}");
            room.deliver(&upsert("f1", &text)).await?;
            let comer = upsert("f2", &text);
            let (left, came) = tokio::join!(room.delete("f1"), room.deliver(&comer));
            left?;
            let delivered = came?;
            let there = room.cognia.memories(PERSON);
            assert_eq!(there.len(), 1, "round {round}");
            assert_eq!(delivered.memory_id.as_deref(), Some(there[0].id.as_str()));
            room.assert_settled();
            room.delete("f2").await?;
        }
    }
    Ok(())
}
