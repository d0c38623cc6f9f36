//! What whoever starts the histories may choose.

/// Histories of `make test`, where time is short.
const A_FEW: u64 = 3;

/// Which seeds to run: that of `CHAOS_SEED` alone, or as many as `CHAOS_SEEDS` says.
pub fn seeds() -> anyhow::Result<Vec<u64>> {
    if let Some(seed) = variable("CHAOS_SEED") {
        return Ok(vec![seed.parse()?]);
    }
    let first = variable("CHAOS_FIRST").map_or(Ok(1), |first| first.parse::<u64>())?;
    let count = variable("CHAOS_SEEDS").map_or(Ok(A_FEW), |count| count.parse::<u64>())?;
    Ok((first..first + count).collect())
}

/// How many histories play at the same time.
pub fn at_once() -> anyhow::Result<usize> {
    Ok(variable("CHAOS_AT_ONCE").map_or(Ok(6), |count| count.parse::<usize>())?.max(1))
}

/// Whether every call is to be struck in turn, instead of a sample.
pub fn is_thorough() -> bool {
    variable("CHAOS_THOROUGH").is_some()
}

#[expect(clippy::disallowed_methods, reason = "a test is told by its caller what to run")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
