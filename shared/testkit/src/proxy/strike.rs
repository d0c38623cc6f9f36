//! The faults themselves.

use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::Kind;
use super::answers::{failure, throttled};
use super::body::{Body, Ended, half};
use super::process;
use super::server::{Answered, Asked, Proxy};

/// Does to a request what the plan says.
pub(super) async fn strike(proxy: &Proxy, kind: Kind, asked: Asked) -> Result<Response<Body>, Ended> {
    let side = asked.call.side;
    match kind {
        Kind::Refuse { status } => Ok(failure(&asked.call, status)),
        Kind::Throttle => Ok(throttled(&asked.call)),
        Kind::LoseAnswer { status } => {
            proxy.pass_on(side, &asked).await?;
            Ok(failure(&asked.call, status))
        }
        Kind::Reset => Err(Ended),
        Kind::ResetAfter => {
            proxy.pass_on(side, &asked).await?;
            Err(Ended)
        }
        Kind::Cut => {
            let Answered { parts, body } = proxy.pass_on(side, &asked).await?;
            Ok(Response::from_parts(parts, half(&body)))
        }
        Kind::Delay { ms } => {
            let answered = proxy.pass_on(side, &asked).await?;
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Ok(answered.into_response())
        }
        Kind::Silent { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            Err(Ended)
        }
        Kind::KillBefore => end(asked).await,
        Kind::KillAfter => {
            proxy.pass_on(side, &asked).await?;
            end(asked).await
        }
        Kind::Freeze => {
            proxy.pass_on(side, &asked).await?;
            freeze(asked).await
        }
        Kind::Duplicate { copies } => {
            for _ in 1..copies {
                proxy.pass_on(side, &asked).await?;
            }
            Ok(proxy.pass_on(side, &asked).await?.into_response())
        }
        Kind::Postpone { seconds } => {
            let body = changed(&asked.body, |request| postpone(request, seconds));
            Ok(proxy.pass_on_with(side, &asked, body).await?.into_response())
        }
        Kind::Reorder => {
            let body = changed(&asked.body, |request| {
                if let Some(entries) = entries(&asked.call.operation, request) {
                    entries.reverse();
                }
            });
            Ok(proxy.pass_on_with(side, &asked, body).await?.into_response())
        }
        Kind::LeaveOut { count } => leave_out(proxy, &asked, count).await,
    }
}

/// Kills the caller; its connection ends with it.
async fn end(asked: Asked) -> Result<Response<Body>, Ended> {
    if let Some(process) = asked.process {
        // If it is gone already, it was killed by another of its calls.
        tokio::task::spawn_blocking(move || process::kill(&process)).await.ok();
    }
    Err(Ended)
}

/// Longer than any function of ours may run.
const FROZEN: Duration = Duration::from_secs(120);

/// Stops the caller, which hears nothing more.
async fn freeze(asked: Asked) -> Result<Response<Body>, Ended> {
    if let Some(process) = asked.process {
        tokio::task::spawn_blocking(move || process::stop(&process)).await.ok();
    }
    tokio::time::sleep(FROZEN).await;
    Err(Ended)
}

fn changed(body: &Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    match serde_json::from_slice::<Value>(body) {
        Ok(mut request) => {
            change(&mut request);
            Bytes::from(request.to_string())
        }
        Err(_) => body.clone(),
    }
}

fn postpone(request: &mut Value, seconds: u32) {
    let later = |message: &mut Value| {
        let asked = message.get("DelaySeconds").and_then(Value::as_u64).unwrap_or_default();
        if let Some(fields) = message.as_object_mut() {
            // Not beyond what SQS allows.
            fields.insert("DelaySeconds".to_owned(), (asked + u64::from(seconds)).min(900).into());
        }
    };
    match request.get_mut("Entries").and_then(Value::as_array_mut) {
        Some(entries) => entries.iter_mut().for_each(later),
        None => later(request),
    }
}

/// Where the entries of a batch stand in its request: a list under one name, or lists under a table's name.
fn entries<'a>(operation: &str, request: &'a mut Value) -> Option<&'a mut Vec<Value>> {
    match operation {
        "SQS.SendMessageBatch" => request.get_mut("Entries")?.as_array_mut(),
        "DynamoDB.BatchWriteItem" => {
            request.get_mut("RequestItems")?.as_object_mut()?.values_mut().next()?.as_array_mut()
        }
        "DynamoDB.BatchGetItem" => {
            let table = request.get_mut("RequestItems")?.as_object_mut()?.values_mut().next()?;
            table.get_mut("Keys")?.as_array_mut()
        }
        _ => None,
    }
}

async fn leave_out(proxy: &Proxy, asked: &Asked, count: usize) -> Result<Response<Body>, Ended> {
    let operation = asked.call.operation.as_str();
    let Some((kept, left_out)) = split(operation, &asked.body, count) else {
        return Ok(proxy.pass_on(asked.call.side, asked).await?.into_response());
    };
    let mut answered = proxy.pass_on_with(asked.call.side, asked, Bytes::from(kept.to_string())).await?;
    // The checksum is of the body as it was.
    answered.parts.headers.remove("x-amz-crc32");
    answered.body = with_left_out(operation, &answered.body, left_out);
    Ok(answered.into_response())
}

/// The request without its last entries, and a request of just those. `None` where nothing can be left out: one entry at least stays.
fn split(operation: &str, body: &Bytes, count: usize) -> Option<(Value, Value)> {
    let mut kept: Value = serde_json::from_slice(body).ok()?;
    let mut left_out = kept.clone();
    let keep = entries(operation, &mut kept)?;
    if keep.len() < 2 {
        return None;
    }
    *entries(operation, &mut left_out)? = keep.split_off(keep.len().saturating_sub(count.max(1)).max(1));
    Some((kept, left_out))
}

/// The answer, which says in the operation's own way what was left out.
fn with_left_out(operation: &str, answer: &Bytes, mut left_out: Value) -> Bytes {
    let mut answer: Value = serde_json::from_slice(answer).unwrap_or_else(|_| json!({}));
    let Some(fields) = answer.as_object_mut() else { return Bytes::from(answer.to_string()) };
    let requests = |left_out: &mut Value| left_out.get_mut("RequestItems").map_or(Value::Null, Value::take);
    match operation {
        "SQS.SendMessageBatch" => {
            let failed = entries(operation, &mut left_out).into_iter().flatten().map(|entry| {
                let id = entry.get("Id").cloned().unwrap_or_default();
                json!({ "Id": id, "SenderFault": false, "Code": "InternalError", "Message": "struck by the fault proxy" })
            });
            fields.insert("Failed".to_owned(), failed.collect());
        }
        "DynamoDB.BatchWriteItem" => drop(fields.insert("UnprocessedItems".to_owned(), requests(&mut left_out))),
        _ => drop(fields.insert("UnprocessedKeys".to_owned(), requests(&mut left_out))),
    }
    Bytes::from(answer.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_left_in_part_and_says_so() {
        let body =
            Bytes::from(json!({"QueueUrl": "q", "Entries": [{"Id": "0"}, {"Id": "1"}, {"Id": "2"}]}).to_string());
        let (kept, left_out) = split("SQS.SendMessageBatch", &body, 2).unwrap();
        assert_eq!(kept["Entries"], json!([{"Id": "0"}]));
        let answer = with_left_out("SQS.SendMessageBatch", &Bytes::from_static(b"{\"Successful\":[]}"), left_out);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["Failed"][1]["Id"], "2");
        assert!(
            split("SQS.SendMessageBatch", &body, 9).is_some_and(|(kept, _)| kept["Entries"] == json!([{"Id": "0"}]))
        );
        let single = Bytes::from(json!({"Entries": [{"Id": "0"}]}).to_string());
        assert!(split("SQS.SendMessageBatch", &single, 1).is_none());
        let writes = Bytes::from(json!({"RequestItems": {"t": [1, 2]}}).to_string());
        let (_, left_out) = split("DynamoDB.BatchWriteItem", &writes, 1).unwrap();
        let answer = with_left_out("DynamoDB.BatchWriteItem", &Bytes::from_static(b"{}"), left_out);
        assert_eq!(serde_json::from_slice::<Value>(&answer).unwrap()["UnprocessedItems"], json!({"t": [2]}));
    }

    #[test]
    fn a_delay_is_added_to_every_message_and_stays_within_what_the_queue_allows() {
        let mut one = json!({"MessageBody": "x", "DelaySeconds": 890});
        postpone(&mut one, 20);
        assert_eq!(one["DelaySeconds"], 900);
        let mut batch = json!({"Entries": [{"Id": "0"}]});
        postpone(&mut batch, 2);
        assert_eq!(batch["Entries"][0]["DelaySeconds"], 2);
    }
}
