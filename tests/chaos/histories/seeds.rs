//! Random histories: `make chaos SEEDS=20` plays twenty, `make chaos SEED=7` the seventh again.

use std::time::Instant;

use anyhow::ensure;
use futures::stream::{self, StreamExt as _};

use crate::history::History;
use crate::settings;
use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn random_histories_end_as_if_nothing_had_broken() -> anyhow::Result<()> {
    let seeds = settings::seeds()?;
    let stage = Stage::new().await?;
    let alone = seeds.len() == 1;
    // Several at the same time, because most of their time is waiting.
    let played = stream::iter(&seeds).map(|seed| play(&stage, *seed, alone)).buffer_unordered(settings::at_once()?);
    let failed: Vec<u64> = played.filter_map(std::future::ready).collect().await;
    println!("{} histories, {} failed{}", seeds.len(), failed.len(), if failed.is_empty() { "" } else { ":" });
    ensure!(failed.is_empty(), "these seeds failed: {failed:?}; replay one with: make chaos SEED=n");
    Ok(())
}

/// Plays a history and says how it ended; its seed if it failed.
async fn play(stage: &Stage, seed: u64, alone: bool) -> Option<u64> {
    let began = Instant::now();
    let ended = async {
        let history = History::new(stage, seed).await?;
        if alone {
            history.tell();
        }
        let struck = history.play(stage).await?;
        if alone {
            struck.iter().for_each(|one| println!("    struck: {}", one.what));
        }
        anyhow::Ok((struck.len(), history.check(stage).await?))
    };
    let ended = ended.await;
    let seconds = began.elapsed().as_secs();
    match ended {
        Ok((struck, verdict)) => {
            println!("seed {seed}: good in {seconds} s, {struck} calls struck, {verdict}");
            None
        }
        Err(error) => {
            println!("seed {seed}: FAILED after {seconds} s; replay it with: make chaos SEED={seed}\n{error:?}");
            Some(seed)
        }
    }
}
