//! What is told of files and folders, whatever is there of them.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use peerflix::mount::shelf::Shelf;
use peerflix::mount::tree::{STATUS, Shown, WAITING};

use crate::world::{CREATED, INFO_HASH, Torrent, World, bytes, output, says, text};

const SHOW: [(&str, u64); 4] = [
    ("Show/Season 1/E01.mkv", 3_000_000_000),
    ("Show/Season 1/E01.srt", 1000),
    ("Show/Season 2/E02.mkv", 70_000),
    ("Show/run", 10),
];

/// An extended attribute; `None` if there is none of that name.
fn extended(path: &Path, name: &str) -> Option<String> {
    let mut room = [0; 256];
    let size = rustix::fs::getxattr(path, format!("user.peerflix.{name}"), &mut room).ok()?;
    Some(String::from_utf8(room[..size].to_vec()).expect("it is text"))
}

#[test]
fn everything_is_listed_while_nothing_is_there() {
    let torrent = Torrent::new(&SHOW);
    let world = World::of(&torrent);
    let listing = says("ls", &["-lR", "--time-style=+%s", text(&world.at())]);
    for (path, length) in SHOW {
        let name = path.rsplit('/').next().expect("it has one");
        let line = listing.lines().find(|line| line.ends_with(&format!(" {name}"))).expect("it is listed");
        assert!(line.contains(&format!(" {length} {CREATED} ")), "{line}");
    }
    let found = says("find", &[text(&world.at()), "-type", "f", "-printf", "%P %s\n"]);
    let mut found: Vec<_> = found.lines().collect();
    found.sort_unstable();
    let mut expected: Vec<_> = SHOW.iter().map(|(path, length)| format!("{path} {length}")).collect();
    expected.sort();
    assert_eq!(found, expected);
    world.until_nothing_is_wanted(&torrent);
    world.until_readers_are(&torrent, 0);
}

#[test]
fn a_file_says_what_it_is() {
    let torrent = Torrent::new(&SHOW);
    let world = World::of(&torrent);
    let film = fs::metadata(world.path("Show/Season 1/E01.mkv")).expect("it is there");
    assert_eq!((film.len(), film.blocks(), film.nlink()), (3_000_000_000, 0, 1));
    assert_eq!(film.permissions().mode(), 0o100_444);
    assert_eq!(film.modified().expect("it has one"), UNIX_EPOCH + Duration::from_secs(CREATED));
    assert_eq!(film.uid(), rustix::process::geteuid().as_raw());
    let program = fs::metadata(world.path("Show/run")).expect("it is there");
    assert_eq!(program.permissions().mode(), 0o100_555);
    let folder = fs::metadata(world.path("Show")).expect("it is there");
    assert_eq!((folder.permissions().mode(), folder.nlink()), (0o40_555, 4));
    assert!(!world.path("Show/Season 3").exists() && !world.path("Show/run/deeper").exists());

    let files = rustix::fs::statvfs(world.at()).expect("it is mounted");
    let total: u64 = SHOW.iter().map(|(_, length)| length).sum();
    assert_eq!(files.f_blocks, total.div_ceil(files.f_frsize));
    assert_eq!((files.f_bfree, files.f_bavail, files.f_ffree), (0, 0, 0));
}

#[test]
fn what_has_come_is_what_a_file_takes() {
    let torrent = Torrent::new(&SHOW);
    torrent.comes(0, 1_000_000..1_000_000 + 64 * 1024);
    torrent.comes(2, 0..70_000);
    let world = World::of(&torrent);
    let blocks = |path| fs::metadata(world.path(path)).expect("it is there").blocks();
    assert_eq!((blocks("Show/Season 1/E01.mkv"), blocks("Show/Season 1/E01.srt")), (128, 0));
    assert_eq!(blocks("Show/Season 2/E02.mkv"), 70_000_u64.div_ceil(512));
    let used = says("du", &["-s", "--block-size=512", text(&world.at())]);
    assert_eq!(used.split_whitespace().next(), Some("265"));

    let of = |path: &str, name| extended(&world.path(path), name);
    assert_eq!(of("Show/Season 1/E01.mkv", "info_hash").as_deref(), Some(INFO_HASH));
    assert_eq!(of("Show/Season 1/E01.mkv", "index").as_deref(), Some("0"));
    assert_eq!(of("Show/Season 1/E01.mkv", "percent").as_deref(), Some("0"));
    assert_eq!(of("Show/Season 1/E01.mkv", "state").as_deref(), Some("partial"));
    assert_eq!(of("Show/Season 1/E01.srt", "state").as_deref(), Some("empty"));
    assert_eq!(of("Show/Season 2/E02.mkv", "state").as_deref(), Some("complete"));
    assert_eq!(of("Show/Season 2/E02.mkv", "percent").as_deref(), Some("100"));
    assert_eq!(of("Show", "state").as_deref(), Some("partial"));
    assert_eq!((of("Show", "index"), of("Show/Season 1", "state")), (None, None));
    let mut names = [0; 256];
    let size = rustix::fs::listxattr(world.path("Show/run"), &mut names).expect("it has some");
    let names = String::from_utf8(names[..size].to_vec()).expect("it is text");
    let expected = ["info_hash", "index", "percent", "state"].map(|name| format!("user.peerflix.{name}\0"));
    assert_eq!(names, expected.concat());
}

#[test]
fn nothing_can_be_changed() {
    let world = World::of(&Torrent::new(&SHOW));
    let refused = |result: std::io::Result<()>| {
        assert_eq!(result.expect_err("it is for reading only").kind(), ErrorKind::ReadOnlyFilesystem);
    };
    let film = world.path("Show/Season 1/E01.mkv");
    refused(fs::write(&film, "mine"));
    refused(fs::OpenOptions::new().append(true).open(&film).and_then(|mut file| file.write_all(b"more")));
    refused(fs::File::create(world.path("new")).map(drop));
    refused(fs::create_dir(world.path("Show/new")));
    refused(fs::remove_file(&film));
    refused(fs::remove_dir(world.path("Show/Season 1")));
    refused(fs::rename(&film, world.path("other")));
    refused(fs::set_permissions(&film, fs::Permissions::from_mode(0o777)));
    refused(std::os::unix::fs::symlink("a", world.path("link")));
    refused(fs::hard_link(&film, world.path("link")));
    let changed = rustix::fs::setxattr(&film, "user.mine", b"1", rustix::fs::XattrFlags::empty());
    assert_eq!(changed, Err(rustix::io::Errno::ROFS));
    assert_eq!(rustix::fs::access(&film, rustix::fs::Access::WRITE_OK), Err(rustix::io::Errno::ROFS));
    assert_eq!(rustix::fs::access(&film, rustix::fs::Access::READ_OK), Ok(()));
}

#[test]
fn a_magnets_folder_has_a_note_until_its_files_come_and_stays_the_same_folder() {
    let torrent = Torrent::film(1000);
    let shown = |name: &str, files| Shown { name: name.to_owned(), is_folder: true, files };
    let shelf = Shelf::new(vec![shown("Magnet", None), shown("Other", Some(Torrent::new(&SHOW).files()))]);
    shelf.note(0, "3 peers, none has the list of files.".to_owned());
    let world = World::showing(shelf, |_| ()).expect("it can be mounted");
    let names = |path: &str| {
        let entries = fs::read_dir(world.path(path)).expect("it is a folder");
        entries.map(|entry| entry.expect("it is there").file_name()).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["Magnet", "Other"]);
    assert_eq!(names("Magnet"), [WAITING]);
    let note = fs::read_to_string(world.path("Magnet").join(WAITING)).expect("it can be read");
    assert_eq!(note, "3 peers, none has the list of files.\n");
    assert_eq!(extended(&world.path("Magnet"), "state").as_deref(), Some("waiting"));
    assert_eq!(extended(&world.path("Magnet"), "info_hash"), None);
    assert!(!world.path("Magnet/film.mkv").exists());
    let inode = |path: &str| fs::metadata(world.path(path)).expect("it is there").ino();
    let inodes = || (inode("Magnet"), inode("Other"), inode("Other/Season 1"), inode("Other/run"));
    let before = inodes();

    torrent.comes(0, 0..1000);
    world.shelf.open_torrent(0, Arc::new(torrent.clone()));
    world.shelf.know(0, torrent.files());
    assert_eq!(names("Magnet"), ["film.mkv"]);
    assert!(!world.path("Magnet").join(WAITING).exists());
    assert_eq!(fs::read(world.path("Magnet/film.mkv")).expect("it has come"), bytes(0, 0..1000));
    assert_eq!(extended(&world.path("Magnet"), "info_hash").as_deref(), Some(INFO_HASH));
    assert_eq!(before, inodes());
}

#[test]
fn the_control_file_is_there_by_name_and_in_no_list() {
    let world = World::of(&Torrent::new(&SHOW));
    assert_eq!(says("ls", &["-a", text(&world.at())]).lines().collect::<Vec<_>>(), [".", "..", "Show"]);
    let status = says("cat", &[text(&world.path(STATUS))]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
    assert!(status.to_string().contains("Season 2/E02.mkv"), "{status}");
    assert!(!world.path("Show").join(STATUS).exists());
}

#[test]
fn other_users_look_in_only_where_they_are_allowed_to() {
    let torrent = Torrent::film(1000);
    torrent.all_comes();
    let allowing = World::showing(torrent.shelf(), |config| config.allow_other = true);
    if !rustix::process::geteuid().is_root() {
        // Nobody else can be played here; what can be seen is whether the system's own rule is told.
        let config = fs::read_to_string("/etc/fuse.conf").unwrap_or_default();
        let is_allowed = config.lines().any(|line| line.trim() == "user_allow_other");
        assert_eq!(allowing.is_ok(), is_allowed);
        return;
    }
    let read_as_nobody = |world: &World| {
        fs::set_permissions(world.home(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let path = world.path("film.mkv");
        output("setpriv", &["--reuid=65534", "--regid=65534", "--clear-groups", "cat", text(&path)])
    };
    let read = read_as_nobody(&allowing.expect("root may"));
    assert_eq!((read.status.success(), read.stdout), (true, bytes(0, 0..1000)));
    assert!(!read_as_nobody(&World::of(&torrent)).status.success());
}
