//! PDF files by hand: Helvetica on as many pages as the lines need, with a correct cross-reference table.

const LINES_ON_A_PAGE: usize = 50;

/// The bytes of a PDF that says `text`. Characters beyond Latin-1 become question marks: the built-in font has no others.
pub fn document(text: &str) -> Vec<u8> {
    let lines: Vec<&str> = text.lines().collect();
    let pages: Vec<&[&str]> = if lines.is_empty() { vec![&[]] } else { lines.chunks(LINES_ON_A_PAGE).collect() };
    // Objects 1 to 3 are catalog, page tree and font; then two for each page.
    let kids: Vec<String> = (0..pages.len()).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()).into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_vec(),
    ];
    for (index, lines) in pages.iter().enumerate() {
        let content = 5 + 2 * index;
        objects.push(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> \
                 /Contents {content} 0 R >>"
            )
            .into_bytes(),
        );
        let stream = page(lines);
        let mut object = format!("<< /Length {} >>\nstream\n", stream.len()).into_bytes();
        object.extend(stream);
        object.extend(b"\nendstream");
        objects.push(object);
    }
    assemble(&objects)
}

/// What a reader finds in the PDF of `text`: its lines, with an empty one between pages.
pub fn text(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let pages: Vec<String> = lines.chunks(LINES_ON_A_PAGE).map(|page| page.join("\n")).collect();
    pages.join("\n\n")
}

/// The beginning of a PDF without its end: what an aborted upload leaves.
pub fn broken() -> Vec<u8> {
    let whole = document("This file was cut while it was uploaded.");
    whole.get(..whole.len() / 3).unwrap_or_default().to_vec()
}

fn page(lines: &[&str]) -> Vec<u8> {
    let mut stream = b"BT\n/F1 11 Tf\n14 TL\n56 780 Td\n".to_vec();
    for line in lines {
        if line.is_empty() {
            stream.extend(b"T*\n");
            continue;
        }
        stream.push(b'(');
        for c in line.chars() {
            match u8::try_from(u32::from(c)) {
                Ok(byte @ (b'(' | b')' | b'\\')) => stream.extend([b'\\', byte]),
                Ok(byte) => stream.push(byte),
                Err(_) => stream.push(b'?'),
            }
        }
        stream.extend(b") Tj T*\n");
    }
    stream.extend(b"ET");
    stream
}

fn assemble(objects: &[Vec<u8>]) -> Vec<u8> {
    // The second line marks the file as binary for tools that would change line ends.
    let mut out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(out.len());
        out.extend(format!("{} 0 obj\n", index + 1).into_bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let table = out.len();
    out.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).into_bytes());
    for offset in offsets {
        out.extend(format!("{offset:010} 00000 n \n").into_bytes());
    }
    let size = objects.len() + 1;
    out.extend(format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n").into_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cross_reference_table_points_at_the_objects() {
        let bytes = document(&"A line (with brackets)\n".repeat(60));
        let at = |offset: usize| String::from_utf8_lossy(&bytes[offset..]).into_owned();
        let start: usize = at(0).split("startxref\n").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        assert!(at(start).starts_with("xref\n0 8\n"));
        for (index, line) in at(start).lines().skip(3).take(7).enumerate() {
            let offset: usize = line[..10].parse().unwrap();
            assert!(at(offset).starts_with(&format!("{} 0 obj", index + 1)), "object {}", index + 1);
        }
        assert!(at(0).contains("A line \\(with brackets\\)"));
    }
}
