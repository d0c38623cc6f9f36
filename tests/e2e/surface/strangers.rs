//! Guarantee 41: every route, every kind of id, every relation a caller can have to it.

use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::{Actor, Answer};

use crate::cast::{Cast, REGISTRY};
use crate::routes::{self, Names, Operation};

/// How often each of two requests is timed.
const ROUNDS: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_41_no_route_shows_or_changes_what_is_anothers_whatever_the_caller_is() -> anyhow::Result<()> {
    let cast = Cast::new("private").await?;
    // What may be connected stays the same meanwhile.
    let _same = REGISTRY.read().await;
    let operations = routes::all(&cast.world.stack).await?;
    let before = cast.traces().await?;
    for operation in operations.iter().filter(|operation| !operation.open) {
        if operation.administrative() {
            administration(operation, &cast).await?;
        } else if operation.of_organization() {
            organizations(operation, &cast).await?;
        } else if operation.of_person() && operation.has("provider") {
            people(operation, &cast).await?;
        }
    }
    assert_eq!(before, cast.traces().await?, "somebody has changed what is another's");
    Ok(())
}

/// Nobody but the platform's administrators learns even whether the id exists.
async fn administration(of: &Operation, cast: &Cast) -> anyhow::Result<()> {
    let there = cast.names(true);
    let nowhere =
        Names { slug: "nowhere-at-all", user: "nobody-at-all", job: "01JD0000000000000000000001", ..there.clone() };
    for actor in [&cast.world.person, &cast.admin, &cast.viewer, &cast.other] {
        let known = ask(actor, of, &there).await?;
        assert_eq!((known.status, known.code()), (403, Some("not_an_admin")), "{} {}", of.method, of.path);
        assert_eq!(said(&known), said(&ask(actor, of, &nowhere).await?), "{} {}", of.method, of.path);
    }
    Ok(())
}

/// To who is no member an organization is like one that does not exist. Members read; administrators alone act.
async fn organizations(of: &Operation, cast: &Cast) -> anyhow::Result<()> {
    let there = cast.names(true);
    let nowhere = Names { slug: "nowhere-at-all", ..there.clone() };
    for actor in [&cast.other, &cast.former, &cast.neighbour, &cast.world.person, &cast.platform] {
        let known = ask(actor, of, &there).await?;
        assert_eq!((known.status, known.code()), (404, Some("unknown_organization")), "{} {}", of.method, of.path);
        assert_eq!(said(&known), said(&ask(actor, of, &nowhere).await?), "{} {}", of.method, of.path);
    }
    for actor in [&cast.viewer, &cast.editor] {
        let answer = ask(actor, of, &there).await?;
        if of.for_administrators() {
            assert_eq!((answer.status, answer.code()), (403, Some("role_too_low")), "{} {}", of.method, of.path);
        } else {
            assert!(answer.status == 200 || answer.status == 409, "{} {}: {}", of.method, of.path, answer.body);
        }
    }
    // The person's own sync is no sync of the organization's.
    if of.has("jobId") {
        let foreign = Names { job: &cast.job, ..there.clone() };
        let unknown = Names { job: "01JD0000000000000000000001", ..there };
        let answer = ask(&cast.admin, of, &foreign).await?;
        assert_eq!((answer.status, answer.code()), (404, Some("unknown_job")), "{} {}", of.method, of.path);
        assert_eq!(said(&answer), said(&ask(&cast.admin, of, &unknown).await?), "{} {}", of.method, of.path);
    }
    Ok(())
}

/// Personal routes are about the caller's own things only; another's ids in them name nothing.
async fn people(of: &Operation, cast: &Cast) -> anyhow::Result<()> {
    let there = cast.names(false);
    if of.path.ends_with("/connect") || of.path.ends_with("/credentials") {
        return Ok(());
    }
    let unknown = Names { job: "01JD0000000000000000000001", ..there.clone() };
    for actor in [&cast.other, &cast.admin, &cast.neighbour] {
        let answer = ask(actor, of, &there).await?;
        assert_eq!(answer.status, 404, "{} {}: {}", of.method, of.path, answer.body);
        assert_eq!(said(&answer), said(&ask(actor, of, &unknown).await?), "{} {}", of.method, of.path);
    }
    if of.has("jobId") {
        // Who has an integration of their own finds in it no sync of the organization's.
        let foreign = Names { job: &cast.job_of_organization, ..there };
        let answer = ask(&cast.world.person, of, &foreign).await?;
        assert_eq!((answer.status, answer.code()), (404, Some("unknown_job")), "{} {}", of.method, of.path);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_41_what_is_unknown_and_what_is_anothers_take_the_same_time() -> anyhow::Result<()> {
    let cast = Cast::new("timed").await?;
    let path = |slug: &str| format!("/api/organizations/{slug}/integrations/google_drive");
    let (known, unknown) = (path(&cast.slug), path("nowhere-at-all"));
    let (mut of_known, mut of_unknown) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        of_known.push(time(&cast.other, &known).await?);
        of_unknown.push(time(&cast.other, &unknown).await?);
    }
    let (known, unknown) = (median(&mut of_known), median(&mut of_unknown));
    let apart = known.abs_diff(unknown);
    assert!(apart < known.max(unknown) / 2 + Duration::from_millis(20), "{known:?} and {unknown:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_41_who_leaves_or_loses_the_plan_keeps_no_more_than_they_should() -> anyhow::Result<()> {
    use domain::plan::Plan;
    let cast = Cast::new("leaving").await?;
    let base = format!("/api/organizations/{}/integrations/google_drive", cast.slug);
    // The plan goes: what is there stays readable, by those who may read.
    let change = serde_json::json!({"plan": Plan::Free});
    assert_eq!(cast.platform.put(&format!("/api/admin/organizations/{}", cast.slug), change).await?.status, 200);
    assert_eq!(cast.viewer.get(&base).await?.status, 200);
    assert_eq!(cast.other.get(&base).await?.status, 404);
    // A role goes: at once, with the token unchanged.
    assert_eq!(cast.viewer.get(&format!("{base}/sync-jobs")).await?.status, 200);
    let member = format!("/api/admin/organizations/{}/members/{}", cast.slug, cast.somebody);
    assert_eq!(cast.platform.delete(&member).await?.status, 200);
    let gone = cast.viewer.get(&format!("{base}/sync-jobs")).await?;
    assert_eq!((gone.status, gone.code()), (404, Some("unknown_organization")));
    Ok(())
}

async fn ask(actor: &Actor, of: &Operation, names: &Names<'_>) -> anyhow::Result<Answer> {
    let body = of.body.as_ref().filter(|_| of.changes()).map(|_| "{}".to_owned());
    actor.send_with(&of.method, &of.at(names)?, &[("content-type", "application/json")], body).await
}

/// What an answer says, without the request's id.
fn said(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("requestId");
    }
    (answer.status, body)
}

async fn time(actor: &Actor, path: &str) -> anyhow::Result<Duration> {
    let began = Instant::now();
    assert_eq!(actor.get(path).await?.status, 404);
    Ok(began.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
