//! A reader who waits: a page that is there soon comes as it is; after that, its headers come, and then what it waits for, until it
//! is there. Nothing of this needs scripts.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, unfold};
use hyper::StatusCode;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::links::escaped;
use super::own;
use crate::http::{Given, Reply};
use crate::read::ReadError;

/// How long what is waited for. Since the request, but for `tick` and `retry`.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// What is there by then comes with everything that is known of it.
    pub moment: Duration,
    /// From then on the reader sees what it waits for.
    pub silence: Duration,
    /// So often, the reader sees how it stands.
    pub tick: Duration,
    /// From then on, it is told why there is nothing, and begins anew.
    pub most: Duration,
    /// After so long.
    pub retry: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            moment: Duration::from_millis(300),
            silence: Duration::from_secs(2),
            tick: Duration::from_secs(1),
            most: Duration::from_secs(60),
            retry: Duration::from_secs(5),
        }
    }
}

/// What is waited for, in words.
pub struct Wanted {
    /// "Paris"
    pub what: String,
    /// A sentence on how it stands.
    pub told: Box<dyn Fn() -> String + Send>,
}

/// The answer, or its beginning. `known` says that the answer will be a page: headers need not wait for more.
pub async fn patiently(
    work: BoxFuture<'static, Reply>,
    known: oneshot::Receiver<()>,
    wanted: Wanted,
    patience: Patience,
) -> Reply {
    let started = Instant::now();
    let mut work = work;
    tokio::select! {
        biased;
        reply = &mut work => return reply,
        () = sleep(patience.moment) => {}
    }
    tokio::select! {
        biased;
        reply = &mut work => return reply,
        Ok(()) = known => {}
        () = sleep(patience.silence.saturating_sub(started.elapsed())) => {}
    }
    let waiting = Waiting { work, wanted, patience, started, stage: Stage::Silent };
    let mut reply = own::guarded(Reply::streamed(StatusCode::OK, own::HTML, waiting.pieces()));
    own::vary(&mut reply.headers);
    reply
}

struct Waiting {
    work: BoxFuture<'static, Reply>,
    wanted: Wanted,
    patience: Patience,
    started: Instant,
    stage: Stage,
}

enum Stage {
    /// Nothing has been sent: the page may still come as it is.
    Silent,
    /// The reader sees what it waits for.
    Telling,
    Over,
}

/// Begins anew, after so many seconds.
fn again(seconds: u64) -> String {
    format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n</main>\n</html>\n")
}

impl Waiting {
    fn pieces(self) -> impl Stream<Item = Result<Bytes, ReadError>> + Send {
        unfold(self, |mut waiting| async move {
            let piece = match waiting.stage {
                Stage::Silent => waiting.in_silence().await,
                Stage::Telling => waiting.telling().await,
                Stage::Over => return None,
            };
            Some((Ok(piece), waiting))
        })
    }

    async fn in_silence(&mut self) -> Bytes {
        let left = self.patience.silence.saturating_sub(self.started.elapsed());
        tokio::select! {
            biased;
            reply = &mut self.work => {
                self.stage = Stage::Over;
                match reply.content {
                    Given::Text(page) if !page.is_empty() => page,
                    // What is no page is asked for again; it is there now.
                    _ => (own::head(&self.wanted.what) + &again(0)).into(),
                }
            }
            () = sleep(left) => {
                self.stage = Stage::Telling;
                (self.beginning() + &self.line()).into()
            }
        }
    }

    async fn telling(&mut self) -> Bytes {
        let left = self.patience.most.saturating_sub(self.started.elapsed());
        let retry = self.patience.retry.as_secs();
        tokio::select! {
            biased;
            reply = &mut self.work => {
                self.stage = Stage::Over;
                match reply.status.is_server_error() {
                    true => {
                        let sorry = "<p>It could not be had. It is tried again.</p>\n";
                        (sorry.to_owned() + &again(retry)).into()
                    }
                    false => again(0).into(),
                }
            }
            () = sleep(left) => {
                self.stage = Stage::Over;
                let told = escaped(&(self.wanted.told)());
                let why = format!("<p>It has not come in {}. {told} It is tried again.</p>\n", lasting(self.patience.most));
                (why + &again(retry)).into()
            }
            () = sleep(self.patience.tick.min(left)) => self.line().into(),
        }
    }

    fn beginning(&self) -> String {
        let what = escaped(&self.wanted.what);
        format!(
            "{}<h1>{what} is on its way</h1>\n\
             <p class=\"soft\">It is fetched from the swarm piece by piece, and shown as soon as it is there.</p>\n",
            own::head(&format!("{} is on its way", self.wanted.what))
        )
    }

    /// How it stands. Of all such lines, only the last is shown.
    fn line(&self) -> String {
        let seconds = self.started.elapsed().as_secs();
        let told = escaped(&(self.wanted.told)());
        format!("<p class=\"now\">{told} <small>{seconds} s</small></p>\n")
    }
}

fn lasting(time: Duration) -> String {
    match time.as_secs() {
        60 => "a minute".to_owned(),
        1 => "a second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::{FutureExt, StreamExt};

    use super::*;

    const NEVER: Duration = Duration::from_secs(1_000_000);
    const PAGE: &str = "<p>the page";

    fn endless() -> Patience {
        Patience { moment: NEVER, silence: NEVER, tick: NEVER, most: NEVER, retry: Duration::from_secs(5) }
    }

    fn wanted() -> Wanted {
        Wanted { what: "A & B".to_owned(), told: Box::new(|| "Nobody <has> it.".to_owned()) }
    }

    fn page() -> Reply {
        own::reply(StatusCode::OK, PAGE.to_owned())
    }

    async fn text(reply: Reply) -> Vec<String> {
        let Given::Made(pieces) = reply.content else { panic!("it is not streamed") };
        pieces.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap()).collect().await
    }

    #[tokio::test]
    async fn what_is_there_comes_as_it_is() {
        let (_, known) = oneshot::channel();
        let reply = patiently(ready(page()).boxed(), known, wanted(), endless()).await;
        assert!(matches!(reply.content, Given::Text(text) if text == PAGE));
    }

    #[tokio::test]
    async fn a_page_that_is_known_has_its_headers_and_then_itself() {
        let (tell, known) = oneshot::channel();
        let (come, work) = oneshot::channel();
        tell.send(()).unwrap();
        let patience = Patience { moment: Duration::ZERO, ..endless() };
        let work = async { work.await.unwrap() };
        let reply = patiently(work.boxed(), known, wanted(), patience).await;
        assert_eq!(
            (reply.status, reply.headers["cache-control"].to_str().unwrap()),
            (StatusCode::OK, "no-store")
        );
        assert!(come.send(page()).is_ok());
        assert_eq!(text(reply).await, [PAGE]);
    }

    #[tokio::test]
    async fn what_turns_out_to_be_no_page_is_asked_for_again() {
        let (tell, known) = oneshot::channel();
        let (come, work) = oneshot::channel();
        tell.send(()).unwrap();
        let patience = Patience { moment: Duration::ZERO, ..endless() };
        let reply = patiently(async { work.await.unwrap() }.boxed(), known, wanted(), patience).await;
        assert!(come.send(own::redirect("/x")).is_ok());
        assert!(text(reply).await.concat().contains("http-equiv=\"refresh\" content=\"0\""));
    }

    #[tokio::test]
    async fn who_waits_sees_what_for_until_it_is_there() {
        let (_, known) = oneshot::channel();
        let (come, work) = oneshot::channel();
        let patience = Patience { moment: Duration::ZERO, silence: Duration::ZERO, ..endless() };
        let reply = patiently(async { work.await.unwrap() }.boxed(), known, wanted(), patience).await;
        let Given::Made(mut pieces) = reply.content else { panic!("it is not streamed") };
        let first = String::from_utf8(pieces.next().await.unwrap().unwrap().to_vec()).unwrap();
        assert!(first.contains("A &amp; B is on its way") && first.contains("Nobody &lt;has&gt; it."));
        assert!(come.send(page()).is_ok());
        let last = pieces.next().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&last).contains("content=\"0\""));
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn what_does_not_come_says_why_and_is_tried_again() {
        let (_, known) = oneshot::channel();
        let zero = Duration::ZERO;
        let patience = Patience { moment: zero, silence: zero, most: zero, ..endless() };
        let pieces = text(patiently(pending().boxed(), known, wanted(), patience).await).await;
        assert_eq!(pieces.len(), 2);
        assert!(pieces[1].contains("Nobody &lt;has&gt; it.") && pieces[1].contains("content=\"5\""));
    }

    #[tokio::test]
    async fn a_failure_is_not_asked_for_again_at_once() {
        let (_, known) = oneshot::channel();
        let (come, work) = oneshot::channel();
        let patience = Patience { moment: Duration::ZERO, silence: Duration::ZERO, ..endless() };
        let reply = patiently(async { work.await.unwrap() }.boxed(), known, wanted(), patience).await;
        let Given::Made(mut pieces) = reply.content else { panic!("it is not streamed") };
        assert!(pieces.next().await.is_some());
        assert!(come.send(own::reply(StatusCode::SERVICE_UNAVAILABLE, PAGE.to_owned())).is_ok());
        let last = pieces.next().await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&last).contains("content=\"5\""));
    }
}
