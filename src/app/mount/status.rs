//! `peerflix mount --status`: what another peerflix has mounted, as it says itself in its control file.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::place_of;
use crate::app::exit::{Exit, Failure, OrExit};
use crate::app::print;
use crate::cli::Mount;
use crate::mount::status::{FileStatus, State, Status, TorrentStatus};
use crate::mount::tree::STATUS;
use crate::tui::clean;
use crate::units::ByteSize;

/// Longer than any that peerflix writes: of a torrent with as many files as there may be, with long names.
const MOST: u64 = 256 * 1024 * 1024;

pub(in crate::app) fn status(flags: &Mount) -> Result<Exit, Failure> {
    let at = place_of(flags);
    let json = read(at).map_err(|error| anyhow::anyhow!(refusal(at, &error))).or_exit(Exit::Failure)?;
    if flags.json {
        return print(|out| out.write_all(json.as_bytes()));
    }
    let status: Status = serde_json::from_str(&json)
        .map_err(|_| {
            anyhow::anyhow!(
                "what is mounted at {} says what this peerflix does not understand: it is of another version; \
                 --json prints what it says",
                at.display()
            )
        })
        .or_exit(Exit::Failure)?;
    print(|out| out.write_all(text(&status).as_bytes()))
}

fn read(at: &Path) -> io::Result<String> {
    let mut json = String::new();
    File::open(at.join(STATUS))?.take(MOST).read_to_string(&mut json)?;
    Ok(json)
}

fn refusal(at: &Path, error: &io::Error) -> String {
    let shown = at.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            format!("nothing is mounted at {shown}: --at DIR says where else to look")
        }
        ErrorKind::NotConnected => format!(
            "what was mounted at {shown} is dead, since its peerflix did not end as it should; the next \
             peerflix mount cleans that up, and so does {}",
            super::ways::unmounting(at)
        ),
        _ => format!("{shown} cannot be asked: {error}"),
    }
}

/// A line for each torrent, and one for each of its files.
fn text(status: &Status) -> String {
    status.torrents.iter().map(of_torrent).collect()
}

fn of_torrent(torrent: &TorrentStatus) -> String {
    let peers = match torrent.peers {
        1 => "1 peer".to_owned(),
        peers => format!("{peers} peers"),
    };
    let name = clean(&torrent.name);
    if torrent.state == State::Waiting {
        let note = torrent.note.as_deref().map(clean).unwrap_or_default();
        return format!("{name}: {peers}. {note}\n");
    }
    let mut text = format!(
        "{name}: {} of {} here, {peers}, {}/s\n",
        ByteSize(torrent.had),
        ByteSize(torrent.length),
        ByteSize(torrent.rate)
    );
    torrent.files.iter().for_each(|file| text.push_str(&of_file(file)));
    text
}

fn of_file(file: &FileStatus) -> String {
    let readers = match (file.readers, file.waiting) {
        (0, _) => String::new(),
        (1, 0) => "  1 reader".to_owned(),
        (1, _) => "  1 reader, which waits".to_owned(),
        (readers, 0) => format!("  {readers} readers"),
        (readers, waiting) => format!("  {readers} readers, {waiting} of them waiting"),
    };
    let length = ByteSize(file.length).to_string();
    let rate = match file.rate {
        0 => String::new(),
        rate => format!("  {}/s", ByteSize(rate)),
    };
    format!("  {:>5.1} %  {length:>9}  {}{readers}{rate}\n", file.percent, clean(&file.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_line_with_its_share_and_its_readers() {
        let file = |path: &str, had, readers, waiting| FileStatus {
            path: path.into(),
            length: 1_000_000,
            had,
            percent: crate::mount::status::percent(had, 1_000_000),
            state: State::of(had, 1_000_000),
            readers,
            waiting,
            rate: 1_200_000 * waiting as u64,
        };
        let show = TorrentStatus {
            name: "Show".into(),
            state: State::Partial,
            peers: 1,
            rate: 2_500_000,
            length: 2_000_000,
            had: 1_123_000,
            files: vec![file("Show/1.mkv", 1_000_000, 2, 0), file("Show/2\u{1b}[2J.mkv", 123_000, 1, 1)],
            ..TorrentStatus::default()
        };
        let magnet = TorrentStatus {
            name: "Film".into(),
            note: Some("Looking for peers.".into()),
            ..TorrentStatus::default()
        };
        assert_eq!(
            text(&Status { v: 1, torrents: vec![show, magnet] }),
            "Show: 1.1 MB of 2.0 MB here, 1 peer, 2.5 MB/s\n\
             \x20 100.0 %     1.0 MB  Show/1.mkv  2 readers\n\
             \x20  12.3 %     1.0 MB  Show/2[2J.mkv  1 reader, which waits  1.2 MB/s\n\
             Film: 0 peers. Looking for peers.\n"
        );
    }

    #[test]
    fn where_nothing_is_mounted_it_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = read(folder.path()).expect_err("nothing is there");
        assert!(refusal(folder.path(), &error).contains("nothing is mounted"));
        let dead = io::Error::from(ErrorKind::NotConnected);
        assert!(refusal(folder.path(), &dead).contains("is dead"));
    }
}
