//! What a style sheet shows: pictures, fonts, other style sheets. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

/// More than this none names; what does is not believed to.
const MOST: usize = 1000;
/// What stays as it is in a path.
const IN_A_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The paths within the book that the style sheet at this path names (CSS Values, `url()`; CSS Cascading, `@import`).
pub(super) fn resources(css: &str, at: &str) -> Vec<String> {
    // Any host would do: what leads to another is not in the book.
    let base = format!("http://book.invalid/{}", utf8_percent_encode(at, IN_A_PATH));
    let Ok(base) = Url::parse(&base) else { return Vec::new() };
    let mut found = Vec::new();
    for reference in urls(css).chain(imports(css)).take(MOST) {
        let Ok(url) = base.join(reference) else { continue };
        if url.scheme() != "http" || url.host_str() != base.host_str() {
            continue;
        }
        let path = percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
        if !path.is_empty() && path != at && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

fn urls(css: &str) -> impl Iterator<Item = &str> {
    css.split("url(").skip(1).filter_map(|rest| {
        let rest = rest.trim_start();
        match rest.chars().next()? {
            quote @ ('"' | '\'') => rest.get(1..)?.split(quote).next(),
            _ => rest.split(')').next().map(str::trim),
        }
    })
}

/// Those that are named by a text alone.
fn imports(css: &str) -> impl Iterator<Item = &str> {
    css.split("@import").skip(1).filter_map(|rest| {
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
        rest.get(1..)?.split(quote).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_style_sheet_names_is_found_from_where_it_is() {
        let css = "@import 'more.css'; @import \"/print.css\" print; @import url(third.css);
            a { background: url( '../i/a b.png' ) } b { src: url(\"../f/x.woff?v=2#iefix\") format('woff') }
            c { background: url(../i/%D0%9A.png), url(data:image/png;base64,AAAA), url(//e.org/x.png) }
            d { background: url(https://e.org/y.png); behavior: url(#z) } e { x: url(../i/a%20b.png) }";
        assert_eq!(
            resources(css, "s/style.css"),
            ["s/third.css", "i/a b.png", "f/x.woff", "i/К.png", "s/more.css", "print.css"]
        );
    }

    #[test]
    fn nonsense_names_nothing_and_a_path_may_have_any_sign() {
        for css in ["", "url(", "url('", "@import", "@import '", "url()", "url(#)", "url(\u{1F600}"] {
            assert!(resources(css, "a.css").len() <= 1, "{css}");
        }
        assert_eq!(resources("url(b.png)", "what?/100 %#/a.css"), ["what?/100 %#/b.png"]);
    }
}
