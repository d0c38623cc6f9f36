//! The sink behind an address: what is signed arrives, and what an answer means is what happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use domain::SystemClock;
use sink::{Client, DeliveryOutcome, Error, HttpSink, Sink as _, Upsert};
use testkit::sinks::{Receiver, Trouble};

use crate::sample::{at, deletion, secret, upsert};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn sink(receiver: &Receiver, signing_secret: &str, embeds: bool) -> Result<HttpSink> {
    let client = Client::new(SystemClock::shared(), Duration::from_millis(600));
    let json = format!(r#"{{"signingSecret":"{signing_secret}"}}"#);
    Ok(HttpSink::new(client, receiver.url().parse()?, secret(&json), embeds))
}

async fn room() -> Result<(Receiver, HttpSink)> {
    let receiver = Receiver::start(SECRET).await?;
    let sink = sink(&receiver, SECRET, false)?;
    Ok((receiver, sink))
}

fn batch(count: usize) -> Vec<Upsert> {
    (0..count).map(|number| upsert(&format!("f{number}"), &format!("text {number}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_arrives_signed_and_is_named_by_its_receiver() -> Result<()> {
    let (receiver, sink) = room().await?;
    let results = sink.upsert(batch(10)).await?;
    for (number, result) in results.into_iter().enumerate() {
        let delivered = result?;
        assert_eq!(delivered.memory_id, Some(format!("memory-of-f{number}")));
        assert_eq!(delivered.outcome, DeliveryOutcome::Created);
    }
    let told = receiver.resources();
    assert_eq!((told.len(), receiver.forged()), (10, 0));
    assert_eq!((&told["f3"]["text"], &told["f3"]["externalId"]), (&"text 3".into(), &"f3".into()));
    sink.delete(vec![deletion("f3"), deletion("never")]).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert!(!receiver.resources().contains_key("f3"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_03_what_arrives_twice_is_stored_once_and_what_comes_back_is_stored_again() -> Result<()> {
    let (receiver, sink) = room().await?;
    for _ in 0..3 {
        sink.upsert(batch(2)).await?.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    assert_eq!(receiver.stored(), 2);
    sink.delete(vec![deletion("f0")]).await?.remove(0)?;
    let restored = Upsert { observed_at: at(50), ..upsert("f0", "text 0") };
    sink.upsert(vec![restored]).await?.remove(0)?;
    assert_eq!(receiver.stored(), 3, "deleted and back in the same state is no repetition");
    assert!(receiver.resources().contains_key("f0"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_16_a_wait_is_handed_on_and_nothing_more_is_begun() -> Result<()> {
    let (receiver, sink) = room().await?;
    receiver.troubles.always(Some(Trouble::RetryAfter(429, "12")));
    let results = sink.upsert(batch(40)).await?;
    assert!(results.iter().all(
        |result| matches!(result, Err(Error::Busy { wait, asked: true, touched: false }) if wait.as_secs() == 12)
    ));
    assert!(receiver.troubles.asked().len() <= 10, "those that were under way");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_answer_has_its_consequence() -> Result<()> {
    let check = async |trouble: Trouble, is_it: fn(&Error) -> bool| -> Result<()> {
        let (receiver, sink) = room().await?;
        receiver.troubles.next(trouble.clone());
        let error = sink.upsert(batch(1)).await?.remove(0).unwrap_err();
        assert!(is_it(&error), "{trouble:?}: {error:?}");
        Ok(())
    };
    let passes = |error: &Error| matches!(error, Error::Unavailable { .. });
    for status in [500, 502, 504, 401, 403, 404, 408] {
        check(Trouble::Answer(status, "canary"), passes).await?;
    }
    check(Trouble::Silent(Duration::from_secs(5)), passes).await?;
    check(Trouble::RetryAfter(503, "60"), |error| matches!(error, Error::Busy { .. })).await?;
    check(
        Trouble::Answer(422, "canary"),
        |error| matches!(error, Error::Blocked(reason) if !reason.contains("canary")),
    )
    .await?;
    check(
        Trouble::Answer(413, "canary"),
        |error| matches!(error, Error::Refused(reason) if reason == "it answers 413"),
    )
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_18_a_receiver_that_says_nothing_holds_nobody() -> Result<()> {
    let (receiver, sink) = room().await?;
    receiver.troubles.always(Some(Trouble::Silent(Duration::from_secs(60))));
    let began = Instant::now();
    let results = sink.upsert(batch(10)).await?;
    assert!(results.iter().all(Result::is_err));
    assert!(began.elapsed() < Duration::from_secs(5));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_36_no_redirect_is_followed() -> Result<()> {
    let (receiver, sink) = room().await?;
    let elsewhere = Receiver::start(SECRET).await?;
    receiver.redirect_to(&elsewhere.url());
    let error = sink.upsert(batch(1)).await?.remove(0).unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(elsewhere.troubles.asked().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_34_a_delivery_signed_with_another_secret_is_not_taken() -> Result<()> {
    let receiver = Receiver::start(SECRET).await?;
    let stranger = sink(&receiver, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false)?;
    assert!(stranger.upsert(batch(1)).await?.remove(0).is_err());
    assert_eq!((receiver.forged(), receiver.resources().len()), (1, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_reference_no_text_leaves_unless_the_receiver_embeds() -> Result<()> {
    let receiver = Receiver::start(SECRET).await?;
    let reference = |id: &str| Upsert { keep_body: false, ..upsert(id, "canary") };
    sink(&receiver, SECRET, false)?.upsert(vec![reference("f1")]).await?.remove(0)?;
    sink(&receiver, SECRET, true)?.upsert(vec![reference("f2")]).await?.remove(0)?;
    let told = receiver.resources();
    assert_eq!((&told["f1"]["text"], &told["f1"]["keepText"]), (&serde_json::Value::Null, &false.into()));
    assert_eq!((&told["f2"]["text"], &told["f2"]["keepText"]), (&"canary".into(), &false.into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_or_used_is_a_trouble_that_passes() -> Result<()> {
    let receiver = Receiver::start(SECRET).await?;
    let client = || Client::new(SystemClock::shared(), Duration::from_secs(1));
    let unread: sink::Secret = Arc::new(|| Box::pin(async { Err("no secret".into()) }));
    for secret in [unread, secret("{}")] {
        let sink = HttpSink::new(client(), receiver.url().parse()?, secret, false);
        let error = sink.upsert(batch(1)).await?.remove(0).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }
    assert!(receiver.troubles.asked().is_empty());
    Ok(())
}
