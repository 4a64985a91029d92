//! A torrent that is still on its way: the HTTP server listens before anybody knows what it will serve.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::read::{Contents, Files, ReadAt, ReadError, Statistics};

/// The contents of something that comes later. Cheap to clone; all clones become the same thing.
#[derive(Clone)]
pub struct Late(Arc<watch::Sender<Option<Outcome>>>);

type Outcome = Result<Arc<dyn Contents>, ReadError>;

impl Default for Late {
    fn default() -> Self {
        Late(Arc::new(watch::Sender::new(None)))
    }
}

impl Late {
    /// What everybody waits for has come. The first call counts.
    pub fn fill(&self, contents: Arc<dyn Contents>) {
        self.settle(Ok(contents));
    }

    /// It will never come. The first call counts.
    pub fn fail(&self, error: ReadError) {
        self.settle(Err(error));
    }

    fn settle(&self, outcome: Outcome) {
        self.0.send_if_modified(|slot| {
            let first = slot.is_none();
            if first {
                *slot = Some(outcome);
            }
            first
        });
    }

    fn now(&self) -> Option<Arc<dyn Contents>> {
        self.0.borrow().as_ref()?.as_ref().ok().cloned()
    }
}

impl Contents for Late {
    fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
        let mut outcome = self.0.subscribe();
        Box::pin(async move {
            let there = match outcome.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(Ok(contents))) => contents.clone(),
                Ok(Some(Err(error))) => return Err(error.clone()),
                // The sender lives as long as `self`.
                Ok(None) | Err(_) => return Err(ReadError::Closed),
            };
            there.files().await
        })
    }

    fn open(&self, index: usize) -> Option<Box<dyn ReadAt>> {
        self.now()?.open(index)
    }

    fn statistics(&self) -> Statistics {
        self.now().map(|contents| contents.statistics()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Contents for Nothing {
        fn files(&self) -> BoxFuture<'_, Result<Arc<Files>, ReadError>> {
            let files = Files::new("", "nothing", Vec::new(), Vec::new());
            Box::pin(async move { Ok(Arc::new(files)) })
        }

        fn open(&self, _: usize) -> Option<Box<dyn ReadAt>> {
            None
        }

        fn statistics(&self) -> Statistics {
            Statistics { peers: 7, ..Statistics::default() }
        }
    }

    #[tokio::test]
    async fn who_comes_early_waits_for_the_files() {
        let late = Late::default();
        assert_eq!(late.statistics().peers, 0);
        let early = tokio::spawn({
            let late = late.clone();
            async move { late.files().await }
        });
        late.fill(Arc::new(Nothing));
        assert_eq!(early.await.expect("ran").expect("came").name, "nothing");
        assert_eq!(late.statistics().peers, 7);
    }

    #[tokio::test]
    async fn what_never_comes_is_an_error_for_all_and_final() {
        let late = Late::default();
        late.fail(ReadError::NotOpened("not a torrent".into()));
        late.fill(Arc::new(Nothing));
        assert!(matches!(late.files().await, Err(ReadError::NotOpened(_))));
        assert!(late.open(0).is_none());
    }
}
