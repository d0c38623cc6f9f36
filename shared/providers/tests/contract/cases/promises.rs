//! What a provider says of itself is true.

use domain::ProviderSettings;
use domain::provider::AuthType;
use providers::BrowseRequest;
use providers::provider::Call;

use crate::fixtures::Fixture;
use crate::for_each;
use crate::provider::Connected;

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_and_manifest_say_what_is_there() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::unconnected(fixture).await;
        let (provider, manifest) = (connected.provider(), connected.provider().manifest());
        assert_eq!(manifest.id, fixture.id);
        assert_eq!(provider.capabilities().webhooks, provider.webhooks().is_some());
        assert!(provider.capabilities().pull_content);
        assert_eq!(provider.oauth().is_some(), manifest.auth_type == AuthType::Oauth2);
        assert_eq!(provider.credentials().is_some(), manifest.auth_type != AuthType::Oauth2);
        assert!(!manifest.name.is_empty() && manifest.description.ends_with('.') && !manifest.icon.is_empty());
        let settings: &ProviderSettings = &connected.settings;
        for call in [Call::List, Call::Fetch] {
            let meter = provider.meter(settings, call);
            assert!(meter.limits.per_minute > 0 && meter.limits.concurrent > 0, "{call:?}");
            assert!(!meter.name.contains('#'), "a name is part of a key");
        }
        assert!((1..=60).contains(&provider.fetch_calls(None)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_is_checked_against_its_own_schema() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::unconnected(fixture).await;
        let schema = connected.provider().config_schema();
        let validator = jsonschema::validator_for(&schema).expect("it is a schema");
        let given = serde_json::to_value(&connected.config).unwrap();
        assert!(validator.is_valid(&given), "{given}");
        connected.provider().check_config(&connected.config).expect("the config of the fixture is taken");
        assert!(!validator.is_valid(&serde_json::json!({ "no_such_field": 1 })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_to_choose_from_has_an_end_and_names() {
    for_each(async |fixture: &'static Fixture| {
        let connected = Connected::new(fixture).await;
        connected.create("Note", "It is there.").await;
        let schema = connected.provider().config_schema();
        let (mut cursor, mut pages, mut found) = (None::<String>, 0, Vec::new());
        loop {
            let request = BrowseRequest { parent: None, cursor: cursor.as_deref() };
            let choices = connected.provider().browse(&connected.access(), request).await.expect("choices");
            found.extend(choices.items);
            pages += 1;
            assert!(pages < 50, "it does not end");
            match choices.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        for choice in &found {
            assert!(!choice.id.is_empty() && !choice.name.is_empty() && !choice.kind.is_empty());
            if let Some(field) = choice.field {
                assert!(schema["properties"].get(field).is_some(), "{field} is a field of the config");
            }
            assert!(choice.field.is_some() || choice.has_children, "it is good for something: {choice:?}");
        }
    })
    .await;
}
