//! MD5, because Drive shows it for every file; no security rests on it.

const SHIFTS: [u32; 16] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

/// The digest as 32 hexadecimal digits.
pub fn hex(data: &[u8]) -> String {
    let mut message = data.to_vec();
    let bits = (data.len() as u64).wrapping_mul(8);
    message.push(0x80);
    message.resize(message.len().next_multiple_of(64), 0);
    if message.len() - data.len() < 9 {
        message.resize(message.len() + 64, 0);
    }
    message.truncate(message.len() - 8);
    message.extend_from_slice(&bits.to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in message.chunks_exact(64) {
        state = mix(state, block);
    }
    ::hex::encode(state.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
}

fn mix(state: [u32; 4], block: &[u8]) -> [u32; 4] {
    let words: Vec<u32> = block
        .chunks_exact(4)
        .map(|bytes| bytes.iter().rev().fold(0, |word, byte| (word << 8) | u32::from(*byte)))
        .collect();
    let [mut a, mut b, mut c, mut d] = state;
    for step in 0..64_usize {
        let (value, word) = match step / 16 {
            0 => ((b & c) | (!b & d), step),
            1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
            2 => (b ^ c ^ d, (3 * step + 5) % 16),
            _ => (c ^ (b | !d), (7 * step) % 16),
        };
        let shift = SHIFTS.get(step / 16 * 4 + step % 4).copied().unwrap_or_default();
        let sum = a
            .wrapping_add(value)
            .wrapping_add(constant(step))
            .wrapping_add(words.get(word).copied().unwrap_or_default());
        (a, d, c, b) = (d, c, b, b.wrapping_add(sum.rotate_left(shift)));
    }
    let [e, f, g, h] = state;
    [a.wrapping_add(e), b.wrapping_add(f), c.wrapping_add(g), d.wrapping_add(h)]
}

/// RFC 1321: the whole part of 2^32 times |sin(step + 1)|.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is between 0 and 2^32")]
fn constant(step: usize) -> u32 {
    let angle = f64::from(u8::try_from(step).unwrap_or_default()) + 1.0;
    (angle.sin().abs() * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_vectors_of_rfc_1321_hold() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(super::hex(text.as_bytes()), digest);
        }
    }
}
