//! What a batch of resources begins with, in one read.

use anyhow::Result;
use domain::circuit::{Circuit, OPENS_AFTER};
use domain::message::IntegrationRef;
use domain::provider::RateLimits;
use domain::{IntegrationId, ProviderId};
use testkit::emulator::Emulator;

use crate::proxy::Proxy;
use crate::sample::{at, connected, external_id, record};

#[tokio::test]
async fn one_read_brings_the_integration_the_circuit_and_the_records() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let tables = emulator.tables().await?;
    let store = emulator.through(&address).store(&tables);
    let ada = connected(&store, "user/ada").await?;
    let ids = ["a", "b", "a", "c"].map(external_id);
    store.save_record(ada.id, &record("a", at(1))).await?;
    store.save_record(ada.id, &record("c", at(2))).await?;
    store.save_record(ada.id, &record("d", at(3))).await?;
    proxy.tally();
    let work = store.find_work(&ada.reference(), &ids).await?.expect("it is there");
    assert_eq!(proxy.tally(), [("BatchGetItem".to_owned(), 1)]);
    let mut found: Vec<&str> = work.records.keys().map(domain::ExternalId::as_str).collect();
    found.sort_unstable();
    assert_eq!((work.integration.id, work.circuit, found), (ada.id, Circuit::default(), vec!["a", "c"]));
    assert_eq!(work.records[&ids[3]].observed_at, at(2));
    for _ in 0..OPENS_AFTER {
        store.circuit_failed(ProviderId::GoogleDrive, at(10)).await?;
    }
    let work = store.find_work(&ada.reference(), &ids).await?.expect("it is there");
    assert_eq!(work.circuit.open_until, Some(at(25)));
    let budget = RateLimits { per_minute: 1200, per_day: None, concurrent: 5 }.budget();
    let elsewhere = emulator.store(&tables);
    for second in 0..3 {
        let holder = second.to_string();
        elsewhere.hold(&ada.rate_key(), &budget, &holder, 1, at(60), at(second)).await?;
        store.find_work(&ada.reference(), &ids).await?;
        proxy.tally();
        store.hold(&ada.rate_key(), &budget, "here", 1, at(60), at(second)).await?;
        assert_eq!(proxy.tally(), [("UpdateItem".to_owned(), 1)], "what others did to the limit came with the read");
    }
    let other = IntegrationRef { integration_id: IntegrationId::new(at(9)), ..ada.reference() };
    assert!(store.find_work(&other, &ids).await?.is_none(), "a later integration of the same owner is another one");
    Ok(())
}
