//! The account of memories in its table: two workers at one sheet, and two resources at one memory.

use std::collections::BTreeMap;

use anyhow::Result;
use domain::memory::Sheet;
use domain::message::IntegrationRef;
use store::{Adopted, Store};

use crate::sample::{at, connected, external_id, store};

fn one(memory: &str) -> BTreeMap<String, u32> {
    BTreeMap::from([(memory.to_owned(), 1)])
}

async fn hold(store: &Store, of: &IntegrationRef, id: &str, memory: &str) -> Result<Adopted> {
    let mut sheet = store.memories_of(of, &external_id(id)).await?;
    sheet.hold("whole", "hash", memory);
    Ok(store.adopt_memories(of, &external_id(id), &sheet, &one(memory), at(0)).await?)
}

async fn let_go(store: &Store, of: &IntegrationRef, id: &str) -> Result<bool> {
    let mut sheet = store.memories_of(of, &external_id(id)).await?;
    let lost = sheet.let_go(["whole"]);
    Ok(store.release_memories(of, &external_id(id), &sheet, &lost, at(0)).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_11_of_two_who_write_a_sheet_one_has_to_look_again() -> Result<()> {
    let store = store().await?;
    let of = connected(&store, "user/ada").await?.reference();
    let id = external_id("f1");
    assert_eq!(store.memories_of(&of, &id).await?, Sheet::default());
    let mut sheet = Sheet::default();
    sheet.hold("whole", "1", "m1");
    assert!(store.save_memories(&of, &id, &sheet, at(0)).await?);
    assert!(!store.save_memories(&of, &id, &sheet, at(0)).await?, "there is one by now");
    let stored = store.memories_of(&of, &id).await?;
    assert_eq!(stored, Sheet { version: 1, ..sheet.clone() });
    assert_eq!(store.adopt_memories(&of, &id, &sheet, &one("m2"), at(0)).await?, Adopted::Overtaken);
    assert!(store.close_memory("m2", at(0)).await?, "nothing was counted for it");
    assert!(!store.release_memories(&of, &id, &sheet, &one("m1"), at(0)).await?);
    // An emptied sheet keeps its place, so that whoever read the one before finds it changed.
    let empty = Sheet { version: 1, ..Sheet::default() };
    assert!(store.save_memories(&of, &id, &empty, at(0)).await?);
    assert!(!store.save_memories(&of, &id, &stored, at(0)).await?);
    assert_eq!(store.memories_of(&of, &id).await?.version, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_is_closed_once_nobody_holds_it_and_for_good() -> Result<()> {
    let store = store().await?;
    let of = connected(&store, "user/ada").await?.reference();
    assert_eq!(hold(&store, &of, "f1", "m1").await?, Adopted::Yes);
    assert_eq!(hold(&store, &of, "f2", "m1").await?, Adopted::Yes);
    assert!(let_go(&store, &of, "f1").await?);
    assert!(!store.close_memory("m1", at(0)).await?, "the other holds it");
    assert!(let_go(&store, &of, "f2").await?);
    assert!(store.close_memory("m1", at(0)).await?);
    assert!(store.close_memory("m1", at(0)).await?, "a second time says the same");
    assert_eq!(hold(&store, &of, "f3", "m1").await?, Adopted::Closed(vec!["m1".to_owned()]));
    assert_eq!(store.memories_of(&of, &external_id("f3")).await?, Sheet::default(), "nothing was written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_11_whoever_takes_a_memory_up_while_it_is_closed_either_has_it_or_knows() -> Result<()> {
    let store = store().await?;
    let of = connected(&store, "user/ada").await?.reference();
    for round in 0..20 {
        let memory = format!("m{round}");
        hold(&store, &of, "leaves", &memory).await?;
        assert!(let_go(&store, &of, "leaves").await?);
        let comer = format!("comes{round}");
        let (closed, taken) = tokio::join!(store.close_memory(&memory, at(0)), hold(&store, &of, &comer, &memory));
        match (closed?, taken?) {
            (true, Adopted::Closed(_)) | (false, Adopted::Yes) => {}
            // The two met in the table: whoever comes has to look again, and then knows.
            (closed, Adopted::Overtaken) => {
                let again = hold(&store, &of, &comer, &memory).await?;
                assert_eq!(again == Adopted::Yes, !closed, "{again:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}
