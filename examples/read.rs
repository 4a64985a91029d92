//! peerflix as a library: lists a torrent's files, and copies one of them to standard output while it downloads.
//!
//!     cargo run --example read -- 'magnet:?xt=urn:btih:…'             what is in it
//!     cargo run --example read -- 'magnet:?xt=urn:btih:…' 2 > file    file 2 of it

use std::sync::Arc;

use anyhow::Context;
use peerflix::net::{Network, NetworkConfig};
use peerflix::source;
use peerflix::torrent::{Options, Torrent};
use peerflix::units::ByteSize;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let typed = arguments.next().context("usage: read TORRENT [INDEX]")?;
    let index: Option<usize> =
        arguments.next().map(|index| index.parse()).transpose().context("INDEX is no number")?;

    // Only what is read is to be fetched.
    let options = Options { background: false, ..Options::default() };
    let net = Arc::new(Network::new(NetworkConfig::default())?);
    let source = source::resolve(&typed, &net, &options.metadata_cache()).await?;
    let torrent = Torrent::open(source, options, net).await?;

    // Waits until peers have sent the metadata, where a magnet needs it.
    let files = torrent.files().await?;
    let copied = match index {
        None => {
            for (index, file) in files.files.iter().enumerate() {
                println!("{index:4}  {:>10}  {}", ByteSize(file.length).to_string(), file.path);
            }
            Ok(())
        }
        Some(index) => copy(&torrent, index).await,
    };
    torrent.close().await;
    copied
}

async fn copy(torrent: &Torrent, index: usize) -> anyhow::Result<()> {
    // A reader is tokio's AsyncRead and AsyncSeek; the swarm fetches what it will read next.
    let mut reader = torrent.reader(index).context("there is no such file")?;
    let bytes = tokio::io::copy(&mut reader, &mut tokio::io::stdout()).await?;
    let statistics = torrent.statistics();
    eprintln!("{} from {} peers", ByteSize(bytes), statistics.peers);
    Ok(())
}
