//! A folder as a page, for those who open its address in a browser.

use super::pieces::escaped;
use super::propfind::Entry;
use crate::units::ByteSize;

pub const TAIL: &str = "</ul>\n</html>\n";

/// Of the folder of that name; `parent` is the address of the one that it is in.
pub fn head(title: &str, parent: Option<&str>) -> String {
    let title = escaped(title);
    let parent = parent.map(|href| format!("<li><a href=\"{}\">..</a></li>\n", escaped(href)));
    let parent = parent.unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n\
         <style>body {{ font: 1em sans-serif; margin: 2em }} li {{ margin: .3em 0 }} small {{ color: gray }}</style>\n\
         <h1>{title}</h1>\n<ul>\n{parent}"
    )
}

/// Of one of its entries.
pub fn line(entry: &Entry) -> String {
    let (href, name) = (escaped(&entry.href), escaped(&entry.name));
    match &entry.file {
        Some(file) => {
            format!("<li><a href=\"{href}\">{name}</a> <small>{}</small></li>\n", ByteSize(file.length))
        }
        None => format!("<li><a href=\"{href}\">{name}/</a></li>\n"),
    }
}
