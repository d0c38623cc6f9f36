//! Integrations that belong to an organization: who may do what, which callback takes whose state, and what outlasts a member.

use anyhow::{Context as _, ensure};
use domain::message::IntegrationRef;
use domain::plan::{Plan, Role};
use domain::{OrganizationId, Owner, ProviderId};
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};
use url::Url;

use crate::world::{SOON, World};

/// An organization, and an administrator of it with a Google account of their own.
struct Organization {
    world: World,
    slug: String,
    /// The administrator: the world's person, who is a member here.
    admin: Actor,
}

impl Organization {
    async fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name).await?;
        let slug = world.user.as_str().replace("--", "-");
        let wanted = Wanted::user(world.user.as_str()).member_of(&slug, Role::Admin).plan(Plan::Enterprise);
        let token = people::token(&world.stack, &world.store, &wanted).await?;
        let admin = Actor::new(&world.stack.api_url, Some(token))?;
        Ok(Self { world, slug, admin })
    }

    /// The address of its integrations.
    fn base(&self) -> String {
        format!("/api/organizations/{}/integrations", self.slug)
    }

    /// The address of its Drive.
    fn drive(&self) -> String {
        format!("{}/google_drive", self.base())
    }

    #[expect(clippy::unwrap_used, reason = "the slug was made here")]
    fn id(&self) -> OrganizationId {
        OrganizationId::new(self.slug.as_str()).unwrap()
    }

    /// A further member.
    async fn member(&self, role: Role) -> anyhow::Result<(String, Actor)> {
        let user = format!("{role:?}-{}", self.slug).to_lowercase();
        let wanted = Wanted::user(&user).member_of(&self.slug, role);
        let token = people::token(&self.world.stack, &self.world.store, &wanted).await?;
        Ok((user, Actor::new(&self.world.stack.api_url, Some(token))?))
    }

    async fn connect(&self) -> anyhow::Result<IntegrationRef> {
        let landed = self.admin.connect(&self.drive(), &self.world.google).await?;
        let page = format!("/organizations/{}/integrations?connected=google_drive", self.slug);
        ensure!(landed.ends_with(&page), "landed at {landed}");
        self.ended(&self.admin, 1).await?;
        let owner = Owner::Organization(self.id());
        let row = self.world.store.get_integration(&owner, ProviderId::GoogleDrive).await?;
        Ok(row.context("nothing is connected")?.reference())
    }

    /// Waits until `count` syncs have ended and none is under way; the newest.
    async fn ended(&self, seen_by: &Actor, count: usize) -> anyhow::Result<Value> {
        let path = format!("{}/sync-jobs?limit=100", self.drive());
        wait::until(format_args!("{count} syncs of {}", self.slug), SOON, async || {
            let answer = seen_by.get(&path).await?;
            let jobs = answer.data().as_array().cloned().with_context(|| format!("{}", answer.body))?;
            let open = jobs.iter().any(|job| matches!(job["status"].as_str(), Some("PENDING" | "RUNNING")));
            Ok(if open || jobs.len() < count { None } else { jobs.first().cloned() })
        })
        .await
    }

    /// Begins a connection; the address that the provider sent the browser back to.
    async fn begun(&self) -> anyhow::Result<Url> {
        let begun = self.admin.post(&format!("{}/connect", self.drive()), json!({})).await?;
        let authorize = begun.text("authUrl").with_context(|| format!("{}", begun.body))?;
        Ok(self.admin.consent(authorize, &self.world.google, "allow").await?.parse()?)
    }

    /// The callback of an organization, with what the provider put into the address.
    fn callback(&self, slug: &str, back: &Url) -> String {
        let query = back.query().unwrap_or_default();
        format!("{}/api/organizations/{slug}/integrations/google_drive/callback?{query}", self.world.stack.api_url)
    }
}

/// The routes of an organization's integration: method, path below its integrations, body.
fn routes(job: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let none = || Some(json!({}));
    let drive = |rest: &str| format!("/google_drive{rest}");
    vec![
        ("GET", String::new(), None),
        ("GET", "/connected".into(), None),
        ("GET", "/settings".into(), None),
        ("GET", drive(""), None),
        ("GET", drive("/sync-jobs"), None),
        ("GET", drive(&format!("/sync-jobs/{job}")), None),
        ("GET", drive("/resources"), None),
        ("GET", drive("/browse"), None),
        ("POST", drive("/connect"), none()),
        ("POST", drive("/credentials"), Some(json!({"apiKey": "k"}))),
        ("PUT", drive("/config"), Some(json!({"syncFrequency": "MANUAL"}))),
        ("PUT", "/settings".into(), Some(json!({"syncFrequency": "DAILY"}))),
        ("POST", drive("/sync"), none()),
        ("POST", drive("/pause"), none()),
        ("POST", drive("/resume"), none()),
        ("POST", drive(&format!("/sync-jobs/{job}/cancel")), none()),
        ("POST", drive("/pending-deletes/confirm"), none()),
        ("POST", drive("/pending-deletes/discard"), none()),
        ("DELETE", drive(""), None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_41_members_read_administrators_act_and_strangers_find_nothing() -> anyhow::Result<()> {
    let acme = Organization::new("roles").await?;
    acme.world.sandbox.text_file(&acme.world.google, "ours.txt", "Ours.", None).await?;
    let reference = acme.connect().await?;
    let job = acme.ended(&acme.admin, 1).await?;
    let job = job["id"].as_str().context("a job without an id")?;
    let before = acme.admin.get(&acme.drive()).await?.body;
    let (_, viewer) = acme.member(Role::Viewer).await?;
    let (_, editor) = acme.member(Role::Editor).await?;
    let stranger = Organization::new("strangers").await?;
    let other = stranger.connect().await?;

    for (method, path, body) in routes(job) {
        let path = format!("{}{path}", acme.base());
        let body = body.map(|body| body.to_string());
        // Looking through the whole account is for those who choose what is synced of it.
        let reads = method == "GET" && !path.ends_with("/browse");
        for (who, member) in [("viewer", &viewer), ("editor", &editor)] {
            let answer = member.send(method, &path, body.clone()).await?;
            let expected = if reads { (200, None) } else { (403, Some("role_too_low")) };
            assert_eq!((answer.status, answer.code()), expected, "{who}: {method} {path}: {}", answer.body);
        }
        let answer = stranger.admin.send(method, &path, body.clone()).await?;
        let expected = (404, Some("unknown_organization"));
        assert_eq!((answer.status, answer.code()), expected, "{method} {path}: {}", answer.body);
        let nowhere = path.replace(&acme.slug, "there-is-no-such-organization");
        let nowhere = stranger.admin.send(method, &nowhere, body).await?;
        assert_eq!((nowhere.status, nowhere.body["error"].clone()), (404, answer.body["error"].clone()), "{path}");
    }
    // Nothing of that has changed anything.
    assert_eq!(acme.admin.get(&acme.drive()).await?.body["data"], before["data"]);
    assert_eq!(acme.ended(&acme.admin, 1).await?["id"], job);
    // A job of another organization's is none of theirs, by whatever path.
    let path = format!("{}/sync-jobs/{job}", stranger.drive());
    assert_eq!(stranger.admin.get(&path).await?.status, 404);
    assert_ne!(other.integration_id, reference.integration_id);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organizations_integration_is_its_own() -> anyhow::Result<()> {
    let acme = Organization::new("shared").await?;
    let id = acme.world.sandbox.text_file(&acme.world.google, "ours.txt", "Ours.", None).await?;
    let reference = acme.connect().await?;
    let row = acme.admin.get(&acme.drive()).await?.data().clone();
    assert_eq!((&row["organization_id"], &row["connected_by"]), (&json!(acme.slug), &json!(acme.world.user.as_str())));
    assert!(row.get("user_id").is_none() && row["config_schema"].is_object(), "{row}");
    assert!(acme.world.stack.documents(&reference).await?.contains_key(&id));
    // The person who connected it has nothing connected themself.
    assert_eq!(acme.admin.get("/api/integrations/google_drive").await?.status, 404);
    assert_eq!(acme.admin.get("/api/integrations/connected").await?.data(), &json!([]));

    let paused = acme.admin.post(&format!("{}/pause", acme.drive()), json!({})).await?;
    assert_eq!(paused.text("status"), Some("PAUSED"), "{}", paused.body);
    assert_eq!(acme.admin.post(&format!("{}/sync", acme.drive()), json!({})).await?.status, 409);
    let resumed = acme.admin.post(&format!("{}/resume", acme.drive()), json!({})).await?;
    assert_eq!(resumed.text("status"), Some("ACTIVE"), "{}", resumed.body);
    assert_eq!(acme.admin.delete(&acme.drive()).await?.status, 200);
    assert_eq!(acme.admin.get(&acme.drive()).await?.status, 404);
    assert_eq!(acme.admin.get(&format!("{}/connected", acme.base())).await?.data(), &json!([]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_37_an_organizations_own_callback_takes_its_own_states_only() -> anyhow::Result<()> {
    let (acme, other) = (Organization::new("own").await?, Organization::new("others").await?);
    let back = acme.begun().await?;
    // Elsewhere it is refused, and has spent nothing.
    let answer = acme.admin.open(&acme.callback(&other.slug, &back)).await?;
    // The page it leads to is not taken from the address.
    let refused = |to: &str| to.ends_with("/integrations?error=invalid_state") && !to.contains(&other.slug);
    assert!(answer.location.as_deref().is_some_and(refused), "{:?}", answer.location);
    assert_eq!(acme.admin.get(&acme.drive()).await?.status, 404);
    let answer = acme.admin.open(&acme.callback(&acme.slug, &back)).await?;
    let page = format!("/organizations/{}/integrations?connected=google_drive", acme.slug);
    assert!(answer.location.as_deref().is_some_and(|to| to.ends_with(&page)), "{:?}", answer.location);
    assert_eq!(acme.admin.get(&acme.drive()).await?.status, 200);
    // A person's own state ends at the shared callback alone.
    let begun = other.world.person.post("/api/integrations/google_drive/connect", json!({})).await?;
    let authorize = begun.text("authUrl").with_context(|| format!("{}", begun.body))?;
    let back: Url = other.world.person.consent(authorize, &other.world.google, "allow").await?.parse()?;
    let answer = other.world.person.open(&other.callback(&other.slug, &back)).await?;
    assert!(answer.location.as_deref().is_some_and(|to| to.ends_with("error=invalid_state")), "{:?}", answer.location);
    let answer = other.world.person.open(back.as_str()).await?;
    assert!(
        answer.location.as_deref().is_some_and(|to| to.ends_with("connected=google_drive")),
        "{:?}",
        answer.location
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_longer_an_administrator_connects_nothing() -> anyhow::Result<()> {
    let acme = Organization::new("demoted").await?;
    let back = acme.begun().await?;
    let member = store::Membership { user: acme.world.user.clone(), role: Role::Editor };
    acme.world.store.put_membership(&acme.id(), &member).await?;
    let answer = acme.admin.open(back.as_str()).await?;
    let page = format!("/organizations/{}/integrations?error=not_allowed", acme.slug);
    assert!(answer.location.as_deref().is_some_and(|to| to.ends_with(&page)), "{:?}", answer.location);
    assert_eq!(acme.admin.get(&acme.drive()).await?.code(), Some("not_connected"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_member_does_not_stop_what_they_connected() -> anyhow::Result<()> {
    let acme = Organization::new("left").await?;
    let (_, colleague) = acme.member(Role::Admin).await?;
    let reference = acme.connect().await?;
    let mut user = acme.world.store.get_user(&acme.world.user).await?.context("nobody connected it")?;
    user.active = false;
    acme.world.store.put_user(&user).await?;
    assert_eq!(acme.admin.get(&acme.drive()).await?.code(), Some("account_inactive"));

    let id = acme.world.sandbox.text_file(&acme.world.google, "later.txt", "Later.", None).await?;
    let jobs = acme.ended(&colleague, 1).await?;
    assert_eq!(jobs["status"], "COMPLETED", "{jobs:#}");
    let asked = colleague.post(&format!("{}/sync", acme.drive()), json!({})).await?;
    assert_eq!(asked.status, 202, "{}", asked.body);
    wait::until("the new file", SOON, async || {
        Ok(acme.world.stack.documents(&reference).await?.contains_key(&id).then_some(()))
    })
    .await?;
    // Nor does one that has left altogether.
    acme.world.store.delete_membership(&acme.id(), &acme.world.user).await?;
    let id = acme.world.sandbox.text_file(&acme.world.google, "last.txt", "Last.", None).await?;
    let row = acme.world.store.find_integration(&reference).await?.context("the integration is gone")?;
    acme.ended(&colleague, 2).await?;
    acme.world.store.set_due(&row.reference(), Some(acme.world.now())).await?;
    wait::until("the scheduler to sync it", SOON, async || {
        Ok(acme.world.stack.documents(&reference).await?.contains_key(&id).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn new_integrations_start_with_the_organizations_settings() -> anyhow::Result<()> {
    let acme = Organization::new("defaults").await?;
    let settings = format!("{}/settings", acme.base());
    assert_eq!(acme.admin.get(&settings).await?.data(), &json!({"sync_frequency": null, "storage_strategy": null}));
    let wanted = json!({"syncFrequency": "DAILY", "storageStrategy": "METADATA_ONLY"});
    let answer = acme.admin.put(&settings, wanted).await?;
    assert_eq!(answer.data(), &json!({"sync_frequency": "DAILY", "storage_strategy": "METADATA_ONLY"}));
    for wrong in [json!({"syncFrequency": "SOMETIMES"}), json!({"storageStrategy": 1}), json!({"other": 1})] {
        assert_eq!(acme.admin.put(&settings, wrong.clone()).await?.status, 422, "{wrong}");
    }
    acme.world.sandbox.text_file(&acme.world.google, "kept.txt", "Kept nowhere.", None).await?;
    let reference = acme.connect().await?;
    let row = acme.admin.get(&acme.drive()).await?.data().clone();
    assert_eq!((&row["sync_frequency"], &row["storage_strategy"]), (&json!("DAILY"), &json!("METADATA_ONLY")));
    assert!(acme.world.stack.documents(&reference).await?.is_empty(), "no body is kept");
    Ok(())
}
