//! The folder over WebDAV, as real programs use it: curl, cadaver, and a mount by davfs2.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use peerflix::http::Server;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::webdav::dav;
use crate::world::{Torrent, bytes, serve_only, soon};

const BOX: &[(&str, u64)] = &[
    ("Show/One #1 100%?.mkv", 300_000),
    ("Show/Two é.mp4", 2000),
    ("Show/Subs/One & <b>.srt", 50),
    ("Show/empty.mp4", 0),
];

/// A program that a test cannot do without; those of the system's administrator too.
fn program(name: &str, package: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    match folders.map(|folder| folder.join(name)).find(|program| program.is_file()) {
        Some(path) => Command::new(path),
        None => panic!("{name} is not installed: `make test` installs it, or apt-get install {package}"),
    }
}

/// Ends with success, and says this.
async fn said(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = ended(command).await;
    let said = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&stderr));
    said
}

async fn ended(command: &mut Command) -> Output {
    soon(command.stdin(Stdio::null()).kill_on_drop(true).output()).await.expect("it runs")
}

fn curl() -> Command {
    let mut curl = program("curl", "curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--path-as-is"]);
    curl
}

#[tokio::test]
async fn curl_lists_and_reads_and_puts_nothing() {
    let server = serve_only(dav(&Torrent::new(BOX)));
    let url = |path: &str| format!("{}{path}", server.url());
    let list = said(curl().args(["--fail", "-X", "PROPFIND", "-H", "Depth: 1"]).arg(url("Show/"))).await;
    assert_eq!(list.matches("<D:response>").count(), 5, "{list}");
    let scratch = TempDir::new().expect("there is room");
    let part = scratch.path().join("part");
    said(
        curl()
            .args(["--fail", "-r", "1000-1999,5000-"])
            .arg("-o")
            .arg(&part)
            .arg(url("Show/One%20%231%20100%25%3F.mkv")),
    )
    .await;
    let read = std::fs::read(&part).expect("it was written");
    assert!(read.windows(1000).any(|window| window == bytes(0, 1000..2000)));
    assert!(read.windows(295_000).any(|window| window == bytes(0, 5000..300_000)));
    // Larger than what is read of it before it is refused.
    let large = scratch.path().join("large");
    std::fs::write(&large, vec![0; 3_000_000]).expect("there is room");
    let refused = said(curl().args(["-w", "%{http_code}", "-T"]).arg(&large).arg(url("Show/large"))).await;
    assert_eq!(refused, "This folder can be read, and that is all.\n405");
}

/// What cadaver says when these lines are typed.
async fn cadaver(server: &Server, home: &Path, lines: &str) -> String {
    let mut cadaver = program("cadaver", "cadaver");
    // A configuration of its own, and none of the user's.
    cadaver.arg("--rcfile=/dev/null").arg(server.url()).env("HOME", home).current_dir(home);
    cadaver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut running = cadaver.spawn().expect("it runs");
    let mut typed = running.stdin.take().expect("it is piped");
    typed.write_all(lines.as_bytes()).await.expect("it reads");
    drop(typed);
    let output = soon(running.wait_with_output()).await.expect("it ends");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test]
async fn cadaver_finds_its_way_and_fetches_a_file() {
    let server = serve_only(dav(&Torrent::new(BOX)));
    let home = TempDir::new().expect("there is room");
    let said = cadaver(
        &server,
        home.path(),
        "ls\ncd Show\nls\ncd Subs\nget \"One & <b>.srt\"\ndelete \"One & <b>.srt\"\nquit\n",
    )
    .await;
    assert!(said.contains("Coll:   Show"), "{said}");
    assert!(said.contains("One #1 100%?.mkv") && said.contains("300000"), "{said}");
    assert_eq!(std::fs::read(home.path().join("One & <b>.srt")).expect(&said), bytes(2, 0..50));
    assert!(said.contains("405 Method Not Allowed"), "{said}");
}

/// As root: who is not asks `sudo`, as tests/install.sh does.
fn as_root(command: Command) -> Command {
    if rustix::process::geteuid().is_root() {
        return command;
    }
    let mut sudo = program("sudo", "sudo");
    sudo.arg("-n").arg(command.as_std().get_program());
    sudo
}

/// A mounted folder, that is unmounted whatever happens.
struct Mounted(TempDir);

impl Drop for Mounted {
    fn drop(&mut self) {
        let mut unmount = as_root(Command::new("umount"));
        let _ = unmount.as_std_mut().arg("-l").arg(self.0.path()).stderr(Stdio::null()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn davfs2_mounts_it_and_every_program_can_read_it() {
    let torrent = Torrent::new(BOX);
    let server = serve_only(dav(&torrent));
    let scratch = TempDir::new().expect("there is room");
    let settings = scratch.path().join("davfs2.conf");
    let cache = scratch.path().join("cache");
    std::fs::create_dir(&cache).expect("there is room");
    // It is a user of its own who keeps the cache.
    for (folder, mode) in [(scratch.path(), 0o755), (&cache, 0o777)] {
        std::fs::set_permissions(folder, Permissions::from_mode(mode)).expect("it is ours");
    }
    // Newer kernels read folders in steps of more than davfs2's usual 16 KiB, and davfs2 calls that an invalid argument.
    std::fs::write(
        &settings,
        format!("ask_auth 0\nuse_locks 0\nbuf_size 256\ncache_dir {}\n", cache.display()),
    )
    .expect("there is room");
    let mounted = Mounted(TempDir::new().expect("there is room"));
    let at = mounted.0.path().to_owned();
    let mut mount = as_root(program("mount.davfs", "davfs2"));
    let options = format!("ro,conf={}", settings.display());
    said(mount.arg(server.url()).arg(&at).args(["-o", &options])).await;

    let listed = said(Command::new("find").arg(&at).args(["-type", "f", "-size", "-10000"])).await;
    for (path, _) in BOX {
        assert!(listed.contains(path), "{path} is not in\n{listed}");
    }
    for (index, (path, length)) in BOX.iter().enumerate() {
        let read = ended(Command::new("cat").arg(at.join(path))).await;
        assert!(read.status.success() && read.stdout == bytes(index, 0..*length), "{path}: {read:?}");
    }
    let changed = ended(Command::new("touch").arg(at.join("Show/new"))).await;
    assert!(!changed.status.success());
    said(as_root(Command::new("umount")).arg(&at)).await;
}
