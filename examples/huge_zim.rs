//! Makes a ZIM file as large as all of Wikipedia, its torrent, and a list of pages to visit; what benches/wiki.py reads.
//!
//! ```text
//! cargo run --example huge_zim -- FOLDER [ENTRIES [LENGTH]]
//! ```
//!
//! Without the last two it has twenty million entries and 64.5 GB, of which 3 GB are on the disk: the rest is holes. It takes a few
//! minutes.

#[cfg(unix)]
#[path = "../tests/shared/huge_zim.rs"]
mod huge_zim;

#[cfg(unix)]
fn main() -> anyhow::Result<()> {
    use anyhow::Context;

    let mut args = std::env::args().skip(1);
    let folder =
        std::path::PathBuf::from(args.next().context("say where: huge_zim FOLDER [ENTRIES [LENGTH]]")?);
    let entries = args.next().map_or(Ok(20_000_000), |count| count.parse()).context("ENTRIES is a number")?;
    let length = args
        .next()
        .map_or(Ok(huge_zim::Plan::LENGTH), |count| count.parse())
        .context("LENGTH is a number")?;
    std::fs::create_dir_all(&folder)?;
    let name = "huge_en_all.zim";
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(folder.join(name))?;
    file.set_len(length)?;
    let plan = huge_zim::Plan { entries, length, pages: 20_000, pictures: 4000, films: 240 };
    let made = huge_zim::write(&file, &plan)?;
    let info = made.torrent(&file, name, 1 << 20)?;
    std::fs::write(folder.join("huge_en_all.torrent"), [b"d4:info", info.as_slice(), b"e"].concat())?;
    let visits = serde_json::json!({
        "entries": made.entries, "articles": made.articles, "films": made.films, "film_length": made.film_length,
    });
    std::fs::write(folder.join("huge_en_all.json"), serde_json::to_vec_pretty(&visits)?)?;
    println!("{} entries in {length} bytes: {}", made.entries, folder.join(name).display());
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("this example writes holes as Unix does");
}
