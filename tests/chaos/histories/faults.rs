//! Which faults strike in a history, as the seed says: each at a numbered call of a function.

use testkit::proxy::{Boundary, Fault, Kind, Side};

use crate::random::Random;

/// Where calls are counted: function, part of the operation, how many such calls a history makes at least, and which faults fit.
type Place = (&'static str, &'static str, u64, Fits);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Any,
    Batch,
    Messages,
}

/// Places by how often they are chosen. The numbers of calls are what short histories were seen to make.
const PLACES: &[(u64, Place)] = &[
    (5, ("sync-worker", "DynamoDB.", 80, Fits::Any)),
    (3, ("sync-worker", "SQS.SendMessage", 6, Fits::Messages)),
    (1, ("sync-worker", "SQS.", 6, Fits::Any)),
    (1, ("sync-worker", "KMS.", 1, Fits::Any)),
    (1, ("sync-worker", "SecretsManager.", 2, Fits::Any)),
    (6, ("resource-worker", "DynamoDB.", 30, Fits::Any)),
    (2, ("resource-worker", "DynamoDB.BatchGetItem", 4, Fits::Batch)),
    (5, ("resource-worker", "S3.PutObject", 12, Fits::Any)),
    (2, ("resource-worker", "S3.DeleteObject", 2, Fits::Any)),
    (1, ("resource-worker", "SQS.", 2, Fits::Messages)),
    (1, ("resource-worker", "KMS.", 1, Fits::Any)),
    (2, ("resource-worker", "EventBridge.", 4, Fits::Any)),
    (3, ("webhook", "DynamoDB.", 10, Fits::Any)),
    (3, ("webhook", "SQS.SendMessage", 6, Fits::Messages)),
    (3, ("webhook-worker", "DynamoDB.", 12, Fits::Any)),
    (2, ("webhook-worker", "SQS.SendMessage", 3, Fits::Messages)),
    (2, ("api", "DynamoDB.", 30, Fits::Any)),
    (2, ("api", "SQS.SendMessage", 3, Fits::Messages)),
    (1, ("api", "KMS.", 1, Fits::Any)),
];

/// Places at the provider.
const AT_THE_PROVIDER: &[(u64, Place)] = &[
    (3, ("sync-worker", "/drive/v3/files", 3, Fits::Any)),
    (3, ("sync-worker", "/drive/v3/changes", 6, Fits::Any)),
    (5, ("resource-worker", "/drive/v3/files", 15, Fits::Any)),
    (1, ("sync-worker", "/oauth2/token", 1, Fits::Any)),
    (1, ("resource-worker", "/oauth2/token", 1, Fits::Any)),
];

/// Kinds for the side of AWS by how often they are chosen.
fn at_aws(random: &mut Random, fits: Fits) -> Kind {
    let seconds = u32::try_from(random.between(1, 4)).unwrap_or(1);
    let copies = u32::try_from(random.between(2, 4)).unwrap_or(2);
    let count = random.index(6) + 1;
    let mut kinds = general(random);
    kinds.push((2, Kind::Throttle));
    match fits {
        Fits::Any => {}
        Fits::Batch => kinds.push((20, Kind::LeaveOut { count })),
        Fits::Messages => kinds.extend([
            (8, Kind::Duplicate { copies }),
            (6, Kind::Postpone { seconds }),
            (4, Kind::Reorder),
            (6, Kind::LeaveOut { count }),
        ]),
    }
    random.weighted(&kinds).clone()
}

fn at_provider(random: &mut Random) -> Kind {
    let mut kinds = general(random);
    kinds.push((3, Kind::Throttle));
    random.weighted(&kinds).clone()
}

fn general(random: &mut Random) -> Vec<(u64, Kind)> {
    let ms = random.between(100, 3_000);
    vec![
        (3, Kind::Refuse { status: 500 }),
        (2, Kind::Refuse { status: 503 }),
        (5, Kind::LoseAnswer { status: 500 }),
        (2, Kind::Reset),
        (3, Kind::ResetAfter),
        (2, Kind::Cut),
        (2, Kind::Delay { ms }),
        // Longer than a client waits for one attempt, and in a row longer than the function may run.
        (1, Kind::Silent { ms: 12_000 }),
        (3, Kind::KillBefore),
        (4, Kind::KillAfter),
        (1, Kind::Freeze),
    ]
}

/// The plan of a seed.
pub fn of_seed(seed: u64) -> Vec<Fault> {
    let mut random = Random::new(seed, 3);
    let count = random.between(5, 12);
    let mut faults: Vec<Fault> = Vec::new();
    while (faults.len() as u64) < count {
        let fault = one(&mut random);
        // Two deaths are enough: what the dead held comes back only after a while.
        let deaths = faults.iter().filter(|one| is_slow(&one.what)).count();
        if !is_slow(&fault.what) || deaths < 2 {
            faults.push(fault);
        }
    }
    faults
}

fn one(random: &mut Random) -> Fault {
    let provider = random.between(0, 3) == 0;
    let (function, operation, calls, fits) = *random.weighted(if provider { AT_THE_PROVIDER } else { PLACES });
    let side = if provider { Side::Provider } else { Side::Aws };
    let mut at = Boundary::of(side).function(function).operation(operation);
    // What Secrets Manager is asked names nobody.
    if operation.starts_with("SecretsManager.") {
        at = at.anybody();
    }
    let what = if provider { at_provider(random) } else { at_aws(random, fits) };
    let in_a_row = *random.weighted(&[(6, 1), (3, 3), (1, 6)]);
    // A client that is told nothing asks again; to kill or silence all of its attempts would end no history in good time.
    let times = if is_slow(&what) { 1 } else { in_a_row };
    // The lower of two numbers: the first calls are made by every history, the later ones not.
    let nth = random.between(1, calls).min(random.between(1, calls));
    Fault { at, nth, times, what }
}

fn is_slow(kind: &Kind) -> bool {
    matches!(kind, Kind::KillBefore | Kind::KillAfter | Kind::Freeze | Kind::Silent { .. })
}

#[test]
fn a_seed_gives_the_same_plan_and_all_kinds_come_up() {
    assert_eq!(of_seed(5), of_seed(5));
    assert_ne!(of_seed(5), of_seed(6));
    let all: Vec<Fault> = (1..400).flat_map(of_seed).collect();
    let kind = |fault: &Fault| format!("{:?}", fault.what).split([' ', '{']).next().unwrap_or_default().to_owned();
    let kinds: std::collections::BTreeSet<String> = all.iter().map(kind).collect();
    assert_eq!(kinds.len(), 15, "{kinds:?}");
}
