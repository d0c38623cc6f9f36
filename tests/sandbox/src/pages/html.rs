//! The frame that all pages share, and escaping.

/// Text made safe for HTML, in content and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// Text made safe as a value in the query of an address.
pub fn in_query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#222}\
    h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}a{color:#1a56c4}.quiet{color:#667;font-size:.9rem}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .5rem;border-bottom:1px solid #ddd;\
    vertical-align:top}fieldset{border:1px solid #ccc;border-radius:.4rem;margin:1rem 0}.row{display:flex;gap:.6rem;\
    padding:.3rem 0}button{font:inherit;padding:.25rem .7rem;border:1px solid #99a;border-radius:.3rem;background:#f4f4f8;\
    cursor:pointer}button.main{background:#1a56c4;border-color:#1a56c4;color:#fff}input,select,textarea{font:inherit}\
    textarea{width:100%;min-height:9rem}form.inline{display:inline}code{font-size:.85em;overflow-wrap:anywhere}\
    details{margin:.2rem 0}.good{color:#14692e}.bad{color:#a11}";

/// A whole page; `body` is HTML, `title` is text.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{}</title><style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_that_is_escaped_can_open_a_tag_or_close_an_attribute() {
        assert_eq!(super::escape("<b a=\"x\" b='y'>&"), "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
        assert_eq!(super::in_query("a b&c=ü"), "a+b%26c%3D%C3%BC");
    }
}
