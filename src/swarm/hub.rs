//! The swarm's one task beside those of its peers: dials candidates, accepts those who dial us, ends all at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::SwarmEvent;
use super::connection;
use super::listener::Listener;
use super::shared::Shared;

/// For connections to end by themselves, before they are cut.
const GRACE: Duration = Duration::from_millis(300);

pub(super) async fn run(shared: Arc<Shared>, mut listener: Listener, events: mpsc::Sender<SwarmEvent>) {
    let mut tasks = JoinSet::new();
    // Those who leave at the end make room for nobody.
    while !shared.cancel.is_cancelled() {
        while let Some(candidate) = shared.next_candidate() {
            tasks.spawn(connection::dial(shared.clone(), events.clone(), candidate));
        }
        shared.make_room();
        let due_at = shared.next_dial_at();
        tokio::select! {
            () = shared.cancel.cancelled() => break,
            (stream, address) = listener.next() => {
                if shared.may_come(address) {
                    tasks.spawn(connection::accept(shared.clone(), events.clone(), stream, address));
                }
            }
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a peer's task failed");
                }
            }
            () = shared.wake.notified() => {}
            () = async { sleep_until(due_at.unwrap_or_else(tokio::time::Instant::now)).await }, if due_at.is_some() => {}
        }
    }
    drop(listener);
    let _ = timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
    shared.closed.cancel();
}
