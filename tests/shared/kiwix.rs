//! kiwix-serve, started on ZIM files of the disk, and any such site asked over HTTP.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// When kiwix-serve does not listen after this long, it never will.
const PATIENCE: Duration = Duration::from_secs(40);

/// A kiwix-serve that runs, and shows pages without its toolbar unless told otherwise.
pub struct Kiwix {
    child: Child,
    port: u16,
}

impl Kiwix {
    pub fn serving(zim: &Path, more: &[&str]) -> Kiwix {
        // It cannot be told to take any port. Another program may take this one first: then another try.
        for _ in 0..5 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .and_then(|free| free.local_addr())
                .expect("a free port on loopback")
                .port();
            let mut child = Command::new("kiwix-serve")
                // It goes with this process, however that ends.
                .args([
                    "--address=127.0.0.1",
                    &format!("--port={port}"),
                    &format!("--attachToProcess={}", std::process::id()),
                ])
                .args(more)
                .arg(zim)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect(
                    "kiwix-serve is not installed: `make test` installs it, or apt-get install kiwix-tools",
                );
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE && child.try_wait().is_ok_and(|ended| ended.is_none()) {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    return Kiwix { child, port };
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        panic!("kiwix-serve does not serve {}", zim.display());
    }

    /// `http://127.0.0.1:PORT`, without a slash.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Kiwix {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a site said.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// `Content-Type`.
    pub kind: String,
    /// `Location`.
    pub location: String,
    pub body: Vec<u8>,
}

/// Asks sites, and follows no redirect.
pub struct Visitor {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Visitor {
    pub fn new() -> Visitor {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        // A proxy of the environment has no business on loopback.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Visitor { client: client.build().expect("a client"), runtime }
    }

    pub fn ask(&self, url: &str) -> Answer {
        self.ask_with(url, &[])
    }

    pub fn ask_with(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(self.client.get(url), |request, (name, value)| request.header(*name, *value));
        let answer = self.runtime.block_on(async {
            let answer = request.send().await?;
            let said = |name: &str| {
                let value = answer.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
                value.unwrap_or_default().into_owned()
            };
            let (status, kind, location) = (answer.status().as_u16(), said("content-type"), said("location"));
            Ok(Answer { status, kind, location, body: answer.bytes().await?.to_vec() })
        });
        answer.unwrap_or_else(|error: reqwest::Error| panic!("{url}: {error}"))
    }
}

/// A path as it stands in a URL: everything that may mean something there is encoded, slashes are not.
pub fn encode_path(path: &str) -> String {
    path.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(byte as char)
            }
            _ => write!(encoded, "%{byte:02X}").expect("into memory"),
        }
        encoded
    })
}
