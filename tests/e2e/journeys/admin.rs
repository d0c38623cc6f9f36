//! What those who run the platform see and do: everybody's syncs, statistics, the audit log, the directory, the registry; and that
//! nobody else does.

use anyhow::{Context as _, ensure};
use domain::plan::Role;
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};

use crate::world::{DRIVE, SOON, World};

const JOBS: &str = "/api/admin/integrations/sync-jobs";
const STATS: &str = "/api/admin/integrations/stats";
const AUDIT: &str = "/api/admin/audit";

/// Somebody who runs the platform, and their id.
async fn admin(world: &World) -> anyhow::Result<(Actor, String)> {
    let id = format!("{}-admin", world.user);
    let token = people::token(&world.stack, &world.store, &Wanted::user(&id).admin()).await?;
    Ok((Actor::new(&world.stack.api_url, Some(token))?, id))
}

/// All rows of a list, page by page.
async fn all(admin: &Actor, path: &str) -> anyhow::Result<Vec<Value>> {
    let (mut rows, mut cursor) = (Vec::new(), String::new());
    for _ in 0..1000 {
        let answer = admin.get(&format!("{path}{cursor}")).await?;
        ensure!(answer.status == 200, "{path} answers {} {}", answer.status, answer.body);
        rows.extend(answer.data().as_array().context("no list")?.iter().cloned());
        let Some(next) = answer.body["nextCursor"].as_str() else { return Ok(rows) };
        cursor = format!("&cursor={next}");
    }
    anyhow::bail!("{path} does not end")
}

/// What the audit log has on an owner, the latest first, as action and actor.
async fn audited(admin: &Actor, owner: &str) -> anyhow::Result<Vec<(String, String)>> {
    let rows = all(admin, &format!("{AUDIT}?owner={owner}&limit=7")).await?;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    Ok(rows.iter().map(|row| (text(row, "action"), text(row, "actor"))).collect())
}

/// A count of the statistics.
async fn counted(admin: &Actor, pointer: &str) -> anyhow::Result<u64> {
    let answer = admin.get(STATS).await?;
    ensure!(answer.status == 200, "{STATS} answers {} {}", answer.status, answer.body);
    answer.data().pointer(pointer).and_then(Value::as_u64).with_context(|| format!("no {pointer} in {}", answer.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn everybodys_syncs_are_found_and_told_in_full() -> anyhow::Result<()> {
    let world = World::new("overseen").await?;
    let (admin, _) = admin(&world).await?;
    world.sandbox.many_files(&world.google, 3, "overseen").await?;
    let first = world.connect().await?;
    let second = world.sync("incremental").await?;
    let id = |job: &Value| job["id"].as_str().unwrap_or_default().to_owned();
    let mine = format!("{JOBS}?owner=user/{}", world.user);
    // One page after the other, one job each.
    let found = all(&admin, &format!("{mine}&limit=1")).await?;
    let ids: Vec<_> = found.iter().map(id).collect();
    assert_eq!(ids, [id(&second), id(&first)], "the newest first");
    assert_eq!(found[0]["owner"], json!({"kind": "user", "id": world.user.as_str()}));
    assert_eq!(all(&admin, &format!("{mine}&status=FAILED")).await?, Vec::<Value>::new());
    assert_eq!(all(&admin, &format!("{mine}&status=COMPLETED&provider=google_drive")).await?.len(), 2);
    let since = second["started_at"].as_str().context("no start")?;
    assert_eq!(all(&admin, &format!("{mine}&from={since}")).await?.len(), 1);
    assert_eq!(all(&admin, &format!("{mine}&to={since}")).await?.len(), 1);

    // Among everybody's, which an index finds, and which others add to meanwhile.
    let since = first["started_at"].as_str().context("no start")?;
    wait::until("both in the list of all", SOON, async || {
        let rows = all(&admin, &format!("{JOBS}?status=COMPLETED&from={since}&limit=100")).await?;
        let ours = rows.iter().filter(|row| ids.contains(&id(row))).count();
        Ok((ours == 2).then_some(()))
    })
    .await?;

    let told = admin.get(&format!("{JOBS}/{}", id(&first))).await?;
    assert_eq!(told.status, 200, "{}", told.body);
    let told = told.data();
    assert_eq!((told["status"].as_str(), told["resources_synced"].as_u64()), (Some("COMPLETED"), Some(3)), "{told:#}");
    assert_eq!((told["integration"]["status"].as_str(), told["more_pages"].as_bool()), (Some("ACTIVE"), Some(false)));
    let moments = told["timeline"].as_array().context("no timeline")?;
    let events: Vec<_> = moments.iter().filter_map(|moment| moment["event"].as_str()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"asked_for"), Some(&"ended")), "{told:#}");
    assert!(events.contains(&"taken_up") && events.contains(&"page"), "{told:#}");
    let handed_out: u64 = moments.iter().filter_map(|moment| moment["handed_out"].as_u64()).sum();
    assert_eq!(handed_out, 3, "{told:#}");
    let times = moments.iter().map(|moment| serde_json::from_value(moment["at"].clone()));
    let times: Vec<domain::Timestamp> = times.collect::<Result<_, _>>()?;
    assert!(times.is_sorted(), "{told:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_move_with_what_happens() -> anyhow::Result<()> {
    let world = World::new("counted").await?;
    let (admin, _) = admin(&world).await?;
    let (synced, connected) = ("/syncs/resources/synced", "/connected/total");
    let (completed, today) = ("/syncs/completed", "/days/29/syncs/completed");
    let before = [counted(&admin, synced).await?, counted(&admin, completed).await?, counted(&admin, today).await?];
    world.sandbox.many_files(&world.google, 4, "counted").await?;
    world.connect().await?;
    // Others sync at the same time, so that what is ours is the least that is counted.
    assert!(counted(&admin, synced).await? >= before[0] + 4);
    assert!(counted(&admin, completed).await? > before[1]);
    let midnight = counted(&admin, today).await? <= before[2];
    assert!(!midnight || counted(&admin, "/days/28/syncs/completed").await? > 0, "today, or it was yesterday just now");
    assert!(counted(&admin, connected).await? >= 1);
    let stats = admin.get(STATS).await?;
    let stats = stats.data();
    assert_eq!(stats["days"].as_array().map(Vec::len), Some(30));
    let rate = stats["syncs"]["success_rate"].as_f64().context("no rate")?;
    assert!((0.0..=1.0).contains(&rate) && stats["syncs"]["average_seconds"].is_f64(), "{stats:#}");
    let by_provider = stats["providers"].as_array().context("no providers")?;
    let sum: u64 = by_provider.iter().filter_map(|one| one["connected"]["total"].as_u64()).sum();
    assert_eq!(Some(sum), stats["connected"]["total"].as_u64(), "{stats:#}");

    let registry = admin.get("/api/admin/integrations/registry").await?;
    let drive = registry.data().as_array().context("no list")?.iter().find(|row| row["provider"] == "google_drive");
    let drive = drive.context("Drive is not listed")?;
    assert!(drive["connected"]["by_status"]["ACTIVE"].as_u64().is_some_and(|active| active >= 1), "{drive:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_people_do_is_in_the_audit_log_and_nothing_secret_is() -> anyhow::Result<()> {
    let world = World::new("audited").await?;
    let (admin, admin_id) = admin(&world).await?;
    world.sandbox.many_files(&world.google, 1, "audited").await?;
    world.connect().await?;
    let check = async |method: &str, path: String, body: Value, status: u16| -> anyhow::Result<()> {
        let answer = world.person.send(method, &path, Some(body.to_string())).await?;
        ensure!(answer.status == status, "{method} {path} answers {} {}", answer.status, answer.body);
        Ok(())
    };
    let folder = world.sandbox.folder(&world.google, "Canary").await?;
    check("PUT", format!("{DRIVE}/config"), json!({"syncFrequency": "DAILY", "config": {"folders": [folder]}}), 200)
        .await?;
    world.ended(2, SOON).await?;
    check("POST", format!("{DRIVE}/sync"), json!({"mode": "incremental"}), 202).await?;
    world.ended(3, SOON).await?;
    check("POST", format!("{DRIVE}/pause"), json!({}), 200).await?;
    check("POST", format!("{DRIVE}/resume"), json!({}), 200).await?;
    check("POST", format!("{DRIVE}/pending-deletes/confirm"), json!({}), 409).await?;
    check("DELETE", DRIVE.to_owned(), json!({}), 200).await?;
    check("DELETE", DRIVE.to_owned(), json!({}), 409).await?;
    let changed = admin.put(&format!("/api/admin/users/{}", world.user), json!({"plan": "pro"})).await?;
    assert_eq!(changed.status, 200, "{}", changed.body);

    let me = world.user.to_string();
    let expected = [
        ("user_changed", &admin_id),
        ("disconnected", &me),
        ("resumed", &me),
        ("paused", &me),
        ("sync_requested", &me),
        ("configured", &me),
        ("connected", &me),
        ("connect_begun", &me),
    ];
    let expected: Vec<_> = expected.map(|(action, actor)| (action.to_owned(), actor.clone())).into();
    wait::until("the audit log to have all", SOON, async || {
        Ok((audited(&admin, &format!("user/{me}")).await? == expected).then_some(()))
    })
    .await
    .with_context(|| "what was refused is not in it, and everything else once")?;
    let mine = all(&admin, &format!("{AUDIT}?actor={me}&limit=100")).await?;
    assert_eq!(mine.len(), 7, "{mine:#?}");
    assert!(!json!(mine).to_string().contains(&folder), "a configuration's content is told");
    let configured = all(&admin, &format!("{AUDIT}?actor={me}&action=configured")).await?;
    let detail = &configured.first().context("not there")?["detail"];
    assert_eq!((detail["sync_frequency"].as_str(), &detail["config"]), (Some("DAILY"), &json!(["folders"])));
    let disconnected = all(&admin, &format!("{AUDIT}?owner=user/{me}&action=disconnected")).await?;
    assert_eq!(disconnected.first().context("not there")?["detail"], json!({"purge": false}));
    let latest = admin.get(&format!("{AUDIT}?limit=100")).await?;
    assert!(latest.data().as_array().is_some_and(|rows| !rows.is_empty()), "{}", latest.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_is_kept_by_administrators() -> anyhow::Result<()> {
    let world = World::new("listed").await?;
    let (admin, _) = admin(&world).await?;
    let slug = format!("org-{}", &world.user.as_str()[world.user.as_str().len() - 20..]);
    let organization = format!("/api/admin/organizations/{slug}");
    assert_eq!(admin.get(&organization).await?.status, 404);
    assert_eq!(admin.get(&format!("{organization}/members")).await?.status, 404);
    let made = admin.put(&organization, json!({"name": "Listed", "plan": "pro"})).await?;
    assert_eq!(
        (made.status, made.text("name"), made.text("plan")),
        (200, Some("Listed"), Some("pro")),
        "{}",
        made.body
    );
    for (user, role) in [(world.user.as_str(), "ADMIN"), ("somebody-else", "VIEWER")] {
        let put = admin.put(&format!("{organization}/members/{user}"), json!({"role": role})).await?;
        assert_eq!((put.status, put.text("role")), (200, Some(role)), "{}", put.body);
    }
    assert_eq!(admin.get(&organization).await?.text("name"), Some("Listed"));
    let members = all(&admin, &format!("{organization}/members?limit=1")).await?;
    let ids: Vec<_> = members.iter().filter_map(|member| member["user_id"].as_str()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.is_sorted() && ids.contains(&world.user.as_str()), "{ids:?}");

    let person = format!("/api/admin/users/{}", world.user);
    wait::until("the membership in the person's list", SOON, async || {
        let told = admin.get(&person).await?;
        ensure!(told.status == 200, "{}", told.body);
        Ok((told.data()["memberships"] == json!([{"slug": slug, "role": "ADMIN"}])).then_some(()))
    })
    .await?;
    let everybody = all(&admin, "/api/admin/users?limit=100").await?;
    assert!(everybody.iter().any(|user| user["id"] == world.user.as_str()), "not listed");
    let organizations = all(&admin, "/api/admin/organizations?limit=100").await?;
    assert!(organizations.iter().any(|one| one["slug"] == *slug), "not listed");
    let removed = admin.delete(&format!("{organization}/members/{}", world.user)).await?;
    assert_eq!(removed.status, 200, "{}", removed.body);
    assert_eq!(admin.delete(&format!("{organization}/members/{}", world.user)).await?.status, 404);
    wait::until("the membership to be gone", SOON, async || {
        Ok((admin.get(&person).await?.data()["memberships"] == json!([])).then_some(()))
    })
    .await?;
    let entries = audited(&admin, &format!("organization/{slug}")).await?;
    let actions: Vec<_> = entries.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["member_removed", "member_changed", "member_changed", "organization_changed"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_is_for_administrators_who_ask_clearly() -> anyhow::Result<()> {
    let world = World::new("prying").await?;
    let (admin, _) = admin(&world).await?;
    let member = Wanted::user(world.user.as_str()).member_of(&format!("o-{}", &world.user.as_str()[..8]), Role::Admin);
    let token = people::token(&world.stack, &world.store, &member).await?;
    // An administrator of an organization runs no platform.
    let person = Actor::new(&world.stack.api_url, Some(token))?;
    let stranger = Actor::new(&world.stack.api_url, None)?;
    for path in [
        JOBS,
        &format!("{JOBS}/01JD0000000000000000000001"),
        STATS,
        AUDIT,
        "/api/admin/users",
        "/api/admin/users/ada",
        "/api/admin/organizations",
        "/api/admin/organizations/acme",
        "/api/admin/organizations/acme/members",
        "/api/admin/integrations/registry",
    ] {
        let refused = person.get(path).await?;
        assert_eq!((refused.status, refused.code()), (403, Some("not_an_admin")), "{path}: {}", refused.body);
        assert_eq!(stranger.get(path).await?.status, 401, "{path}");
    }
    for (path, status, code) in [
        (format!("{JOBS}?status=DONE"), 422, "invalid_value"),
        (format!("{JOBS}?provider=nowhere"), 422, "invalid_value"),
        (format!("{JOBS}?owner=ada"), 422, "invalid_value"),
        (format!("{JOBS}?from=yesterday"), 422, "invalid_value"),
        (format!("{JOBS}?limit=0"), 422, "invalid_value"),
        (format!("{JOBS}?cursor=!!!"), 400, "bad_cursor"),
        (format!("{JOBS}/not-a-job"), 404, "unknown_job"),
        (format!("{JOBS}/01JD0000000000000000000001"), 404, "unknown_job"),
        (format!("{AUDIT}?action=danced"), 422, "invalid_value"),
        (format!("{AUDIT}?actor="), 422, "invalid_value"),
        (format!("{AUDIT}?owner=user/"), 422, "invalid_value"),
        (format!("{AUDIT}?limit=101"), 422, "invalid_value"),
        ("/api/admin/users?limit=many".to_owned(), 422, "invalid_value"),
        ("/api/admin/users?cursor=%00".to_owned(), 400, "bad_cursor"),
        (format!("/api/admin/users/{}", "nobody-of-this-name"), 404, "unknown_user"),
        ("/api/admin/organizations/NoSlug".to_owned(), 404, "unknown_organization"),
        ("/api/admin/organizations/no-such-organization".to_owned(), 404, "unknown_organization"),
    ] {
        let answer = admin.get(&path).await?;
        assert_eq!((answer.status, answer.code()), (status, Some(code)), "{path}: {}", answer.body);
    }
    for (path, body, status) in [
        ("/api/admin/users/ada", json!({"plan": "gold"}), 422),
        ("/api/admin/users/ada", json!({"power": true}), 422),
        ("/api/admin/organizations/NoSlug", json!({}), 422),
        ("/api/admin/organizations/acme", json!({"name": "  "}), 422),
        ("/api/admin/organizations/no-such-organization/members/ada", json!({"role": "ADMIN"}), 404),
        ("/api/admin/organizations/acme/members/ada", json!({"role": "OWNER"}), 422),
        ("/api/admin/integrations/registry/nowhere", json!({"enabled": true}), 404),
        ("/api/admin/integrations/registry/google_drive", json!({"defaultConfig": {"folders": "not a list"}}), 422),
        ("/api/admin/integrations/registry/google_drive", json!({"allowedPlans": ["gold"]}), 422),
    ] {
        let answer = admin.put(path, body.clone()).await?;
        assert_eq!(
            (answer.status, answer.body["success"].as_bool()),
            (status, Some(false)),
            "{path} {body}: {}",
            answer.body
        );
    }
    // A cursor of another list is none of this one's: its page is empty and the last.
    let users = admin.get("/api/admin/users?limit=1").await?;
    let foreign = users.body["nextCursor"].as_str().context("there is one user only")?;
    let answer = admin.get(&format!("{AUDIT}?cursor={foreign}")).await?;
    assert_eq!((answer.status, answer.data(), &answer.body["nextCursor"]), (200, &json!([]), &Value::Null));
    Ok(())
}
