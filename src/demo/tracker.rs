//! The demo's tracker: answers every announce with the seeds' addresses (BEP 3, compact as in BEP 23). It remembers
//! nobody.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;

use crate::net::Network;

/// Seconds between two announces of a client.
const INTERVAL: u32 = 60;

pub(super) struct Tracker {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Tracker {
    /// Listens on any free port of loopback.
    pub(super) fn start(net: &Network, seeds: Vec<SocketAddr>) -> io::Result<Tracker> {
        let listener = net.tcp_listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = listener.local_addr()?;
        let answer: Arc<[u8]> = answer(&seeds).into();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                    let response = respond(request.uri().path(), &answer);
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::spawn(async move {
                    // A client that goes away in the middle is no concern of a demo's.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Tracker { address, task })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    pub(super) fn close(&self) {
        self.task.abort();
    }
}

fn respond(path: &str, answer: &[u8]) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.to_vec()));
    if path != "/announce" {
        *response.body_mut() = Full::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// The bencoded answer: the seeds, six bytes each.
fn answer(seeds: &[SocketAddr]) -> Vec<u8> {
    let mut peers = Vec::new();
    for seed in seeds {
        if let IpAddr::V4(ip) = seed.ip() {
            peers.extend_from_slice(&ip.octets());
            peers.extend_from_slice(&seed.port().to_be_bytes());
        }
    }
    let mut answer =
        format!("d8:completei{}e8:intervali{INTERVAL}e5:peers{}:", seeds.len(), peers.len()).into_bytes();
    answer.extend_from_slice(&peers);
    answer.push(b'e');
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_the_seeds_six_bytes_each() {
        let answer = answer(&["127.0.0.1:258".parse().expect("an address")]);
        assert_eq!(answer, b"d8:completei1e8:intervali60e5:peers6:\x7f\x00\x00\x01\x01\x02e");
    }

    #[test]
    fn it_answers_announces_only() {
        assert_eq!(respond("/announce", b"de").status(), StatusCode::OK);
        assert_eq!(respond("/", b"de").status(), StatusCode::NOT_FOUND);
    }
}
