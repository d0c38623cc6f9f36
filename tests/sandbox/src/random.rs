//! Identifiers and secrets that nobody can guess.

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `length` random letters and digits.
pub fn letters(length: usize) -> String {
    (0..length)
        .filter_map(|_| LETTERS.get(rand::random_range(0..LETTERS.len())))
        .map(|byte| char::from(*byte))
        .collect()
}
