//! Pages as the web has them, and as nobody should write them.

use crate::tests::{check, check_with};
use crate::{Limits, Text};

fn page(body: &str, expected: &str) {
    check(body.as_bytes(), "text/html", "a.html", expected);
}

#[test]
fn a_page_reads_as_a_person_sees_it() {
    let source =
        "<!DOCTYPE html><html><head><meta charset=utf-8><title>Shown in the bar</title><style>p { color: red }</style>
        <script>if (1 < 2) document.write('<p>no</p>')</script></head>
        <body><h1>Plans &amp;\n goals</h1><p>Some <b>bold</b>\n   words<br>and a break.</p><h2></h2>
        <div>Outer<p>Inner</p></div><img src=x alt='A chart'><noscript>off</noscript><!-- hidden --></body></html>";
    page(source, "# Plans & goals\n\nSome bold words\nand a break.\n\nOuter\n\nInner\n\nA chart");
}

#[test]
fn lists_keep_their_marks_and_depth() {
    page(
        "<p>x</p><ul><li>one<ol start=3><li>deep<li>er</ol><li><p>two</p><p>more</p></ul>y",
        "x\n\n- one\n  3. deep\n  4. er\n- two\n  more\n\ny",
    );
}

#[test]
fn tables_are_rows_of_cells_parted_by_tabs() {
    page(
        "a<table><thead><tr><th>Name</th><th>Sum</th></tr></thead><tr><td><p>Ada</p><td>1<br>2</tr><tr><td></td><td>last</td></tr></table>b",
        "a\n\nName\tSum\nAda\t1 2\n\tlast\n\nb",
    );
}

#[test]
fn preformatted_text_keeps_its_lines() {
    page("<p>a</p><pre>fn main() {\n    x();\n}</pre><p>b   c</p>", "a\n\nfn main() {\n    x();\n}\n\nb c");
}

#[test]
fn the_page_names_its_character_set() {
    check(b"<meta charset=\"windows-1251\"><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>", "text/html", "a", "Привет");
}

#[test]
fn a_page_without_words_gives_its_title() {
    page("<title>Only this</title><body></body>", "Only this");
}

#[test]
fn guarantee_23_nesting_and_endless_tags_cost_nothing() {
    page(&format!("{}deep", "<div><ul><table>".repeat(200_000)), "deep");
    page(&format!("a<p {}", "x='".repeat(300_000)), "a");
    page(&"<".repeat(200_000), &"<".repeat(200_000));
}

#[test]
fn long_pages_are_cut() {
    let limits = Limits { text_bytes: 6, ..Limits::default() };
    let expected = Text { text: "a\n\nbcd".to_owned(), truncated: true };
    check_with(&limits, b"<p>a</p><p>bcdef</p>", "text/html", "a", Ok(expected));
}
