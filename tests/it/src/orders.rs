//! Events out of order: whatever order the observations of one resource arrive in, the last state of the source stays.

use anyhow::Result;
use domain::resource::{Record, RecordState};
use domain::{IntegrationId, Timestamp};
use store::Written;

use crate::sample::{at, external_id, record, store};

/// The life of a resource: created, edited twice and deleted, each as it was observed.
fn life(of: &str) -> [Record; 4] {
    let seen = |revision: &str, at: Timestamp| Record { revision: revision.to_owned(), ..record(of, at) };
    [
        seen("1", at(1)),
        seen("2", at(2)),
        seen("3", at(3)),
        Record { state: RecordState::Deleted, content_hash: None, ..seen("3", at(4)) },
    ]
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let mut orders = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| ![a, b].contains(c)) {
                orders.push([a, b, c, 6 - a - b - c]);
            }
        }
    }
    orders
}

#[tokio::test]
async fn guarantee_08_in_all_orders_of_create_edit_edit_delete_the_deletion_stays() -> Result<()> {
    let store = store().await?;
    let id = IntegrationId::new(at(0));
    let orders = orders();
    assert_eq!(orders.len(), 24);
    let lives = orders.iter().map(|order| {
        let name = format!("{order:?}");
        let store = store.clone();
        async move {
            let life = life(&name);
            let mut latest = None;
            for step in order {
                let written = store.save_record(id, &life[*step]).await?;
                let is_stale = matches!(written, Written::Stale(_));
                assert_eq!(is_stale, latest > Some(*step), "{name}: step {step} after {latest:?}");
                latest = latest.max(Some(*step));
            }
            // A fetch that began before the deletion and took its time.
            let late = Record { revision: "3".to_owned(), ..record(&name, at(3)) };
            let refused = store.save_record(id, &late).await?;
            assert_eq!(refused, Written::Stale(Box::new(life[3].clone())), "{name}: no resurrection");
            let stored = store.get_records(id, &[external_id(&name)]).await?;
            assert_eq!(stored.get(&external_id(&name)), Some(&life[3]), "{name}");
            anyhow::Ok(())
        }
    });
    futures::future::try_join_all(lives).await?;
    Ok(())
}
