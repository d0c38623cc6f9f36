//! The people of these tests: one for each relation that a caller can have to what a route is about.

use anyhow::{Context as _, ensure};
use domain::plan::{Plan, Role};
use domain::{OrganizationId, UserId};
use serde_json::{Value, json};
use testkit::people::{self, Wanted};
use testkit::{Actor, wait};
use tokio::sync::RwLock;

use crate::routes::Names;
use crate::world::{DRIVE, SOON, World};

/// Tables whose rows are compared. Limits and marks of requests come and go.
const TABLES: [&str; 4] = ["integrations", "jobs", "records", "directory"];

/// Held for reading by those who connect, for writing by whoever changes what may be connected.
pub static REGISTRY: RwLock<()> = RwLock::const_new(());

/// Everybody, with a person's and an organization's Google Drive connected and synced.
pub struct Cast {
    /// Who has the personal integration; nothing to do with the organization.
    pub world: World,
    /// An administrator of the platform.
    pub platform: Actor,
    /// The organization, and who is what in it.
    pub slug: String,
    pub admin: Actor,
    pub editor: Actor,
    pub viewer: Actor,
    /// Was an administrator of it.
    pub former: Actor,
    /// Administers another organization.
    pub neighbour: Actor,
    /// Has nothing at all.
    pub other: Actor,
    /// Had an account.
    pub inactive: Actor,
    /// The id of somebody in the directory.
    pub somebody: String,
    /// A sync of the person's, and one of the organization's.
    pub job: String,
    pub job_of_organization: String,
    tag: String,
    ids: Vec<String>,
}

impl Cast {
    /// Brings everybody together.
    pub async fn new(name: &str) -> anyhow::Result<Self> {
        let world = World::new(name).await?;
        let tag = world.user.as_str().to_owned();
        let slug = format!("org-{tag}");
        let member = async |part: &str, role: Role, of: &str| {
            let wanted = Wanted::user(&format!("{part}-{tag}")).member_of(of, role).plan(Plan::Enterprise);
            let token = people::token(&world.stack, &world.store, &wanted).await?;
            Actor::new(&world.stack.api_url, Some(token))
        };
        let alone = async |part: &str, admin: bool| {
            let wanted = Wanted::user(&format!("{part}-{tag}"));
            let wanted = if admin { wanted.admin() } else { wanted };
            let token = people::token(&world.stack, &world.store, &wanted).await?;
            Actor::new(&world.stack.api_url, Some(token))
        };
        let (admin, editor) =
            (member("admin", Role::Admin, &slug).await?, member("editor", Role::Editor, &slug).await?);
        let (viewer, former) =
            (member("viewer", Role::Viewer, &slug).await?, member("former", Role::Admin, &slug).await?);
        let neighbour = member("neighbour", Role::Admin, &format!("next-{tag}")).await?;
        let (platform, other, inactive) =
            (alone("platform", true).await?, alone("other", false).await?, alone("inactive", false).await?);
        let gone = UserId::new(format!("former-{tag}"))?;
        world.store.delete_membership(&OrganizationId::new(slug.as_str())?, &gone).await?;
        let mut out = world.store.get_user(&UserId::new(format!("inactive-{tag}"))?).await?.context("nobody")?;
        out.active = false;
        world.store.put_user(&out).await?;

        world.sandbox.text_file(&world.google, "mine.txt", "Mine.", None).await?;
        let job = connected(&world, &world.person, DRIVE).await?;
        let base = format!("/api/organizations/{slug}/integrations/google_drive");
        let job_of_organization = connected(&world, &admin, &base).await?;
        let mut ids = Vec::new();
        for (actor, base) in [(&world.person, DRIVE), (&admin, base.as_str())] {
            let set = actor.put(&format!("{base}/config"), json!({"syncFrequency": "MANUAL"})).await?;
            ensure!(set.status == 200, "config answers {} {}", set.status, set.body);
            ids.push(set.text("id").context("an integration without an id")?.to_owned());
        }
        for id in &ids {
            let id = id.parse()?;
            wait::until("a webhook subscription", SOON, async || {
                let subscriptions = world.store.subscriptions_of(id).await?;
                Ok(subscriptions.iter().any(|it| it.provider_id.is_some()).then_some(()))
            })
            .await?;
        }
        let somebody = format!("viewer-{tag}");
        Ok(Self {
            world,
            platform,
            slug,
            admin,
            editor,
            viewer,
            former,
            neighbour,
            other,
            inactive,
            somebody,
            job,
            job_of_organization,
            tag,
            ids,
        })
    }

    /// What is really there.
    pub fn names(&self, of_organization: bool) -> Names<'_> {
        let job = if of_organization { &self.job_of_organization } else { &self.job };
        Names { provider: "google_drive", slug: &self.slug, job, user: &self.somebody }
    }

    /// Every row that is about one of these people, their organizations or integrations, or about what may be connected, and how many
    /// messages are about them.
    pub async fn traces(&self) -> anyhow::Result<Vec<Value>> {
        let mut texts: Vec<&str> = vec![&self.tag, "\"pk\":\"R\""];
        texts.extend(self.ids.iter().map(String::as_str));
        let mut rows = Vec::new();
        for table in TABLES {
            rows.extend(self.world.stack.rows_with(table, &texts).await?);
        }
        let (queued, dead) = self.world.stack.messages_with(&self.tag).await?;
        rows.push(json!({"queued": queued, "dead": dead}));
        Ok(rows)
    }
}

/// Connects the account and waits for the end of the first sync; its id.
async fn connected(world: &World, actor: &Actor, base: &str) -> anyhow::Result<String> {
    let _same = REGISTRY.read().await;
    let landed = actor.connect(base, &world.google).await?;
    ensure!(landed.contains("connected=google_drive"), "landed at {landed}");
    let job = wait::until(format_args!("the end of the first sync of {base}"), SOON, async || {
        let jobs = actor.get(&format!("{base}/sync-jobs")).await?;
        let newest = jobs.data().get(0).cloned().unwrap_or_default();
        let over = !matches!(newest["status"].as_str(), None | Some("PENDING" | "RUNNING"));
        Ok(over.then_some(newest))
    })
    .await?;
    Ok(job["id"].as_str().context("a sync without an id")?.to_owned())
}
