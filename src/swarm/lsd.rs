//! Finds peers on the local network (BEP 14): librqbit's, wrapped so that its failures are told.
//! It lists the network's interfaces once, at start, and makes its own socket: it has to join multicast groups.

use futures_util::StreamExt;
use librqbit_core::Id20;
use librqbit_lsd::{LocalServiceDiscovery, LocalServiceDiscoveryOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::discovery::{Failure, Outcome, Reporter, Stage, WhyOff, stopping};
use super::tracker::Identity;

/// Announces and listens until told to stop.
pub(super) async fn run(identity: Identity, reporter: Reporter, mut stage: watch::Receiver<Stage>) {
    tokio::select! {
        () = stopping(&mut stage, Stage::Private) => {
            let private = *stage.borrow() == Stage::Private;
            reporter.off(if private { WhyOff::Private } else { WhyOff::Stopped });
        }
        () = listen(identity, &reporter) => {}
    }
}

async fn listen(identity: Identity, reporter: &Reporter) {
    // Ends librqbit's tasks with ours.
    let cancel_token = CancellationToken::new();
    let _guard = cancel_token.clone().drop_guard();
    reporter.asking();
    let options = LocalServiceDiscoveryOptions { cancel_token, ..Default::default() };
    let discovery = match LocalServiceDiscovery::new(options).await {
        Ok(discovery) => discovery,
        Err(error) => {
            reporter.ended(Outcome::Failed(Failure::Unreachable(format!("{error:#}"))));
            reporter.off(WhyOff::Hopeless);
            return std::future::pending().await;
        }
    };
    reporter.listening();
    let mut found = discovery.announce(Id20::new(identity.info_hash.0), Some(identity.port));
    while let Some(address) = found.next().await {
        reporter.found([address]).await;
    }
}
