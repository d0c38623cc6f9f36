//! PDF files built by hand: their text, and what hostile ones cost.

use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::tests::{check, check_with, extracted};
use crate::{Limits, Text};

const MIME: &str = "application/pdf";
/// Page with Helvetica as F1, drawing object 5.
const PAGE: &str = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 4 0 R>>>>/Contents 5 0 R>>";
const HELVETICA: &str = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>";

/// A file with these objects, numbered from 1 (the root), and a table of their places.
fn pdf(objects: &[Vec<u8>], trailer: &str) -> Vec<u8> {
    let mut bytes = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(bytes.len());
        writeln!(bytes, "{} 0 obj", at + 1).unwrap();
        bytes.extend_from_slice(object);
        bytes.extend_from_slice(b"\nendobj\n");
    }
    let table = bytes.len();
    write!(bytes, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    for place in places {
        writeln!(bytes, "{place:010} 00000 n ").unwrap();
    }
    write!(bytes, "trailer\n<</Size {}/Root 1 0 R{trailer}>>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1).unwrap();
    bytes
}

fn stream(dict: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("<<{dict}/Length {}>>\nstream\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\nendstream");
    bytes
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// One page with this content, and further objects from 6 on.
fn one_page(content: &[u8], more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut objects: Vec<Vec<u8>> =
        ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, HELVETICA]
            .map(|object| object.as_bytes().to_vec())
            .to_vec();
    objects.push(stream("", content));
    objects.extend_from_slice(more);
    objects
}

fn drawn(content: &str, expected: &str) {
    check(&pdf(&one_page(content.as_bytes(), &[]), ""), MIME, "a.pdf", expected);
}

/// Refused with this code, in little time.
fn refused(bytes: &[u8], code: &str) {
    let started = Instant::now();
    check_with(&Limits::default(), bytes, MIME, "a.pdf", Err(code));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn strings_become_words_lines_and_paragraphs() {
    drawn(
        "BT /F1 12 Tf 72 720 Td (Hello ) Tj (world) Tj 0 -14 Td [(Spa) 20 (ced) -300 (out)] TJ 0 -40 Td (New \\(part\\): caf\\351) Tj ET",
        "Hello world\nSpaced out\n\nNew (part): café",
    );
}

#[test]
fn text_moves_by_every_operator() {
    drawn(
        "q 1 0 0 1 10 10 cm BT /F1 10 Tf 12 TL 1 0 0 1 72 700 Tm (one) Tj T* (two) Tj (three) ' 0 0 (four) \" 0 -12 TD (five) Tj ET Q \
        BT /F1 10 Tf 72 600 Td (a) Tj 100 0 Td (b) Tj 3 Tr 0 -12 Td (unseen) Tj ET",
        "one\ntwo\nthree\nfour\nfive\n\na\tb\nunseen",
    );
}

#[test]
fn images_in_the_content_are_passed_over() {
    drawn("BT /F1 10 Tf (a) Tj ET BI /W 2 /H 2 ID (((<<[[EI EI\nBT /F1 10 Tf 0 -20 Td (b) Tj ET", "a\n\nb");
}

#[test]
fn encoded_content_and_forms_are_read() {
    let content = deflated(b"BT /F1 12 Tf 10 50 Td (outside) Tj ET q 1 0 0 1 0 -20 cm /X Do Q");
    let mut objects = one_page(b"", &[]);
    objects[2] = PAGE.replace("/Font", "/XObject<</X 6 0 R>>/Font").into_bytes();
    objects[4] = stream("/Filter/FlateDecode", &content);
    // Without resources of its own a form uses the page's.
    objects.push(stream("/Type/XObject/Subtype/Form/Matrix[1 0 0 1 0 5]", b"BT /F1 12 Tf 10 50 Td (inside) Tj ET"));
    check(&pdf(&objects, ""), MIME, "a.pdf", "outside\ninside");
}

#[test]
fn a_font_may_bring_its_own_map() {
    let map = "1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0001> <0047> <0002> <00FC> endbfchar 1 beginbfrange <0003> <0005> <0072> endbfrange";
    let more =
        [stream("", map.as_bytes()), b"<</Type/Font/Subtype/CIDFontType2/DW 600/W[1[500 500]3 5 400]>>".to_vec()];
    let mut objects = one_page(b"BT /F1 12 Tf (\\000\\001\\000\\003\\000\\002) Tj <00040005> Tj ET", &more);
    objects[3] =
        b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[7 0 R]/ToUnicode 6 0 R>>".to_vec();
    check(&pdf(&objects, ""), MIME, "a.pdf", "Grüst");
}

#[test]
fn named_differences_and_character_sets_are_used() {
    let mut objects = one_page(b"BT /F1 12 Tf (\\001\\002\\003 A) Tj ET", &[]);
    objects[3] = b"<</Type/Font/Subtype/Type1/BaseFont/ABCDEF+Some/FirstChar 0/Widths[0]/Encoding<</Differences[1/ffi/eacute/uni20AC]>>>>".to_vec();
    check(&pdf(&objects, ""), MIME, "a.pdf", "ffié€ A");
    objects[3] = b"<</Type/Font/Subtype/Type0/Encoding/90ms-RKSJ-H/DescendantFonts[]>>".to_vec();
    objects[4] = stream("", b"BT /F1 12 Tf <93fa967b> Tj ET");
    check(&pdf(&objects, ""), MIME, "a.pdf", "日本");
}

#[test]
fn pages_follow_their_tree() {
    let mut objects = one_page(b"BT /F1 12 Tf (first) Tj ET", &[]);
    objects[1] = b"<</Type/Pages/Kids[6 0 R 7 0 R]/Count 2/Resources<</Font<</F1 4 0 R>>>>>>".to_vec();
    objects.push(b"<</Type/Pages/Kids[3 0 R]>>".to_vec());
    objects.push(b"<</Type/Page/Contents[8 0 R]>>".to_vec());
    objects.push(stream("", b"BT /F1 12 Tf (second) Tj ET"));
    check(&pdf(&objects, ""), MIME, "a.pdf", "first\n\nsecond");
}

/// The same document in the new form: objects in an object stream, places in a stream.
fn new_form() -> Vec<u8> {
    let mut bytes = b"junk before\n%PDF-1.5\n".to_vec();
    let header = 12;
    let inside = ["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, HELVETICA];
    let (mut index, mut body) = (String::new(), String::new());
    for (at, object) in inside.iter().enumerate() {
        index.push_str(&format!("{} {} ", at + 1, body.len()));
        body.push_str(object);
        body.push(' ');
    }
    let place = |bytes: &mut Vec<u8>, number: u32, object: Vec<u8>| {
        let at = u16::try_from(bytes.len() - header).unwrap();
        writeln!(bytes, "{number} 0 obj").unwrap();
        bytes.extend(object);
        bytes.extend(b"\nendobj\n");
        at
    };
    let content = place(&mut bytes, 5, stream("", b"BT /F1 12 Tf (new form) Tj ET"));
    let objects = deflated(format!("{index}{body}").as_bytes());
    let objects =
        place(&mut bytes, 6, stream(&format!("/Type/ObjStm/N 4/First {}/Filter/FlateDecode", index.len()), &objects));
    let mut rows = vec![[0, 0, 0, 0]];
    rows.extend((0..4).map(|at| [2, 0, 6, at]));
    for at in [content, objects, u16::try_from(bytes.len() - header).unwrap()] {
        let [high, low] = at.to_be_bytes();
        rows.push([1, high, low, 0]);
    }
    // Stored as differences to the row above, as most writers do.
    let mut above = [0u8; 4];
    let mut data = Vec::new();
    for row in rows {
        data.push(2);
        data.extend(row.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(above)));
        above = row;
    }
    let table = bytes.len() - header;
    let dict = "/Type/XRef/Size 8/W[1 2 1]/Root 1 0 R/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 4>>";
    place(&mut bytes, 7, stream(dict, &deflated(&data)));
    write!(bytes, "startxref\n{table}\n%%EOF").unwrap();
    bytes
}

#[test]
fn the_new_form_of_tables_is_read() {
    check(&new_form(), MIME, "a.pdf", "new form");
}

#[test]
fn broken_tables_are_rebuilt() {
    for (found, replacement) in [("startxref", "startgone"), ("/XRef", "/Gone")] {
        let mut bytes = new_form();
        let at = bytes.windows(found.len()).rposition(|at| at == found.as_bytes()).unwrap();
        bytes[at..at + found.len()].copy_from_slice(replacement.as_bytes());
        check(&bytes, MIME, "a.pdf", "new form");
    }
    let mut bytes = pdf(&one_page(b"BT /F1 12 Tf (saved) Tj ET", &[]), "");
    let table = bytes.windows(4).position(|at| at == b"xref").unwrap();
    bytes.truncate(table);
    check(&bytes, MIME, "a.pdf", "saved");
}

#[test]
fn guarantee_24_a_stated_length_is_not_believed() {
    for length in ["0", "99999999", "-1", "5 0 R", "77 0 R"] {
        let mut objects = one_page(b"", &[]);
        objects[4] = format!("<</Length {length}>>\nstream\nBT /F1 12 Tf (found) Tj ET\nendstream").into_bytes();
        check(&pdf(&objects, ""), MIME, "a.pdf", "found");
    }
}

#[test]
fn guarantee_24_an_encrypted_file_is_said_to_be() {
    refused(&pdf(&one_page(b"BT ET", &[b"<</Filter/Standard/V 1/R 2>>".to_vec()]), "/Encrypt 6 0 R"), "encrypted");
}

#[test]
fn guarantee_24_rings_end() {
    // A tree of pages that holds itself.
    let mut objects = one_page(b"BT /F1 12 Tf (once) Tj ET", &[]);
    objects[1] = b"<</Type/Pages/Kids[3 0 R 2 0 R 6 0 R 3 0 R]/Count 9>>".to_vec();
    objects.push(b"<</Type/Pages/Kids[2 0 R 6 0 R]>>".to_vec());
    check(&pdf(&objects, ""), MIME, "a.pdf", "once");
    // A form that draws itself, twice.
    let mut objects = one_page(b"/X Do", &[]);
    objects[2] = PAGE.replace("/Font", "/XObject<</X 6 0 R>>/Font").into_bytes();
    objects.push(stream("/Subtype/Form", b"/X Do /X Do"));
    check(&pdf(&objects, ""), MIME, "a.pdf", "");
    // Tables that follow each other in a ring, a reference to itself, object streams inside each other.
    let mut bytes = pdf(&one_page(b"BT /F1 12 Tf (here) Tj ET", &[b"6 0 R".to_vec()]), "");
    let table = bytes.windows(4).position(|at| at == b"xref").unwrap();
    let at = bytes.windows(5).rposition(|at| at == b"/Root").unwrap();
    bytes.splice(at..at, format!("/Prev {table}/Info 6 0 R").into_bytes());
    check(&bytes, MIME, "a.pdf", "here");
    let ring = [
        stream("/Type/ObjStm/N 1/First 4/Extends 7 0 R", b"7 0 <<>>"),
        stream("/Type/ObjStm/N 1/First 4", b"6 0 <<>>"),
    ];
    let mut bytes = pdf(&one_page(b"BT /F1 12 Tf (still) Tj ET", &ring), "");
    let table = bytes.windows(4).position(|at| at == b"xref").unwrap();
    bytes.truncate(table);
    check(&bytes, MIME, "a.pdf", "still");
}

#[test]
fn guarantee_24_bombs_are_refused_with_the_limit() {
    let bomb = deflated(&vec![b' '; 40_000_000]);
    assert!(bomb.len() < 50_000);
    let mut objects = one_page(b"", &[]);
    objects[4] = stream("/Filter/FlateDecode", &bomb);
    refused(&pdf(&objects, ""), "too_large");
    // Twice encoded: a thousand to one, and again.
    objects[4] = stream("/Filter[/FlateDecode/FlateDecode]", &deflated(&bomb));
    refused(&pdf(&objects, ""), "too_large");
    // Many parts that each stay below the cap.
    let part = deflated(&vec![b' '; 3_000_000]);
    let contents: String = (6..106).map(|number| format!("{number} 0 R ")).collect();
    let mut objects = one_page(b"", &vec![stream("/Filter/FlateDecode", &part); 100]);
    objects[2] = PAGE.replace("/Contents 5 0 R", &format!("/Contents[{contents}]")).into_bytes();
    refused(&pdf(&objects, ""), "too_large");
}

#[test]
fn guarantee_24_pages_are_counted_before_any_is_drawn() {
    let kids: String = (3..2_004).map(|number| format!("{number} 0 R ")).collect();
    let mut objects =
        vec![b"<</Type/Catalog/Pages 2 0 R>>".to_vec(), format!("<</Type/Pages/Count 1/Kids[{kids}]>>").into_bytes()];
    objects.extend(vec![b"<</Type/Page>>".to_vec(); 2_001]);
    refused(&pdf(&objects, ""), "too_large");
    // A million references to one page are one page.
    objects[1] = format!("<</Type/Pages/Kids[{}]>>", "3 0 R ".repeat(600_000)).into_bytes();
    check(&pdf(&objects, ""), MIME, "a.pdf", "");
    objects[1] = format!("<</Type/Pages/Kids[{}]>>", "3 0 R ".repeat(1_000_000)).into_bytes();
    refused(&pdf(&objects, ""), "too_large");
}

#[test]
fn guarantee_24_deep_trees_and_deep_objects_end() {
    let mut objects = vec![b"<</Type/Catalog/Pages 2 0 R>>".to_vec()];
    objects.extend((2..5_000).map(|number| format!("<</Type/Pages/Kids[{} 0 R]>>", number + 1).into_bytes()));
    refused(&pdf(&objects, ""), "unreadable");
    objects[1] = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    refused(&pdf(&objects[..2], ""), "unreadable");
}

#[test]
fn guarantee_24_long_text_is_cut_and_slow_files_time_out() {
    let bytes = pdf(&one_page(b"BT /F1 12 Tf (0123456789) Tj ET", &[]), "");
    let limits = Limits { text_bytes: 4, ..Limits::default() };
    check_with(&limits, &bytes, MIME, "a.pdf", Ok(Text { text: "0123".to_owned(), truncated: true }));
    let limits = Limits { time: Duration::ZERO, ..Limits::default() };
    check_with(&limits, &bytes, MIME, "a.pdf", Err("timed_out"));
}

#[test]
fn guarantee_24_a_file_that_lost_all_its_pages_is_not_an_empty_document() {
    let whole = pdf(&one_page(b"BT /F1 12 Tf (gone) Tj ET", &[]), "");
    let page = whole.windows(10).position(|bytes| bytes == b"/Type/Page").unwrap();
    let page = page + whole[page + 10..].windows(10).position(|bytes| bytes == b"/Type/Page").unwrap();
    refused(&whole[..page], "unreadable");
}

#[test]
fn guarantee_24_cut_and_flipped_files_end_well() {
    let whole = new_form();
    for length in (9..whole.len()).step_by(7) {
        let _ = extracted(&Limits::default(), &whole[..length], MIME, "a.pdf");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x15;
        let _ = extracted(&Limits::default(), &bytes, MIME, "a.pdf");
    }
    refused(b"%PDF-1.7\nnothing", "unreadable");
}
