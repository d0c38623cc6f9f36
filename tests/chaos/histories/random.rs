//! A generator of our own (SplitMix64), so that a seed means the same history for ever.

/// Numbers that a seed determines.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The numbers of a seed. `use_` tells apart what one seed is used for.
    pub fn new(seed: u64, use_: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0xA24B_AED4_963E_E407) ^ use_);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// An index below `length`, which is not 0.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % length as u64).unwrap_or_default()
    }

    /// One of several, each as likely as its weight says.
    pub fn weighted<'a, T>(&mut self, choices: &'a [(u64, T)]) -> &'a T {
        let mut place = self.next() % choices.iter().map(|(weight, _)| weight).sum::<u64>();
        for (weight, choice) in choices {
            if place < *weight {
                return choice;
            }
            place -= weight;
        }
        &choices[0].1
    }
}

#[test]
fn a_seed_gives_the_same_numbers_for_ever() {
    let mut random = Random::new(7, 1);
    let numbers: Vec<u64> = (0..4).map(|_| random.between(0, 999)).collect();
    assert_eq!(numbers, {
        let mut again = Random::new(7, 1);
        (0..4).map(|_| again.between(0, 999)).collect::<Vec<u64>>()
    });
    assert_ne!(numbers, {
        let mut other = Random::new(8, 1);
        (0..4).map(|_| other.between(0, 999)).collect::<Vec<u64>>()
    });
}
