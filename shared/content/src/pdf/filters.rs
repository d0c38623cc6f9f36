//! The encodings of PDF streams, undone with a cap on what comes out.

use std::io::Read as _;

use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::object::{Dict, Object, hex_digit, is_space};

/// Why a stream gave no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// More came out than may.
    TooLarge,
    /// Encoded in a way that carries no text (an image) or is not known.
    NotText,
}

/// Undoes one encoding; at most `most` bytes may come out. Damaged data gives what can be saved of it.
pub(super) fn undo(filter: &str, parameters: Option<&Dict>, data: &[u8], most: usize) -> Result<Vec<u8>, Stop> {
    let out = match filter {
        "FlateDecode" | "Fl" => inflated(data, most)?,
        "LZWDecode" | "LZW" => {
            let early = parameters.and_then(|parameters| parameters.get("EarlyChange").integer()).unwrap_or(1) != 0;
            unpacked_lzw(data, early, most)?
        }
        "ASCIIHexDecode" | "AHx" => return Ok(from_hex(data)),
        "ASCII85Decode" | "A85" => return from_ascii85(data, most),
        "RunLengthDecode" | "RL" => return from_runs(data, most),
        _ => return Err(Stop::NotText),
    };
    Ok(match parameters {
        Some(parameters) => unpredicted(out, parameters),
        None => out,
    })
}

fn inflated(data: &[u8], most: usize) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::new();
    // An error in the middle leaves what came before it.
    let _ = ZlibDecoder::new(data).take(most as u64 + 1).read_to_end(&mut out);
    if out.is_empty() {
        // Some writers leave out or damage the two bytes of header.
        let _ = DeflateDecoder::new(data.get(2..).unwrap_or_default()).take(most as u64 + 1).read_to_end(&mut out);
    }
    if out.len() > most { Err(Stop::TooLarge) } else { Ok(out) }
}

fn unpacked_lzw(data: &[u8], early: bool, most: usize) -> Result<Vec<u8>, Stop> {
    /// A code stands for bytes that were already written: where they begin and how many they are.
    type Code = (usize, usize);
    let mut out: Vec<u8> = Vec::new();
    let mut codes: Vec<Code> = Vec::new();
    let mut previous: Option<Code> = None;
    let (mut bits, mut held, mut width) = (0u32, 0u32, 9u32);
    for byte in data {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        if held < width {
            continue;
        }
        held -= width;
        let code = (bits >> held) as usize & ((1 << width) - 1);
        bits &= (1 << held) - 1;
        let start = out.len();
        match (code, previous) {
            (256, _) => {
                codes.clear();
                previous = None;
                width = 9;
                continue;
            }
            (257, _) => break,
            (0..=255, _) => out.push(u8::try_from(code).unwrap_or(0)),
            (_, None) => break,
            (_, Some((from, length))) => match codes.get(code - 258).copied() {
                Some((from, length)) => out.extend_from_within(from..from + length),
                None if code - 258 == codes.len() => {
                    out.extend_from_within(from..from + length);
                    out.extend_from_within(from..from + 1);
                }
                None => break,
            },
        }
        if out.len() > most {
            return Err(Stop::TooLarge);
        }
        if let Some((from, length)) = previous
            && codes.len() < 4096 - 258
        {
            // The previous bytes and the first of these, which follow them directly.
            codes.push((from, length + 1));
        }
        previous = Some((start, out.len() - start));
        let next = codes.len() + 258 + usize::from(early) + 1;
        width = match next {
            0..=512 => 9,
            513..=1024 => 10,
            1025..=2048 => 11,
            _ => 12,
        };
    }
    Ok(out)
}

fn from_hex(data: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = data.iter().take_while(|byte| **byte != b'>').copied().filter_map(hex_digit).collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |value, digit| value * 16 + digit) << if pair.len() == 1 { 4 } else { 0 })
        .collect()
}

fn from_ascii85(data: &[u8], most: usize) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::new();
    let mut group: Vec<u8> = Vec::with_capacity(5);
    for byte in data.iter().copied().filter(|byte| !is_space(*byte)) {
        match byte {
            b'z' if group.is_empty() => out.extend([0; 4]),
            b'!'..=b'u' => group.push(byte - b'!'),
            _ => break,
        }
        if group.len() == 5 {
            push_group(&mut out, &group, 4);
            group.clear();
        }
        if out.len() > most {
            return Err(Stop::TooLarge);
        }
    }
    if group.len() > 1 {
        let bytes = group.len() - 1;
        group.resize(5, 84);
        push_group(&mut out, &group, bytes);
    }
    Ok(out)
}

fn push_group(out: &mut Vec<u8>, group: &[u8], bytes: usize) {
    let value = group.iter().fold(0u32, |value, digit| value.wrapping_mul(85).wrapping_add(u32::from(*digit)));
    out.extend(value.to_be_bytes().into_iter().take(bytes));
}

fn from_runs(data: &[u8], most: usize) -> Result<Vec<u8>, Stop> {
    let mut out = Vec::new();
    let mut rest = data;
    while let Some((length, after)) = rest.split_first() {
        match length {
            128 => break,
            0..=127 => {
                let (run, next) = after.split_at_checked(usize::from(*length) + 1).unwrap_or((after, &[]));
                out.extend_from_slice(run);
                rest = next;
            }
            129..=255 => {
                let Some((byte, next)) = after.split_first() else { break };
                out.extend(std::iter::repeat_n(*byte, 257 - usize::from(*length)));
                rest = next;
            }
        }
        if out.len() > most {
            return Err(Stop::TooLarge);
        }
    }
    Ok(out)
}

/// Undoes the differences between neighbours that some streams store (PNG's filters; TIFF's for whole bytes).
fn unpredicted(data: Vec<u8>, parameters: &Dict) -> Vec<u8> {
    let number = |name: &str, default: i64| {
        let given = Some(parameters.get(name)).filter(|given| **given != Object::Null).and_then(Object::integer);
        usize::try_from(given.unwrap_or(default).clamp(1, 1 << 20)).unwrap_or(1)
    };
    let predictor = number("Predictor", 1);
    let (colors, bits, columns) =
        (number("Colors", 1).min(64), number("BitsPerComponent", 8).min(16), number("Columns", 1));
    let pixel = (colors * bits).div_ceil(8);
    let row = (colors * bits * columns).div_ceil(8);
    match predictor {
        2 if bits == 8 => {
            let mut out = data;
            for line in out.chunks_mut(row) {
                for at in pixel..line.len() {
                    let left = line.get(at - pixel).copied().unwrap_or(0);
                    if let Some(byte) = line.get_mut(at) {
                        *byte = byte.wrapping_add(left);
                    }
                }
            }
            out
        }
        10.. => from_png_rows(&data, row, pixel),
        _ => data,
    }
}

fn from_png_rows(data: &[u8], row: usize, pixel: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut above = vec![0u8; row.min(data.len())];
    for line in data.chunks(row + 1) {
        let Some((kind, line)) = line.split_first() else { break };
        let mut present: Vec<u8> = Vec::with_capacity(line.len());
        for (at, byte) in line.iter().enumerate() {
            let before = |row: &[u8]| at.checked_sub(pixel).and_then(|at| row.get(at)).copied().unwrap_or(0);
            let (left, up, corner) = (before(&present), above.get(at).copied().unwrap_or(0), before(&above));
            let guess = match kind {
                1 => left,
                2 => up,
                3 => u8::try_from((u16::from(left) + u16::from(up)) / 2).unwrap_or(0),
                4 => paeth(left, up, corner),
                _ => 0,
            };
            present.push(byte.wrapping_add(guess));
        }
        out.extend_from_slice(&present);
        above = present;
    }
    out
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let guess = i16::from(left) + i16::from(up) - i16::from(corner);
    let away = |value: u8| (guess - i16::from(value)).abs();
    if away(left) <= away(up) && away(left) <= away(corner) {
        left
    } else if away(up) <= away(corner) {
        up
    } else {
        corner
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::pdf::object::Parser;

    fn check(filter: &str, parameters: &str, data: &[u8], expected: &[u8]) {
        let parameters = Parser::new(parameters.as_bytes()).object().ok();
        assert_eq!(undo(filter, parameters.as_ref().and_then(Object::dict), data, 1_000).unwrap(), expected);
    }

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn encodings_are_undone() {
        check("FlateDecode", "", &deflated(b"plain"), b"plain");
        check("FlateDecode", "", &deflated(b"plain")[2..], b"");
        check("LZWDecode", "", b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01", b"-----A---B");
        check("ASCIIHexDecode", "", b"48 65 6C6c 6F7>", b"Hellop");
        check("ASCII85Decode", "", b"87cUR D]i,\"Ebo80~>", b"Hello World!");
        check("ASCII85Decode", "", b"z~>", &[0; 4]);
        check("RunLengthDecode", "", b"\x02abc\xfed\x80zz", b"abcddd");
    }

    #[test]
    fn differences_between_neighbours_are_undone() {
        check(
            "FlateDecode",
            "<</Predictor 12/Columns 3>>",
            &deflated(b"\x02\x01\x02\x03\x02\x01\x01\x01"),
            &[1, 2, 3, 2, 3, 4],
        );
        check(
            "FlateDecode",
            "<</Predictor 15/Columns 2>>",
            &deflated(b"\x01\x05\x01\x04\x01\x01\x03\x02\x02"),
            &[5, 6, 6, 7, 5, 8],
        );
        check("FlateDecode", "<</Predictor 2/Columns 3>>", &deflated(&[1, 1, 1, 2, 0, 0]), &[1, 2, 3, 2, 2, 2]);
    }

    #[test]
    fn guarantee_24_bombs_stop_at_the_cap() {
        let most = 100_000;
        assert_eq!(undo("FlateDecode", None, &deflated(&vec![0; 10_000_000]), most), Err(Stop::TooLarge));
        assert_eq!(undo("RunLengthDecode", None, &b"\x81a".repeat(10_000), most), Err(Stop::TooLarge));
        assert_eq!(undo("ASCII85Decode", None, &b"z".repeat(100_000), most), Err(Stop::TooLarge));
        assert_eq!(undo("DCTDecode", None, b"", most), Err(Stop::NotText));
    }

    #[test]
    fn damage_leaves_what_came_before_it() {
        let mut data = deflated(&(0..=255).cycle().take(900).collect::<Vec<u8>>());
        data.truncate(data.len() - 8);
        let saved = undo("FlateDecode", None, &data, 1_000).unwrap();
        assert!(!saved.is_empty() && saved.len() < 900);
    }
}
