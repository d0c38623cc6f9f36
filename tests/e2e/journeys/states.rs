//! The way back from the provider: who may walk it, how often, and where it leads.

use std::collections::BTreeMap;

use anyhow::Context as _;
use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::json;
use testkit::Actor;
use url::Url;

use crate::world::{DRIVE, World};

/// A flow that has begun: the state, and the address that the provider sent the person back to.
struct Begun {
    state: String,
    authorize: Url,
    back: String,
}

async fn begin(world: &World) -> anyhow::Result<Begun> {
    let begun = world.person.post(&format!("{DRIVE}/connect"), json!({})).await?;
    let authorize = begun.text("authUrl").with_context(|| format!("{}", begun.body))?.to_owned();
    let state = begun.text("state").context("no state")?.to_owned();
    let back = world.person.consent(&authorize, &world.google, "allow").await?;
    Ok(Begun { state, authorize: authorize.parse()?, back })
}

/// Where a callback leads: always to the application, with a word of ours.
async fn landed(actor: &Actor, address: &str) -> anyhow::Result<String> {
    let answer = actor.open(address).await?;
    assert_eq!(answer.status, 302, "{address}: {}", answer.body);
    answer.location.context("a redirect that leads nowhere")
}

async fn refused(actor: &Actor, address: &str, code: &str) -> anyhow::Result<()> {
    let location = landed(actor, address).await?;
    assert!(location.ends_with(&format!("/integrations?error={code}")), "{address}: {location}");
    Ok(())
}

/// Nothing was exchanged and nothing is stored.
async fn nothing_came_of_it(world: &World) -> anyhow::Result<()> {
    assert_eq!(world.person.get(DRIVE).await?.status, 404);
    let operations = world.sandbox.operations(&world.google).await?;
    assert!(!operations.iter().any(|name| name.starts_with("oauth2.token")), "{operations:?}");
    Ok(())
}

fn pairs(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_37_a_state_that_is_forged_foreign_missing_or_huge_is_refused() -> anyhow::Result<()> {
    let world = World::new("stateful").await?;
    let begun = begin(&world).await?;
    let callback = format!("{}{DRIVE}/callback", world.stack.api_url);
    let code = pairs(&begun.back.parse()?)["code"].clone();
    let code = url::form_urlencoded::byte_serialize(code.as_bytes()).collect::<String>();
    let mut twin = begun.state.clone();
    let last = twin.pop().context("an empty state")?;
    twin.push(if last == 'A' { 'B' } else { 'A' });
    for state in
        ["", "unknown", "%00", "..%2f..", "%F0%9F%92%A9", &twin, &"x".repeat(10 * 1024), &begun.state.repeat(2)]
    {
        refused(&world.person, &format!("{callback}?code={code}&state={state}"), "invalid_state").await?;
    }
    refused(&world.person, &format!("{callback}?code={code}"), "invalid_state").await?;
    refused(&world.person, &callback, "invalid_state").await?;
    // The state comes twice: which one counts is nobody's guess.
    refused(&world.person, &format!("{}&state={}", begun.back, begun.state), "invalid_state").await?;
    // A flow that was begun at one provider does not end at another.
    let elsewhere = landed(&world.person, &begun.back.replace("google_drive", "slack")).await?;
    assert!(elsewhere.contains("?error="), "{elsewhere}");
    nothing_came_of_it(&world).await?;
    // All of that has spent nothing.
    let done = landed(&world.person, &begun.back).await?;
    assert!(done.ends_with("connected=google_drive"), "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_37_a_state_serves_once_and_for_ten_minutes() -> anyhow::Result<()> {
    let world = World::new("timely").await?;
    let late = begin(&world).await?;
    let row = world.store.peek_state(&late.state, world.now()).await?.context("the state is not stored")?;
    let lives = row.expires_at - world.now();
    assert!((9..=10).contains(&lives.num_minutes()), "it lives for {lives}");
    // Eleven minutes later.
    let past = store::OAuthState { expires_at: world.now() - TimeDelta::minutes(1), ..row };
    world.store.take_state(&late.state, world.now()).await?;
    world.store.put_state(&late.state, &past).await?;
    refused(&world.person, &late.back, "invalid_state").await?;
    nothing_came_of_it(&world).await?;

    let begun = begin(&world).await?;
    let done = landed(&world.person, &begun.back).await?;
    assert!(done.ends_with("connected=google_drive"), "{done}");
    refused(&world.person, &begun.back, "invalid_state").await
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_37_of_many_callbacks_at_once_one_wins() -> anyhow::Result<()> {
    let world = World::new("crowded").await?;
    let begun = begin(&world).await?;
    let all = join_all((0..8).map(|_| landed(&world.person, &begun.back))).await;
    let (mut won, mut lost) = (0, 0);
    for location in all {
        match location? {
            location if location.ends_with("connected=google_drive") => won += 1,
            location if location.ends_with("error=invalid_state") => lost += 1,
            location => panic!("{location}"),
        }
    }
    assert_eq!((won, lost), (1, 7));
    let operations = world.sandbox.operations(&world.google).await?;
    assert_eq!(operations.iter().filter(|name| *name == "oauth2.token.exchange").count(), 1, "{operations:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_38_a_flow_ends_only_in_the_browser_or_the_session_that_began_it() -> anyhow::Result<()> {
    // Somebody begins a flow, agrees with their own account, and sends the way back to others.
    let (world, victim) = (World::new("fixer").await?, World::new("victim").await?);
    let begun = begin(&world).await?;
    let nobody = Actor::new(&world.stack.api_url, None)?;
    for stranger in [&nobody, &victim.person, &victim.person.signed_out()?, &world.person.elsewhere()?.signed_out()?] {
        refused(stranger, &begun.back, "invalid_state").await?;
    }
    assert_eq!(victim.person.get(DRIVE).await?.status, 404);
    nothing_came_of_it(&world).await?;
    // A browser that has begun a flow of its own is not taken for the other's.
    begin(&victim).await?;
    refused(&victim.person, &begun.back, "invalid_state").await?;
    nothing_came_of_it(&world).await?;
    // The same browser without a session is the one that began, and it is not spent.
    let done = landed(&world.person.signed_out()?, &begun.back).await?;
    assert!(done.ends_with("connected=google_drive"), "{done}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_39_codes_are_bound_to_their_flow() -> anyhow::Result<()> {
    let (world, other) = (World::new("prover").await?, World::new("injector").await?);
    let (own, foreign) = (begin(&world).await?, begin(&other).await?);
    let (ours, theirs) = (pairs(&own.authorize), pairs(&foreign.authorize));
    for asked in [&ours, &theirs] {
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["code_challenge"].len(), 43, "the hash of the verifier, and not the verifier");
    }
    assert_ne!(ours["code_challenge"], theirs["code_challenge"], "a verifier for each flow");
    assert_ne!(ours["state"], theirs["state"]);
    assert!(!own.authorize.as_str().contains("verifier") && !own.back.contains("verifier"));
    // Their code in our flow: the verifier is sent, and it is not the one that the code was given for.
    let code = pairs(&foreign.back.parse()?)["code"].clone();
    let mut injected: Url = own.back.parse()?;
    injected.query_pairs_mut().clear().append_pair("state", &own.state).append_pair("code", &code);
    let location = landed(&world.person, injected.as_str()).await?;
    assert!(location.contains("?error="), "{location}");
    assert_eq!(world.person.get(DRIVE).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantee_40_the_way_back_leads_to_the_application_and_repeats_nothing() -> anyhow::Result<()> {
    let world = World::new("redirected").await?;
    let application = {
        let begun = begin(&world).await?;
        let done = landed(&world.person, &begun.back).await?;
        done.strip_suffix("/integrations?connected=google_drive").context("another address")?.to_owned()
    };
    let callback = format!("{}{DRIVE}/callback", world.stack.api_url);
    for query in [
        "return_to=https://evil.example",
        "return_to=//evil.example&state=x",
        "redirect_uri=https://evil.example&code=x&state=x",
        "redirect=https:evil.example",
        "next=/%09/evil.example",
        "state=x&code=x%0d%0aSet-Cookie:%20a=b%0d%0aLocation:%20https://evil.example",
        "error=%3Cscript%3Ealert(1)%3C/script%3E&state=x",
        "error=access_denied&error_description=%3Cimg%20src=x%20onerror=alert(1)%3E&state=x",
        "error=https://evil.example&error_uri=https://evil.example&state=x",
        "error=%0d%0aLocation:%20https://evil.example&state=x",
    ] {
        let answer = world.person.open(&format!("{callback}?{query}")).await?;
        let location = answer.location.clone().with_context(|| format!("{query}: {}", answer.status))?;
        assert_eq!(answer.status, 302, "{query}");
        let rest = location.strip_prefix(&application).with_context(|| format!("{query}: {location}"))?;
        let code = rest.strip_prefix("/integrations?error=").with_context(|| format!("{query}: {location}"))?;
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{query}: {location}");
        let all = format!("{:?} {}", answer.headers, answer.body);
        for word in ["evil", "script", "onerror", "a=b"] {
            assert!(!all.contains(word), "{query} is repeated: {all}");
        }
    }
    // Nor does the address that a flow returns to come from whoever begins it.
    let asked = json!({"returnTo": "https://evil.example", "redirectUri": "https://evil.example", "return_to": "//evil.example"});
    let begun = world.person.post(&format!("{DRIVE}/connect?redirect_uri=https://evil.example"), asked).await?;
    assert!(!begun.body.to_string().contains("evil"), "{}", begun.body);
    // What the provider's page says is sorted into words of ours.
    let begun = world.person.post(&format!("{DRIVE}/connect"), json!({})).await?;
    let denied = world.person.consent(begun.text("authUrl").context("no authUrl")?, &world.google, "deny").await?;
    refused(&world.person, &format!("{denied}&error_description=%3Cscript%3E"), "access_denied").await
}
