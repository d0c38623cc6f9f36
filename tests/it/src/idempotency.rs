//! Requests under an `Idempotency-Key`: one runs, its answer is kept as long as was said, and what had no effect is forgotten.

use anyhow::{Result, bail};
use futures::future::try_join_all;
use store::{Idempotency, IdempotencyClaim, Store};

use crate::sample::{at, store};

/// Begins a request that nobody has begun before.
async fn begun(store: &Store, name: &str) -> Result<IdempotencyClaim> {
    match store.begin_idempotent(name, "body", at(0)).await? {
        Idempotency::New(claim) => Ok(claim),
        other => bail!("{name} was begun before: {other:?}"),
    }
}

#[tokio::test]
async fn of_fifty_requests_under_one_key_one_runs() -> Result<()> {
    let store = store().await?;
    let tries = try_join_all((0..50).map(|_| store.begin_idempotent("k", "body", at(0)))).await?;
    assert_eq!(tries.iter().filter(|got| matches!(got, Idempotency::New(_))).count(), 1);
    assert_eq!(tries.iter().filter(|got| matches!(got, Idempotency::UnderWay)).count(), 49);
    Ok(())
}

#[tokio::test]
async fn an_answer_is_given_again_for_as_long_as_it_is_kept() -> Result<()> {
    let store = store().await?;
    let claim = begun(&store, "k").await?;
    store.answer_idempotent(&claim, b"answer".to_vec(), at(600)).await?;
    let again = |body: &'static str, seconds| store.begin_idempotent("k", body, at(seconds));
    assert_eq!(again("body", 1).await?, Idempotency::Answered(b"answer".to_vec()));
    assert_eq!(again("body", 599).await?, Idempotency::Answered(b"answer".to_vec()));
    assert_eq!(again("another", 599).await?, Idempotency::OtherBody);
    assert!(matches!(again("another", 600).await?, Idempotency::New(_)), "the table may not have deleted it yet");
    Ok(())
}

#[tokio::test]
async fn what_had_no_effect_can_be_tried_again() -> Result<()> {
    let store = store().await?;
    let claim = begun(&store, "k").await?;
    store.forget_idempotent(&claim).await?;
    begun(&store, "k").await?;
    Ok(())
}

#[tokio::test]
async fn a_request_whose_function_died_is_taken_over_and_its_late_words_do_not_count() -> Result<()> {
    let store = store().await?;
    let died = begun(&store, "k").await?;
    assert_eq!(store.begin_idempotent("k", "body", at(59)).await?, Idempotency::UnderWay);
    let Idempotency::New(second) = store.begin_idempotent("k", "body", at(60)).await? else {
        bail!("the request stays under way for ever");
    };
    store.answer_idempotent(&died, b"late".to_vec(), at(600)).await?;
    store.forget_idempotent(&died).await?;
    assert_eq!(store.begin_idempotent("k", "body", at(61)).await?, Idempotency::UnderWay);
    store.answer_idempotent(&second, b"second".to_vec(), at(600)).await?;
    assert_eq!(store.begin_idempotent("k", "body", at(62)).await?, Idempotency::Answered(b"second".to_vec()));
    Ok(())
}
