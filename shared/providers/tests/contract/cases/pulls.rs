//! Full listings: they end, cover everything, and say what a resource is.

use chrono::TimeDelta;
use domain::clock::Clock as _;
use domain::{ExternalId, SystemClock};

use crate::fixtures::Fixture;
use crate::for_each;
use crate::listing::squeezed;
use crate::provider::Connected;

/// More than any provider gives on one small page.
const MANY: usize = 130;

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_ends_and_covers_everything_and_every_text_is_had() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        for number in 0..MANY {
            connected.create(&format!("Note {number}"), &format!("This is text number {number} of many.")).await;
        }
        let truth = connected.truth().await;
        assert!(truth.len() >= MANY);
        let whole = connected.everything().await;
        assert!(!whole.relist && whole.gone.is_empty(), "a full listing says what is there");
        let listed: Vec<&ExternalId> = whole.resources.keys().collect();
        assert_eq!(listed, truth.keys().collect::<Vec<_>>());
        // A few texts tell as much as all.
        for (id, real) in truth.iter().step_by(17) {
            let text = connected.text_of(&whole.resources[id]).await;
            let expected = squeezed(real.text("text").unwrap());
            assert!(squeezed(&text).contains(&expected), "{id}: {expected:?} is not in {text:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_described_as_people_know_it() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        let began = SystemClock.now();
        let id = connected.external_id(&connected.create("Plan for spring", "Sow the beans in April.").await);
        let real = connected.truth().await[&id].clone();
        let whole = connected.everything().await;
        let (listed, _) = &whole.resources[&id];
        let (fetched, _) = connected.text(&id, None).await.expect("it is fetched by its id alone");
        for resource in [listed, &fetched] {
            if fixture.is_titled {
                assert_eq!(resource.name, "Plan for spring");
            }
            assert!(!resource.name.trim().is_empty() && !resource.revision.is_empty());
            let url = resource.url.as_deref().expect("a link for people");
            assert!(url.starts_with("https://"), "{url}");
            if let Some(real) = real.text("url") {
                assert_eq!(url, real);
            }
            if let Some(author) = real.text("author") {
                assert_eq!(resource.author.as_ref().expect("its author").name, author);
            }
            for moment in [resource.created_at, resource.updated_at] {
                assert!((moment - began).abs() < TimeDelta::minutes(5), "{moment} is about {began}");
            }
            for (told, true_moment) in [(resource.created_at, "createdAt"), (resource.updated_at, "updatedAt")] {
                let off = real.moment(true_moment).map(|moment| (told - moment).abs());
                assert!(off.is_none_or(|off| off < TimeDelta::minutes(2)), "{true_moment}: {told} of {:?}", real.json);
            }
            assert!(resource.created_at <= resource.updated_at);
            assert_eq!(&resource.external_id, &id);
        }
        assert_eq!(listed.kind, fetched.kind);
        assert_eq!(listed.revision, fetched.revision, "a listing and a fetch of the same thing agree");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_account_has_an_empty_listing() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        let whole = connected.everything().await;
        let truth = connected.truth().await;
        assert_eq!(whole.resources.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>());
    })
    .await;
}
