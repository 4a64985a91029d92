//! Pages that are not there yet: the browser gets the headers at once, and if it takes long, a page that says what is waited for, and
//! loads itself anew when that has come. No scripts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::{self, Stream};
use hyper::StatusCode;
use quick_xml::escape::escape;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep};

use super::html::{HTML, TAIL, dressed, head, size};
use crate::http::Reply;
use crate::read::ReadError;
use crate::wiki::library::Book;
use crate::wiki::zim::ZimError;

/// How long a browser waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A page that takes longer is shown as waited for.
    pub quiet: Duration,
    /// A page that takes longer is given up, and tried again.
    pub most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { quiet: Duration::from_secs(2), most: Duration::from_secs(60) }
    }
}

/// Nothing is said oftener.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// What a page becomes: its bytes; `None` where it turns out to be something else (not there, a redirect), which is answered when the browser asks again.
pub type Coming = BoxFuture<'static, Result<Option<Bytes>, ZimError>>;

/// An answer about a page that is on its way, called `title`. Not to be kept by the browser: it may be the page, or the tale of it.
pub fn reply(book: Arc<Book>, title: String, coming: Coming, patience: Patience) -> Reply {
    dressed_as_content(Reply::streamed(StatusCode::OK, HTML, pieces(book, title, coming, patience)))
}

/// The policy of a book's pages: this may become one.
fn dressed_as_content(reply: Reply) -> Reply {
    let mut reply = dressed(reply);
    super::content::guard(&mut reply.headers);
    reply
}

fn pieces(
    book: Arc<Book>,
    title: String,
    coming: Coming,
    patience: Patience,
) -> impl Stream<Item = Result<Bytes, ReadError>> + Send + 'static {
    let (to, from) = mpsc::channel(4);
    tokio::spawn(async move {
        let gone = to.clone();
        let tell = tell(&book, &title, coming, patience, &to);
        // The browser has left: nobody waits for the page any more.
        let left = gone.closed();
        let _ = select(Box::pin(tell), Box::pin(left)).await;
    });
    stream::unfold(from, |mut from| async { from.recv().await.map(|piece| (Ok(piece), from)) })
}

/// `None`: the browser has left.
async fn tell(
    book: &Book,
    title: &str,
    coming: Coming,
    patience: Patience,
    to: &mpsc::Sender<Bytes>,
) -> Option<()> {
    let say = async |text: String| to.send(text.into()).await.ok();
    let mut coming = match select(coming, Box::pin(sleep(patience.quiet))).await {
        Either::Left((Ok(Some(page)), _)) => {
            return if page.is_empty() { Some(()) } else { to.send(page).await.ok() };
        }
        Either::Left((other, _)) => {
            say(head(title)).await?;
            return say(end(other.map(drop))).await;
        }
        Either::Right(((), coming)) => coming,
    };
    let began = Instant::now();
    say(format!(
        "{}<p>This page is on its way. It shows itself when it is here.</p>\n<ul class=\"quiet\">\n",
        head(title)
    ))
    .await?;
    let mut lines = interval_at(began, LINE_EVERY);
    let mut last = String::new();
    loop {
        tokio::select! {
            came = &mut coming => return say(format!("</ul>{}", end(came.map(drop)))).await,
            _ = lines.tick() => {
                let line = line(book);
                if began.elapsed() >= patience.most {
                    return say(format!("</ul>{}", given_up(patience.most, &line))).await;
                }
                if line != last {
                    let seconds = (patience.quiet + began.elapsed()).as_secs();
                    say(format!("<li>{seconds} s: {}</li>\n", escape(&line))).await?;
                    last = line;
                }
            }
        }
    }
}

/// What is going on, in a sentence or two.
pub fn line(book: &Book) -> String {
    let waits = book.archive.waits();
    let sentence = book.activity.sentence();
    match waits.reads {
        0 => sentence,
        1 => format!("one read waits for {}; {sentence}", size(waits.bytes)),
        reads => format!("{reads} reads wait for {} in all; {sentence}", size(waits.bytes)),
    }
}

/// It is loaded again, and is then answered from what is there.
fn end(came: Result<(), ZimError>) -> String {
    match came {
        Ok(()) => format!("<p>It is here.</p><meta http-equiv=\"refresh\" content=\"0\">{TAIL}"),
        Err(error @ ZimError::Read(_)) => {
            format!(
                "<p>It did not come: {}. Trying again.</p><meta http-equiv=\"refresh\" content=\"5\">{TAIL}",
                escape(&error.to_string())
            )
        }
        Err(error) => format!("<p>It cannot be shown: {}.</p>{TAIL}", escape(&error.to_string())),
    }
}

fn given_up(after: Duration, line: &str) -> String {
    format!(
        "<p>It has not come within {} seconds: {}. Trying again.</p><meta http-equiv=\"refresh\" content=\"3\">{TAIL}",
        after.as_secs(),
        escape(line.trim_end_matches('.'))
    )
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::future::{pending, ready};

    use super::*;
    use crate::read::Statistics;
    use crate::wiki::archive::Archive;
    use crate::wiki::library::{Activity, Library};

    struct Two;

    impl Activity for Two {
        fn statistics(&self) -> Statistics {
            Statistics::default()
        }

        fn sentence(&self) -> String {
            "Looking for <peers>.".to_owned()
        }
    }

    async fn told(coming: Coming, quiet: Duration, most: Duration) -> String {
        let book = Library::default().add("b.zim", Archive::new(Vec::new()), Arc::new(Two));
        let pieces = pieces(book, "Paris & more".to_owned(), coming, Patience { quiet, most });
        let all: Vec<_> = pieces.map(|piece| piece.expect("it is told")).collect().await;
        String::from_utf8(all.concat()).expect("it is text")
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_page_that_comes_soon_is_the_page() {
        let coming = Box::pin(ready(Ok(Some(Bytes::from_static(b"<p>Paris")))));
        assert_eq!(told(coming, LONG, LONG).await, "<p>Paris");
    }

    #[tokio::test]
    async fn one_that_takes_long_is_told_of_and_loads_itself() {
        let book = Library::default().add("b.zim", Archive::new(Vec::new()), Arc::new(Two));
        let (sent, come) = tokio::sync::oneshot::channel();
        let coming = Box::pin(async move {
            let _ = come.await;
            Ok(Some(Bytes::from_static(b"never seen")))
        });
        let patience = Patience { quiet: Duration::ZERO, most: LONG };
        let mut pieces = Box::pin(pieces(book, "Paris & more".to_owned(), coming, patience));
        let first = pieces.next().await.expect("it is told of").expect("it is told");
        let _ = sent.send(());
        let rest: Vec<_> = pieces.map(|piece| piece.expect("it is told")).collect().await;
        let page = [first, rest.concat().into()].concat();
        let page = String::from_utf8(page).expect("it is text");
        assert!(page.contains("<title>Paris &amp; more</title>") && page.contains("on its way"), "{page}");
        assert!(page.contains("content=\"0\"") && !page.contains("never seen"), "{page}");
    }

    #[tokio::test]
    async fn one_that_does_not_come_says_why_and_tries_again() {
        let page = told(Box::pin(pending()), Duration::ZERO, Duration::ZERO).await;
        assert!(page.contains("has not come within 0 seconds: Looking for &lt;peers&gt;."), "{page}");
        assert!(page.contains("http-equiv=\"refresh\" content=\"3\""), "{page}");
    }

    #[tokio::test]
    async fn one_that_is_broken_says_so_and_stays() {
        let coming = Box::pin(ready(Err(ZimError::Broken("cluster 3 is torn".to_owned()))));
        let page = told(coming, LONG, LONG).await;
        assert!(page.contains("cluster 3 is torn") && !page.contains("refresh"), "{page}");
    }
}
