//! A seed that is another program's: a session of librqbit's on loopback that speaks to nobody by itself. Shared by the tests
//! of the engine and of the program.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use librqbit::{AddTorrent, AddTorrentOptions, ListenerMode, ListenerOptions, Session, SessionOptions};

/// Has hashed all of the torrent that lies in `folder` when it comes back.
pub async fn start(folder: &Path, torrent: Bytes) -> Arc<Session> {
    let listen = ListenerOptions {
        mode: ListenerMode::TcpOnly,
        listen_addr: (Ipv4Addr::LOCALHOST, 0).into(),
        ipv4_only: true,
        ..Default::default()
    };
    let options = SessionOptions {
        dht: None,
        persistence: None,
        disable_trackers: true,
        disable_local_service_discovery: true,
        listen: Some(listen),
        ipv4_only: true,
        ..Default::default()
    };
    let session = Session::new_with_opts(folder.to_owned(), options).await.expect("a session");
    let options = AddTorrentOptions {
        overwrite: true,
        output_folder: Some(folder.to_string_lossy().into_owned()),
        ..Default::default()
    };
    let added = session.add_torrent(AddTorrent::from_bytes(torrent), Some(options)).await;
    let handle = added.expect("added").into_handle().expect("a handle");
    handle.wait_until_initialized().await.expect("hashed");
    assert!(handle.stats().finished, "the seed has not all of it");
    session
}

/// Where it is dialled.
pub fn address(session: &Session) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, session.listen_addr().expect("it listens").port()).into()
}
