//! The circuit of a provider that is down: counted by all, opened once, tried by one.

use anyhow::Result;
use domain::ProviderId;
use domain::circuit::{Circuit, Gate};
use futures::future::try_join_all;
use store::Store;
use testkit::emulator::Emulator;

use crate::proxy::Proxy;
use crate::sample::{at, connected, integration, store};

const DRIVE: ProviderId = ProviderId::GoogleDrive;

async fn fail(store: &Store, times: u32, second: i64) -> Result<Circuit> {
    let mut circuit = Circuit::default();
    for _ in 0..times {
        circuit = store.circuit_failed(DRIVE, at(second)).await?;
    }
    Ok(circuit)
}

#[tokio::test]
async fn guarantee_17_five_outages_in_a_row_open_the_circuit_and_a_success_closes_it() -> Result<()> {
    let store = store().await?;
    let ada = connected(&store, "user/ada").await?;
    assert_eq!(fail(&store, 4, 0).await?.gate(at(0)), Gate::Go);
    store.circuit_succeeded(DRIVE).await?;
    assert_eq!(fail(&store, 4, 0).await?.gate(at(0)), Gate::Go, "they were not in a row");
    let open = fail(&store, 1, 1).await?;
    assert_eq!(open.gate(at(1)), Gate::Shut { until: at(16) });
    assert_eq!(fail(&store, 3, 2).await?, open, "calls that were under way");
    assert_eq!(store.find_with_circuit(&ada.reference()).await?, Some((ada.clone(), open)));

    assert_eq!(store.claim_probe(DRIVE, at(15)).await?, Gate::Shut { until: at(16) }, "not yet");
    assert_eq!(store.claim_probe(DRIVE, at(16)).await?, Gate::Probe);
    assert_eq!(fail(&store, 1, 17).await?.gate(at(17)), Gate::Shut { until: at(47) }, "twice as long");
    assert_eq!(store.claim_probe(DRIVE, at(47)).await?, Gate::Probe);
    store.circuit_succeeded(DRIVE).await?;
    assert_eq!(store.claim_probe(DRIVE, at(48)).await?, Gate::Go, "closed meanwhile");
    assert_eq!(store.find_with_circuit(&ada.reference()).await?, Some((ada, Circuit::default())));
    Ok(())
}

#[tokio::test]
async fn guarantee_17_of_fifty_who_want_to_probe_one_may_and_a_dead_probe_frees_the_way() -> Result<()> {
    let store = store().await?;
    fail(&store, 5, 0).await?;
    let claims = (0..50).map(|_| store.claim_probe(DRIVE, at(15)));
    let gates = try_join_all(claims).await?;
    assert_eq!(gates.iter().filter(|gate| **gate == Gate::Probe).count(), 1);
    assert_eq!(gates.iter().filter(|gate| **gate == Gate::Shut { until: at(25) }).count(), 49);
    assert_eq!(store.claim_probe(DRIVE, at(74)).await?, Gate::Shut { until: at(75) });
    assert_eq!(store.claim_probe(DRIVE, at(75)).await?, Gate::Probe);
    Ok(())
}

#[tokio::test]
async fn guarantee_11_of_fifty_outages_at_once_the_circuit_opens_once() -> Result<()> {
    let store = store().await?;
    let outages = (0..50).map(|_| store.circuit_failed(DRIVE, at(0)));
    try_join_all(outages).await?;
    let open = fail(&store, 1, 1).await?;
    assert_eq!((open.opened, open.open_until), (1, Some(at(15))));
    Ok(())
}

#[tokio::test]
async fn an_integration_and_its_circuit_are_one_read() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let store = emulator.through(&address).store(&emulator.tables().await?);
    let ada = connected(&store, "user/ada").await?;
    fail(&store, 1, 0).await?;
    proxy.tally();
    let (found, circuit) = store.find_with_circuit(&ada.reference()).await?.expect("the integration is there");
    assert_eq!((found, circuit.failures), (ada, 1));
    assert_eq!(proxy.tally(), [("BatchGetItem".to_owned(), 1)]);
    assert_eq!(store.find_with_circuit(&integration("user/bob").reference()).await?, None);
    assert_eq!(store.find_with_circuit(&integration("user/ada").reference()).await?, None, "another one by now");
    Ok(())
}

#[tokio::test]
async fn a_probe_whose_answer_was_lost_is_still_the_callers() -> Result<()> {
    let emulator = Emulator::connect().await?;
    let (proxy, address) = Proxy::before(emulator.endpoint()).await?;
    let store = emulator.through(&address).store(&emulator.tables().await?);
    fail(&store, 5, 0).await?;
    proxy.lose("UpdateItem", 1);
    assert_eq!(store.claim_probe(DRIVE, at(15)).await?, Gate::Probe);
    Ok(())
}
