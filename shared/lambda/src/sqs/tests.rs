//! The response contract: what SQS is told is about messages it sent, and about all that failed.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::json;

use super::answer::LONGEST_DELAY;
use super::*;

/// What the worker is told to do with a message, carried by the message itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Order {
    Succeed,
    Retry,
    RetryAfter(u64),
    GiveUp,
    Poison,
}

/// Attempts that a message has.
const ATTEMPTS: u32 = 3;

#[derive(Debug, thiserror::Error)]
#[error("as ordered")]
struct Ordered;

fn obey(order: Order) -> Result<(), JobError> {
    match order {
        Order::Succeed => Ok(()),
        Order::Retry => Err(JobError::retry(Ordered)),
        Order::RetryAfter(seconds) => Err(JobError::retry_after(Duration::from_secs(seconds), Ordered)),
        Order::GiveUp => Err(JobError::give_up(Ordered)),
        Order::Poison => Err(JobError::poison(Ordered)),
    }
}

/// An event of messages, each with how many times it was received.
fn event(bodies: &[(Option<String>, u32)]) -> SqsEvent {
    let records: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(index, (body, received))| {
            json!({"messageId": format!("m{index}"), "receiptHandle": format!("r{index}"), "body": body,
                "attributes": {"ApproximateReceiveCount": received.to_string()}})
        })
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn failed(response: &SqsBatchResponse) -> Vec<String> {
    response.batch_item_failures.iter().map(|failure| failure.item_identifier.clone()).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Bodies of messages, and how often each was received.
fn bodies() -> impl Strategy<Value = Vec<(Option<String>, u32)>> {
    let order = prop_oneof![
        Just(Order::Succeed),
        Just(Order::Retry),
        (0u64..100_000).prop_map(Order::RetryAfter),
        Just(Order::GiveUp),
        Just(Order::Poison)
    ]
    .prop_map(|order| Some(serde_json::to_string(&order).unwrap()));
    let garbage = prop_oneof![Just(None), ".{0,20}".prop_map(Some), Just(Some(r#"{"RetryAfter":"no"}"#.to_owned()))];
    prop::collection::vec((prop_oneof![4 => order, 1 => garbage], 1..=ATTEMPTS + 1), 0..12)
}

proptest! {
    #[test]
    fn guarantee_05_exactly_what_the_queue_must_keep_is_named(bodies in bodies(), works: [bool; 12], answered in 0usize..12) {
        let steps = Mutex::new(Vec::new());
        let response = block_on(handle(
            event(&bodies),
            Timestamp::MAX_UTC,
            // A worker that forgets results at the end of its list.
            |messages: Vec<Message<Order>>| async move {
                messages.into_iter().take(answered).map(|message| obey(message.body)).collect()
            },
            |_| ATTEMPTS,
            |batch: Vec<(Received, Step)>| {
                let done = batch.iter().map(|(received, _)| works[received.id[1..].parse::<usize>().unwrap()]).collect();
                steps.lock().unwrap().extend(batch.into_iter().map(|(received, step)| (received.id, step)));
                async { done }
            },
        ))
        .unwrap();

        let mut seen = 0;
        let (mut expected, mut buried) = (BTreeSet::new(), BTreeSet::new());
        for (index, (body, received)) in bodies.iter().enumerate() {
            let order = body.as_deref().and_then(|body| serde_json::from_str::<Order>(body).ok());
            let (id, last) = (format!("m{index}"), *received >= ATTEMPTS);
            let (kept, dead) = match order {
                None => (!works[index], true),
                Some(order) => {
                    seen += 1;
                    match order {
                        _ if seen > answered => (!last || !works[index], last),
                        Order::Succeed | Order::GiveUp => (false, false),
                        Order::Retry => (!last || !works[index], last),
                        Order::RetryAfter(_) => (!works[index], false),
                        Order::Poison => (!works[index], true),
                    }
                }
            };
            if kept {
                expected.insert(id.clone());
            }
            if dead {
                buried.insert(id);
            }
        }
        let named = failed(&response);
        prop_assert_eq!(named.len(), expected.len(), "each once");
        prop_assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), expected.clone());

        // Whatever the queue must keep gets its back-off; whatever waits is sent within SQS's longest delay; and exactly what is
        // beyond help is tried to be buried.
        let steps = steps.into_inner().unwrap();
        let of = |wanted: fn(&Step) -> bool| steps.iter().filter(|(_, step)| wanted(step)).map(|(id, _)| id.clone()).collect::<BTreeSet<_>>();
        prop_assert_eq!(of(|step| *step == Step::BackOff), expected);
        prop_assert_eq!(of(|step| matches!(step, Step::Bury { reason } if !reason.is_empty())), buried);
        for (_, step) in steps {
            if let Step::SendAgain { delay, .. } = step {
                prop_assert!(delay >= Duration::from_secs(1) && delay <= LONGEST_DELAY);
            }
        }
    }

    #[test]
    fn a_record_without_an_id_fails_the_invocation_before_anything_runs(before in 0usize..3, id in prop_oneof![Just(json!(null)), Just(json!(""))]) {
        let mut records: Vec<_> = (0..before).map(|index| json!({"messageId": format!("m{index}"), "body": "\"Succeed\""})).collect();
        records.push(json!({"messageId": id, "body": "\"Succeed\""}));
        let event = serde_json::from_value(json!({ "Records": records })).unwrap();
        let ran = AtomicUsize::new(0);
        let result = block_on(handle(
            event,
            Timestamp::MAX_UTC,
            |messages: Vec<Message<Order>>| {
                ran.fetch_add(messages.len(), Ordering::Relaxed);
                async { Vec::new() }
            },
            |_| ATTEMPTS,
            |steps: Vec<(Received, Step)>| async move { vec![true; steps.len()] },
        ));
        prop_assert!(result.is_err());
        prop_assert_eq!(ran.into_inner(), 0);
    }
}

#[test]
fn a_message_that_stands_twice_in_a_batch_is_named_once() {
    let record = json!({"messageId": "same", "body": "\"Retry\""});
    let event = serde_json::from_value(json!({"Records": [record, record]})).unwrap();
    let response = block_on(handle(
        event,
        Timestamp::MAX_UTC,
        |messages: Vec<Message<Order>>| async { messages.into_iter().map(|message| obey(message.body)).collect() },
        |_| ATTEMPTS,
        |steps: Vec<(Received, Step)>| async move { vec![true; steps.len()] },
    ))
    .unwrap();
    assert_eq!(failed(&response), ["same"]);
}

#[test]
fn no_more_messages_run_at_once_than_allowed() {
    let messages = (0..20)
        .map(|index| Message {
            body: Order::Succeed,
            id: index.to_string(),
            queue: String::new(),
            attempt: 1,
            slot: None,
            deadline: Timestamp::MAX_UTC,
        })
        .collect();
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = block_on(each(messages, 3, |message: Message<Order>| {
        let (running, most) = (&running, &most);
        async move {
            most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::Relaxed);
            // Every second one fails, so that order shows.
            if message.id.parse::<u32>().unwrap() % 2 == 0 { Ok(()) } else { Err(JobError::give_up(Ordered)) }
        }
    }));
    assert_eq!(most.into_inner(), 3);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result.is_ok(), index % 2 == 0);
    }
}

#[test]
fn a_worker_that_runs_out_of_time_leaves_its_messages_to_the_queue() {
    block_on(async {
        tokio::time::pause();
        let deadline = SystemClock.now() + chrono::TimeDelta::seconds(15);
        let response = handle(
            event(&[(Some("\"Succeed\"".to_owned()), 1)]),
            deadline,
            |_: Vec<Message<Order>>| std::future::pending::<Vec<Result<(), JobError>>>(),
            |_| ATTEMPTS,
            |steps: Vec<(Received, Step)>| async move { vec![true; steps.len()] },
        )
        .await
        .unwrap();
        assert_eq!(failed(&response), ["m0"]);
    });
}
