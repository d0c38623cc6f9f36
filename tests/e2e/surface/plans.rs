//! What may be connected: by the operator's registry and the owner's plan.

use serde_json::json;
use testkit::Actor;
use testkit::people::{self, Wanted};

use crate::cast::REGISTRY;
use crate::world::{DRIVE, World};

const ENTRY: &str = "/api/admin/integrations/registry/google_drive";

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_off_or_not_in_the_plan_connects_nothing_new() -> anyhow::Result<()> {
    let world = World::new("planned").await?;
    let token =
        people::token(&world.stack, &world.store, &Wanted::user(&format!("admin-{}", world.user)).admin()).await?;
    let admin = Actor::new(&world.stack.api_url, Some(token))?;
    // Nobody else connects meanwhile.
    let _alone = REGISTRY.write().await;
    let tried = refused(&world, &admin).await;
    let back = admin.put(ENTRY, json!({"enabled": true, "allowedPlans": []})).await?;
    assert_eq!(back.status, 200, "{}", back.body);
    tried
}

async fn refused(world: &World, admin: &Actor) -> anyhow::Result<()> {
    let connect = async || world.person.post(&format!("{DRIVE}/connect"), json!({})).await;
    assert_eq!(admin.put(ENTRY, json!({"enabled": false})).await?.status, 200);
    let off = connect().await?;
    assert_eq!((off.status, off.code()), (403, Some("provider_disabled")), "{}", off.body);

    assert_eq!(admin.put(ENTRY, json!({"enabled": true, "allowedPlans": ["enterprise"]})).await?.status, 200);
    let user = format!("/api/admin/users/{}", world.user);
    assert_eq!(admin.put(&user, json!({"plan": "pro"})).await?.status, 200);
    let missing = connect().await?;
    assert_eq!((missing.status, missing.code()), (403, Some("not_in_plan")), "{}", missing.body);
    assert_eq!(missing.body["limit"], "provider", "{}", missing.body);
    assert_eq!(
        (&missing.body["plan"], &missing.body["upgrade"]),
        (&json!("pro"), &json!("enterprise")),
        "{}",
        missing.body
    );
    let listed = world.person.get("/api/integrations").await?;
    let row = listed.data().as_array().and_then(|rows| rows.iter().find(|row| row["id"] == "google_drive").cloned());
    assert!(row.is_some(), "it is listed all the same: {}", listed.body);

    assert_eq!(admin.put(&user, json!({"plan": "enterprise"})).await?.status, 200);
    assert_eq!(connect().await?.status, 200);
    Ok(())
}
