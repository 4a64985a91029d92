//! `peerflix wiki TORRENT...`: from what was typed to a web site, and to its end.

mod activity;
mod local;
mod pins;
mod zims;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::activity::OfTorrent;
use self::local::{Local, LocalError, OnDisk};
use self::pins::{Notes, Pins};
use self::zims::{none_of, zims};
use super::ending::Ending;
use super::exit::{Exit, Failure, OrExit};
use super::session::{Attended, Session};
use super::side_by_side::{Opened, open_all, options_of_equals, style};
use super::telling::Teller;
use super::watch::tell_end;
use crate::cli::Wiki;
use crate::events::{self, Event};
use crate::http;
use crate::read::{Files, ReadError};
use crate::torrent::{Options, Torrent};
use crate::wiki::archive::{Archive, Part, TorrentPart};
use crate::wiki::library::{Book, Library};
use crate::wiki::site::{Site, SiteConfig};
use crate::wiki::zim::ZimError;

/// How long the site is not told of before pinned articles are known again: all that takes is a look at the disk.
const RECALLING: Duration = Duration::from_secs(2);

/// RFC 3986, unreserved.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) async fn wiki(flags: &Wiki, ending: Ending) -> Result<Exit, Failure> {
    let teller = Teller::new(flags.json);
    let (done, teller) = match prepare(flags, teller.sibling(), ending) {
        Err(failure) => (Err(failure), teller),
        Ok((mut session, typed, options)) => {
            let done = show(&mut session, flags, typed, options).await;
            (done, session.close().await)
        }
    };
    tell_end(&teller, &done);
    done
}

/// What was typed, sorted.
struct Typed {
    torrents: Vec<String>,
    files: Vec<Local>,
}

fn prepare(flags: &Wiki, teller: Teller, ending: Ending) -> Result<(Session, Typed, Options), Failure> {
    let typed = sort(&flags.torrents)?;
    // Which of a torrent's files are books is known later than the torrent: so is what `--all` means.
    let options = options_of_equals(&flags.swarm, &flags.storage, flags.trace.clone(), false)?;
    let style = style(flags.json, flags.quiet, flags.verbose);
    let mut session = Session::new(style, typed.torrents.len(), teller, ending)?;
    session.show_site();
    if flags.storage.remove {
        session.remove_at_end();
    }
    Ok((session, typed, options))
}

/// ZIM files on this computer, and all else, which must be torrents.
fn sort(typed: &[String]) -> Result<Typed, Failure> {
    let mut sorted = Typed { torrents: Vec::new(), files: Vec::new() };
    let whole = |local: &Local| local.path.canonicalize().unwrap_or_else(|_| local.path.clone());
    for typed in typed {
        match Local::find(typed) {
            Ok(None) => sorted.torrents.push(typed.clone()),
            Ok(Some(local)) => {
                if sorted.files.iter().any(|other| whole(other) == whole(&local)) {
                    let error = anyhow::anyhow!("{typed} is the same file as one before it");
                    return Err(error).or_exit(Exit::Usage);
                }
                sorted.files.push(local);
            }
            Err(error @ (LocalError::Missing(_) | LocalError::OnTheWeb(_))) => {
                return Err(error).or_exit(Exit::Source);
            }
            Err(error) => return Err(error).or_exit(Exit::Disk),
        }
    }
    Ok(sorted)
}

/// What happens while the site is there.
enum News {
    /// The files of a torrent are known, or never will be.
    Files { slot: usize, files: Result<Arc<Files>, ReadError> },
    /// What the user should be told.
    Said(String),
    /// A pattern of a book has been followed to its end.
    Pinned { book: String, pattern: String, articles: u64, failed: u64 },
}

/// Opens what was typed, shows it, and comes back when the end is asked for.
async fn show(session: &mut Session, flags: &Wiki, typed: Typed, options: Options) -> Result<Exit, Failure> {
    let opened = open_all(session, &typed.torrents, &options, !typed.files.is_empty()).await?;
    let Some(opened) = opened else { return Ok(Exit::Interrupted) };
    let (news, mut comes) = mpsc::unbounded_channel();
    let mut shown =
        Showing { flags, library: Library::default(), books: Vec::new(), tasks: JoinSet::new(), news };
    session.site_shown(shown.library.clone());
    let is_alone = typed.files.len() + opened.len() == 1;
    for local in typed.files {
        shown.add_local(session, local, is_alone).await?;
    }
    let mut failed = None;
    for (slot, one) in opened.iter().enumerate() {
        let added = match &one.files {
            Some(files) => shown.add_torrent(session, one, files),
            None => {
                shown.wait_for(slot, one);
                Ok(())
            }
        };
        match added {
            Err(failure) if is_alone => return Err(failure),
            Err(failure) => {
                session.do_without(one.index, &one.name, &failure);
                // It would go on to look for peers.
                one.torrent.close().await;
                failed = Some(failure);
            }
            Ok(()) => {}
        }
    }
    if let Some(failure) = failed.filter(|_| shown.is_empty()) {
        return Err(failure);
    }
    if session.attend(shown.recalled()).await == Attended::Ended {
        return Ok(Exit::Interrupted);
    }

    let site = Arc::new(Site::new(
        shown.library.clone(),
        SiteConfig { bar: !flags.site.no_bar, ..SiteConfig::default() },
    ));
    let net = session.net.clone();
    let serve = |config| http::serve_extended(None, site, config, |at| net.tcp_listen(at));
    let url = session.listen_with(&flags.server, serve).await?;
    tell(session, flags, &shown, &url);
    shown.keep_pins(0);
    if flags.site.open {
        session.open_url().await;
    }
    loop {
        match session.attend(comes.recv()).await {
            Attended::Ended => return Ok(Exit::Success),
            // Pages are picked in the browser.
            Attended::Picked(_) | Attended::Done(None) => {}
            Attended::Done(Some(News::Said(text))) => session.say(&text),
            Attended::Done(Some(News::Pinned { book, pattern, articles, failed })) => {
                session.teller.tell(&Event::Pinned { book, pattern, articles, failed });
            }
            Attended::Done(Some(News::Files { slot, files })) => {
                if let Some(one) = opened.get(slot) {
                    shown.arrived(session, one, files, &url).await?;
                }
            }
        }
    }
}

/// What is shown, as it grows.
struct Showing<'a> {
    flags: &'a Wiki,
    library: Library,
    books: Vec<Shown>,
    /// Their end is that of the site.
    tasks: JoinSet<()>,
    news: mpsc::UnboundedSender<News>,
}

/// A book of the library.
struct Shown {
    book: Arc<Book>,
    /// In its torrent, or on this computer.
    path: String,
    /// The number of its torrent, and what is remembered of that; `None`: it is a file on this computer.
    torrent: Option<(usize, Notes)>,
}

impl Showing<'_> {
    /// Nothing is shown, and nothing will be.
    fn is_empty(&self) -> bool {
        self.books.is_empty() && self.library.waiting().is_empty()
    }

    /// Of a file that is here, it can be told at once whether it is one.
    async fn add_local(
        &mut self,
        session: &mut Session,
        local: Local,
        is_alone: bool,
    ) -> Result<(), Failure> {
        let (path, name) = (local.path.display().to_string(), local.name());
        let archive = local.archive();
        if let Err(error) = crate::wiki::zim::Zim::open(archive.clone()).await {
            let error = anyhow::anyhow!("{path} cannot be read: {error}");
            if is_alone {
                return Err(error).or_exit(Exit::Source);
            }
            session.say(&format!("going on: {error}"));
        }
        let book = self.library.add(&name, archive, Arc::new(OnDisk));
        session.book_shown(book.clone(), None);
        self.books.push(Shown { book, path, torrent: None });
        Ok(())
    }

    /// A torrent whose files are known.
    fn add_torrent(&mut self, session: &mut Session, one: &Opened, files: &Files) -> Result<(), Failure> {
        let found = zims(&files.files);
        for complaint in &found.complaints {
            session.say(complaint);
        }
        if found.zims.is_empty() {
            return Err(anyhow::anyhow!(none_of(&files.files))).or_exit(Exit::Choice);
        }
        let notes = Notes::load(one.torrent.notes());
        for zim in &found.zims {
            let part = |&index: &usize| {
                let length = files.files.get(index).map_or(0, |file| file.length);
                let contents = Arc::new(one.torrent.clone());
                Box::new(TorrentPart { contents, index, length }) as Box<dyn Part>
            };
            let archive = Archive::new(zim.parts.iter().map(part).collect());
            let name = zim.path.rsplit('/').next().unwrap_or(&zim.path);
            let book = self.library.add(name, archive, Arc::new(OfTorrent(one.torrent.clone())));
            session.book_shown(book.clone(), Some(one.index));
            self.open_early(book.clone());
            let torrent = Some((one.index, notes.clone()));
            self.books.push(Shown { book, path: zim.path.clone(), torrent });
        }
        if self.flags.site.all {
            let parts: Vec<usize> = found.zims.iter().flat_map(|zim| zim.parts.iter().copied()).collect();
            one.torrent.fetch(&parts);
        }
        Ok(())
    }

    /// Reads the beginning of a book before anybody asks for a page of it.
    fn open_early(&mut self, book: Arc<Book>) {
        let news = self.news.clone();
        self.tasks.spawn(async move {
            let prepared = match book.zim().await {
                Ok(zim) => zim.prepare().await,
                Err(error) => Err(error),
            };
            match prepared {
                Ok(()) | Err(ZimError::Read(_)) => {}
                Err(error) => {
                    let _ = news.send(News::Said(format!("{} cannot be read: {error}", book.name)));
                }
            }
        });
    }

    /// A torrent whose files have to come from peers.
    fn wait_for(&mut self, slot: usize, one: &Opened) {
        self.library.wait_for(one.name.clone(), Arc::new(OfTorrent(one.torrent.clone())));
        let (torrent, news): (Torrent, _) = (one.torrent.clone(), self.news.clone());
        self.tasks.spawn(async move {
            let files = torrent.files().await;
            let _ = news.send(News::Files { slot, files });
        });
    }

    /// They have come, or never will.
    async fn arrived(
        &mut self,
        session: &mut Session,
        one: &Opened,
        files: Result<Arc<Files>, ReadError>,
        url: &str,
    ) -> Result<(), Failure> {
        self.library.waited(&one.name);
        let before = self.books.len();
        let added = match files {
            Ok(files) => self.add_torrent(session, one, &files),
            Err(error) => {
                Err(Failure { exit: super::report::exit_of_failed(&one.torrent), error: error.into() })
            }
        };
        match added {
            Err(failure) if self.is_empty() => return Err(failure),
            Err(failure) => {
                session.do_without(one.index, &one.name, &failure);
                one.torrent.close().await;
            }
            Ok(()) => {
                session.attend(self.recalled()).await;
                session.teller.tell(&self.event(url));
                self.keep_pins(before);
            }
        }
        Ok(())
    }

    /// Returns when what earlier runs have pinned is known again, or does not seem to be there.
    fn recalled(&self) -> impl Future<Output = ()> + use<> {
        let each: Vec<_> = self
            .books
            .iter()
            .filter_map(|shown| {
                let (_, notes) = shown.torrent.as_ref()?;
                Some((shown.book.clone(), shown.path.clone(), notes.clone()))
            })
            .map(|(book, path, notes)| async move { pins::recall(&book, &path, &notes).await })
            .collect();
        async move {
            let _ = tokio::time::timeout(RECALLING, join_all(each)).await;
        }
    }

    /// Has the articles that are to be pinned fetched, of the books from this one on.
    fn keep_pins(&mut self, from: usize) {
        let patterns = &self.flags.site.pin;
        for shown in self.books.iter().skip(from).filter(|_| !patterns.is_empty()) {
            match &shown.torrent {
                Some((_, notes)) => {
                    let (book, news) = (shown.book.clone(), self.news.clone());
                    let pins = Pins::new(book, shown.path.clone(), notes.clone(), news);
                    self.tasks.spawn(pins.keep_all(patterns.clone()));
                }
                None => {
                    let text = format!("{} is on this computer: there is nothing to pin", shown.book.name);
                    let _ = self.news.send(News::Said(text));
                }
            }
        }
    }

    fn event(&self, url: &str) -> Event {
        let book = |shown: &Shown| events::Book {
            name: shown.book.name.clone(),
            torrent: shown.torrent.as_ref().map(|(torrent, _)| *torrent),
            path: shown.path.clone(),
            length: shown.book.archive.length(),
            url: url_of(url, &shown.book.name),
        };
        Event::Site { url: url.to_owned(), books: self.books.iter().map(book).collect() }
    }
}

/// Where a book begins.
fn url_of(site: &str, book: &str) -> String {
    format!("{}/content/{}", site.trim_end_matches('/'), utf8_percent_encode(book, IN_A_PATH))
}

/// Says where it is, and how one gets out.
fn tell(session: &mut Session, flags: &Wiki, shown: &Showing, url: &str) {
    session.teller.tell(&shown.event(url));
    if session.teller.is_on() {
        return;
    }
    // What is said before the screen is there is under it.
    session.look();
    // The first line of standard output is where it is, for people and for scripts.
    session.screen.answer(url);
    if flags.quiet {
        return;
    }
    let is_live = session.is_live();
    let fetched = match shown.books.iter().all(|shown| shown.torrent.is_none()) && !shown.books.is_empty() {
        true => "",
        false => "what you look at is fetched; ",
    };
    let ends = if is_live { "o opens it, q or Ctrl-C ends it" } else { "Ctrl-C ends it" };
    let text = format!("open it in any browser; {fetched}{ends}");
    match is_live {
        true => session.screen.hint(&text),
        false => session.screen.say(&text),
    }
}
