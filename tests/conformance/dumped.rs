//! What zimdump says of an entry.

use std::path::Path;
use std::process::Command;

pub struct Dumped {
    pub path: String,
    pub title: String,
    pub what: What,
}

pub enum What {
    Redirect(u32),
    Item { kind: String, bytes: Vec<u8> },
}

impl Dumped {
    /// The entry of this number in the order of paths.
    pub fn of(file: &Path, index: u32) -> Dumped {
        let details = String::from_utf8_lossy(&zimdump(&["list", "--details"], file, index)).into_owned();
        let field = |name: &str| {
            let line = details.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim_start().to_owned())
        };
        let wanted = |name| field(name).unwrap_or_else(|| panic!("zimdump told no {name} in {details}"));
        let what = match wanted("* type:").as_str() {
            "redirect" => What::Redirect(wanted("* redirect index:").parse().expect("a number")),
            _ => What::Item { kind: wanted("* mime-type:"), bytes: zimdump(&["show"], file, index) },
        };
        Dumped { path: wanted("path: "), title: wanted("* title: "), what }
    }
}

fn zimdump(command: &[&str], file: &Path, index: u32) -> Vec<u8> {
    let mut zimdump = Command::new("zimdump");
    zimdump.args(command).arg(format!("--idx={index}")).arg("--").arg(file);
    let output = zimdump.output().expect("zimdump is needed: sh tests/install.sh programs installs it");
    assert!(output.status.success(), "{zimdump:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
