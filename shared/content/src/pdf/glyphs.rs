//! What fonts call their characters, and the character sets that PDF names.

use encoding_rs::{MACINTOSH, WINDOWS_1252};

/// Names that are no letter with an accent, with what they stand for.
const NAMES: &[(&str, &str)] = &[
    ("space", " "),
    ("nbspace", "\u{a0}"),
    ("exclam", "!"),
    ("quotedbl", "\""),
    ("numbersign", "#"),
    ("dollar", "$"),
    ("percent", "%"),
    ("ampersand", "&"),
    ("quotesingle", "'"),
    ("parenleft", "("),
    ("parenright", ")"),
    ("asterisk", "*"),
    ("plus", "+"),
    ("comma", ","),
    ("hyphen", "-"),
    ("sfthyphen", "-"),
    ("minus", "\u{2212}"),
    ("period", "."),
    ("slash", "/"),
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("colon", ":"),
    ("semicolon", ";"),
    ("less", "<"),
    ("equal", "="),
    ("greater", ">"),
    ("question", "?"),
    ("at", "@"),
    ("bracketleft", "["),
    ("backslash", "\\"),
    ("bracketright", "]"),
    ("asciicircum", "^"),
    ("underscore", "_"),
    ("grave", "`"),
    ("braceleft", "{"),
    ("bar", "|"),
    ("braceright", "}"),
    ("asciitilde", "~"),
    ("exclamdown", "¡"),
    ("cent", "¢"),
    ("sterling", "£"),
    ("currency", "¤"),
    ("yen", "¥"),
    ("brokenbar", "¦"),
    ("section", "§"),
    ("dieresis", "¨"),
    ("copyright", "©"),
    ("ordfeminine", "ª"),
    ("guillemotleft", "«"),
    ("logicalnot", "¬"),
    ("registered", "®"),
    ("macron", "¯"),
    ("degree", "°"),
    ("plusminus", "±"),
    ("twosuperior", "²"),
    ("threesuperior", "³"),
    ("acute", "´"),
    ("mu", "µ"),
    ("paragraph", "¶"),
    ("periodcentered", "·"),
    ("cedilla", "¸"),
    ("onesuperior", "¹"),
    ("ordmasculine", "º"),
    ("guillemotright", "»"),
    ("onequarter", "¼"),
    ("onehalf", "½"),
    ("threequarters", "¾"),
    ("questiondown", "¿"),
    ("multiply", "×"),
    ("divide", "÷"),
    ("AE", "Æ"),
    ("ae", "æ"),
    ("OE", "Œ"),
    ("oe", "œ"),
    ("Oslash", "Ø"),
    ("oslash", "ø"),
    ("Lslash", "Ł"),
    ("lslash", "ł"),
    ("Eth", "Ð"),
    ("eth", "ð"),
    ("Thorn", "Þ"),
    ("thorn", "þ"),
    ("germandbls", "ß"),
    ("dotlessi", "ı"),
    ("Dcroat", "Đ"),
    ("dcroat", "đ"),
    ("Hbar", "Ħ"),
    ("hbar", "ħ"),
    ("Eng", "Ŋ"),
    ("eng", "ŋ"),
    ("florin", "ƒ"),
    ("fi", "fi"),
    ("fl", "fl"),
    ("ff", "ff"),
    ("ffi", "ffi"),
    ("ffl", "ffl"),
    ("circumflex", "ˆ"),
    ("tilde", "˜"),
    ("breve", "˘"),
    ("dotaccent", "˙"),
    ("ring", "˚"),
    ("ogonek", "˛"),
    ("hungarumlaut", "˝"),
    ("caron", "ˇ"),
    ("endash", "–"),
    ("emdash", "—"),
    ("quoteleft", "‘"),
    ("quoteright", "’"),
    ("quotesinglbase", "‚"),
    ("quotedblleft", "“"),
    ("quotedblright", "”"),
    ("quotedblbase", "„"),
    ("dagger", "†"),
    ("daggerdbl", "‡"),
    ("bullet", "•"),
    ("ellipsis", "…"),
    ("perthousand", "‰"),
    ("guilsinglleft", "‹"),
    ("guilsinglright", "›"),
    ("fraction", "⁄"),
    ("Euro", "€"),
    ("euro", "€"),
    ("trademark", "™"),
    ("partialdiff", "∂"),
    ("product", "∏"),
    ("summation", "∑"),
    ("radical", "√"),
    ("infinity", "∞"),
    ("integral", "∫"),
    ("approxequal", "≈"),
    ("notequal", "≠"),
    ("lessequal", "≤"),
    ("greaterequal", "≥"),
    ("lozenge", "◊"),
    ("arrowleft", "←"),
    ("arrowup", "↑"),
    ("arrowright", "→"),
    ("arrowdown", "↓"),
    ("Alpha", "Α"),
    ("Beta", "Β"),
    ("Gamma", "Γ"),
    ("Delta", "Δ"),
    ("Epsilon", "Ε"),
    ("Zeta", "Ζ"),
    ("Eta", "Η"),
    ("Theta", "Θ"),
    ("Iota", "Ι"),
    ("Kappa", "Κ"),
    ("Lambda", "Λ"),
    ("Mu", "Μ"),
    ("Nu", "Ν"),
    ("Xi", "Ξ"),
    ("Omicron", "Ο"),
    ("Pi", "Π"),
    ("Rho", "Ρ"),
    ("Sigma", "Σ"),
    ("Tau", "Τ"),
    ("Upsilon", "Υ"),
    ("Phi", "Φ"),
    ("Chi", "Χ"),
    ("Psi", "Ψ"),
    ("Omega", "Ω"),
    ("alpha", "α"),
    ("beta", "β"),
    ("gamma", "γ"),
    ("delta", "δ"),
    ("epsilon", "ε"),
    ("zeta", "ζ"),
    ("eta", "η"),
    ("theta", "θ"),
    ("iota", "ι"),
    ("kappa", "κ"),
    ("lambda", "λ"),
    ("nu", "ν"),
    ("xi", "ξ"),
    ("omicron", "ο"),
    ("pi", "π"),
    ("rho", "ρ"),
    ("sigma", "σ"),
    ("sigma1", "ς"),
    ("tau", "τ"),
    ("upsilon", "υ"),
    ("phi", "φ"),
    ("chi", "χ"),
    ("psi", "ψ"),
    ("omega", "ω"),
];

/// Accents, and for each the letters that carry it: the plain letter, then the accented one.
const ACCENTED: &[(&str, &str)] = &[
    ("acute", "AÁaáEÉeéIÍiíOÓoóUÚuúYÝyýCĆcćLĹlĺNŃnńRŔrŕSŚsśZŹzź"),
    ("grave", "AÀaàEÈeèIÌiìOÒoòUÙuùNǸnǹWẀwẁYỲyỳ"),
    ("circumflex", "AÂaâEÊeêIÎiîOÔoôUÛuûCĈcĉGĜgĝHĤhĥJĴjĵSŜsŝWŴwŵYŶyŷ"),
    ("dieresis", "AÄaäEËeëIÏiïOÖoöUÜuüYŸyÿWẄwẅ"),
    ("tilde", "AÃaãNÑnñOÕoõIĨiĩUŨuũ"),
    ("caron", "CČcčDĎdďEĚeěLĽlľNŇnňRŘrřSŠsšTŤtťZŽzžGǦgǧ"),
    ("ring", "AÅaåUŮuů"),
    ("cedilla", "CÇcçSŞsşTŢtţGĢgģKĶkķLĻlļNŅnņRŖrŗ"),
    ("commaaccent", "GĢgģKĶkķLĻlļNŅnņRŖrŗSȘsșTȚtț"),
    ("macron", "AĀaāEĒeēIĪiīOŌoōUŪuū"),
    ("breve", "AĂaăEĔeĕGĞgğIĬiĭOŎoŏUŬuŭ"),
    ("dotaccent", "CĊcċEĖeėGĠgġIİZŻzż"),
    ("dot", "CĊcċEĖeėGĠgġIİZŻzż"),
    ("ogonek", "AĄaąEĘeęIĮiįUŲuų"),
    ("hungarumlaut", "OŐoőUŰuű"),
];

/// The upper half of Adobe's standard set.
const STANDARD: &[(u8, &str)] = &[
    (0x27, "’"),
    (0x60, "‘"),
    (0xa1, "¡"),
    (0xa2, "¢"),
    (0xa3, "£"),
    (0xa4, "⁄"),
    (0xa5, "¥"),
    (0xa6, "ƒ"),
    (0xa7, "§"),
    (0xa8, "¤"),
    (0xa9, "'"),
    (0xaa, "“"),
    (0xab, "«"),
    (0xac, "‹"),
    (0xad, "›"),
    (0xae, "fi"),
    (0xaf, "fl"),
    (0xb1, "–"),
    (0xb2, "†"),
    (0xb3, "‡"),
    (0xb4, "·"),
    (0xb6, "¶"),
    (0xb7, "•"),
    (0xb8, "‚"),
    (0xb9, "„"),
    (0xba, "”"),
    (0xbb, "»"),
    (0xbc, "…"),
    (0xbd, "‰"),
    (0xbf, "¿"),
    (0xc1, "`"),
    (0xc2, "´"),
    (0xc3, "ˆ"),
    (0xc4, "˜"),
    (0xc5, "¯"),
    (0xc6, "˘"),
    (0xc7, "˙"),
    (0xc8, "¨"),
    (0xca, "˚"),
    (0xcb, "¸"),
    (0xcd, "˝"),
    (0xce, "˛"),
    (0xcf, "ˇ"),
    (0xd0, "—"),
    (0xe1, "Æ"),
    (0xe3, "ª"),
    (0xe8, "Ł"),
    (0xe9, "Ø"),
    (0xea, "Œ"),
    (0xeb, "º"),
    (0xf1, "æ"),
    (0xf5, "ı"),
    (0xf8, "ł"),
    (0xf9, "ø"),
    (0xfa, "œ"),
    (0xfb, "ß"),
];

/// The letters of the font Symbol, under the codes of `A` to `Z` and `a` to `z`.
const SYMBOL_UPPER: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
const SYMBOL_LOWER: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";

/// A set of 256 characters that PDF names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// `StandardEncoding`
    Standard,
    /// `WinAnsiEncoding`
    Windows,
    /// `MacRomanEncoding`
    Macintosh,
    /// That of the font Symbol.
    Symbol,
    /// That of the font ZapfDingbats.
    Dingbats,
}

impl Set {
    /// What a code stands for; empty if nothing.
    pub(super) fn text(self, code: u8) -> String {
        let ascii = || if (0x20..0x7f).contains(&code) { char::from(code).to_string() } else { String::new() };
        match self {
            Self::Standard => {
                let special = STANDARD.iter().find(|(found, _)| *found == code);
                special.map_or_else(ascii, |(_, text)| (*text).to_owned())
            }
            Self::Windows => WINDOWS_1252.decode_without_bom_handling(&[code]).0.into_owned(),
            Self::Macintosh => MACINTOSH.decode_without_bom_handling(&[code]).0.into_owned(),
            Self::Symbol => {
                let letter = |letters: &str, first| {
                    letters.chars().nth(usize::from(code - first)).map(String::from).unwrap_or_default()
                };
                match code {
                    b'A'..=b'Z' => letter(SYMBOL_UPPER, b'A'),
                    b'a'..=b'z' => letter(SYMBOL_LOWER, b'a'),
                    0xb7 => "•".to_owned(),
                    0xb1 => "±".to_owned(),
                    0xb4 => "×".to_owned(),
                    0xa3 => "≤".to_owned(),
                    0xb3 => "≥".to_owned(),
                    0xae => "→".to_owned(),
                    _ => ascii(),
                }
            }
            Self::Dingbats => match code {
                0x20 => " ",
                0x33 | 0x34 => "✓",
                0x37 | 0x38 => "✗",
                0x6c => "●",
                0x6e => "■",
                _ => "•",
            }
            .to_owned(),
        }
    }
}

/// What a glyph's name stands for, if it says.
pub(super) fn text_of(name: &str) -> Option<String> {
    // `a.alt` is a variant of `a`; `f_f_i` is a ligature.
    let name = name.split('.').next().filter(|name| !name.is_empty())?;
    if name.contains('_') {
        return name.split('_').take(8).map(text_of).collect();
    }
    if name.chars().count() == 1 && name.is_ascii() {
        return Some(name.to_owned());
    }
    if let Some((_, text)) = NAMES.iter().find(|(found, _)| *found == name) {
        return Some((*text).to_owned());
    }
    for (accent, letters) in ACCENTED {
        let Some(letter) = name.strip_suffix(accent).filter(|letter| letter.len() == 1) else { continue };
        let letters: Vec<char> = letters.chars().collect();
        if let Some([_, accented]) =
            letters.chunks_exact(2).find(|pair| pair.first().is_some_and(|first| letter.starts_with(*first)))
        {
            return Some(accented.to_string());
        }
    }
    let hex = name
        .strip_prefix("uni")
        .and_then(|hex| hex.get(..4))
        .or_else(|| name.strip_prefix('u').filter(|hex| (4..=6).contains(&hex.len())));
    u32::from_str_radix(hex?, 16).ok().and_then(char::from_u32).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_glyphs_are_understood() {
        let check = |name, expected: Option<&str>| assert_eq!(text_of(name).as_deref(), expected, "{name}");
        check("A", Some("A"));
        check("eacute", Some("é"));
        check("Zcaron", Some("Ž"));
        check("ffi", Some("ffi"));
        check("f_f_i", Some("ffi"));
        check("a.alt", Some("a"));
        check("uni20AC", Some("€"));
        check("u1F600", Some("😀"));
        check("omega", Some("ω"));
        check("g123", None);
        check(".notdef", None);
    }

    #[test]
    fn named_sets_differ_above_ascii() {
        assert_eq!(Set::Standard.text(0xaa), "“");
        assert_eq!(Set::Standard.text(0x27), "’");
        assert_eq!(Set::Windows.text(0x93), "“");
        assert_eq!(Set::Macintosh.text(0x8e), "é");
        assert_eq!(Set::Symbol.text(b'a'), "α");
        assert_eq!(Set::Standard.text(0x80), "");
    }
}
