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
}

impl Job for Order {
    fn owner(&self) -> Option<&Owner> {
        None
    }
}

#[derive(Debug, thiserror::Error)]
#[error("as ordered")]
struct Ordered;

fn obey(order: Order) -> Result<(), JobError> {
    match order {
        Order::Succeed => Ok(()),
        Order::Retry => Err(JobError::retry(Ordered)),
        Order::RetryAfter(seconds) => Err(JobError::retry_after(Duration::from_secs(seconds), Ordered)),
        Order::GiveUp => Err(JobError::give_up(Ordered)),
    }
}

fn event(bodies: &[Option<String>]) -> SqsEvent {
    let records: Vec<_> = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| json!({"messageId": format!("m{index}"), "receiptHandle": format!("r{index}"), "body": body}))
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn failed(response: &SqsBatchResponse) -> Vec<String> {
    response.batch_item_failures.iter().map(|failure| failure.item_identifier.clone()).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// A body, and whether the queue must keep its message (a wait is kept only if it cannot be sent again).
fn bodies() -> impl Strategy<Value = Vec<Option<String>>> {
    let order = prop_oneof![
        Just(Order::Succeed),
        Just(Order::Retry),
        (0u64..100_000).prop_map(Order::RetryAfter),
        Just(Order::GiveUp)
    ]
    .prop_map(|order| Some(serde_json::to_string(&order).unwrap()));
    let garbage = prop_oneof![Just(None), ".{0,20}".prop_map(Some), Just(Some(r#"{"RetryAfter":"no"}"#.to_owned()))];
    prop::collection::vec(prop_oneof![4 => order, 1 => garbage], 0..12)
}

proptest! {
    #[test]
    fn exactly_the_failed_messages_are_named(bodies in bodies(), sending_works: bool, answered in 0usize..12) {
        let steps = Mutex::new(Vec::new());
        let response = block_on(handle(
            event(&bodies),
            Timestamp::MAX_UTC,
            // A worker that forgets results at the end of its list.
            |messages: Vec<Message<Order>>| async move {
                messages.into_iter().take(answered).map(|message| obey(message.body)).collect()
            },
            |received, step| {
                steps.lock().unwrap().push((received.id, step));
                async move {
                    match step {
                        Step::SendAfter(_) if !sending_works => Err(crate::Error::from("the queue is down")),
                        _ => Ok(()),
                    }
                }
            },
        ))
        .unwrap();

        let mut seen = 0;
        let mut expected = Vec::new();
        for (index, body) in bodies.iter().enumerate() {
            let order = body.as_deref().and_then(|body| serde_json::from_str::<Order>(body).ok());
            let kept = match order {
                None => true,
                Some(order) => {
                    seen += 1;
                    seen > answered || match order {
                        Order::Succeed | Order::GiveUp => false,
                        Order::Retry => true,
                        Order::RetryAfter(_) => !sending_works,
                    }
                }
            };
            if kept {
                expected.push(format!("m{index}"));
            }
        }
        prop_assert_eq!(failed(&response), expected);

        // Whatever the queue must keep gets its back-off; whatever waits is sent within SQS's longest delay.
        let steps = steps.into_inner().unwrap();
        let backed_off: BTreeSet<_> = steps.iter().filter(|(_, step)| *step == Step::BackOff).map(|(id, _)| id.clone()).collect();
        prop_assert_eq!(backed_off, failed(&response).into_iter().collect::<BTreeSet<_>>());
        for (_, step) in steps {
            if let Step::SendAfter(delay) = step {
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
            |_, _| async { Ok(()) },
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
        |_, _| async { Ok(()) },
    ))
    .unwrap();
    assert_eq!(failed(&response), ["same"]);
}

#[test]
fn no_more_messages_run_at_once_than_allowed() {
    let messages = (0..20)
        .map(|index| Message { body: Order::Succeed, id: index.to_string(), attempt: 1, deadline: Timestamp::MAX_UTC })
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
            event(&[Some("\"Succeed\"".to_owned())]),
            deadline,
            |_: Vec<Message<Order>>| std::future::pending::<Vec<Result<(), JobError>>>(),
            |_, _| async { Ok(()) },
        )
        .await
        .unwrap();
        assert_eq!(failed(&response), ["m0"]);
    });
}
