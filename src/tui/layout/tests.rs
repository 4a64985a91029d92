use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::read::{Cell, FileReport, ReaderReport, Statistics};
use crate::tui::{BookView, FileView, MountView, PeerView, Playing, ReadView, SiteView, TorrentView};

/// What a terminal of that size shows; each line ends where its text does.
fn drawn(scene: &Scene, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a test's terminal never fails");
    let drawn = terminal.draw(|frame| draw(scene, frame.area(), frame.buffer_mut()));
    drawn.expect("a test's terminal never fails");
    let picture = terminal.backend().to_string();
    let lines = picture.lines().map(|line| {
        assert!(line.ends_with('"') || line.contains("Hidden by multi-width symbols"), "{line}");
        let line = line.split("\" Hidden").next().unwrap_or(line);
        line.trim_start_matches('"').trim_end_matches('"').trim_end()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn history() -> History {
    let mut history = History::default();
    let begin = Instant::now();
    for second in 0..70u64 {
        let down = 1_500_000 + 20_000 * ((second * 37) % 61);
        let up = if second > 30 { 20_000 + 1000 * (second % 7) } else { 0 };
        history.sample(begin + Duration::from_secs(second), down, up);
    }
    history
}

fn peer(n: u16) -> PeerView {
    let clients =
        ["qBittorrent 5.0.2", "Transmission 4.0.6", "µTorrent 3.5.5", "libtorrent (Rasterbar) 2.0.11"];
    let address: SocketAddr = match n % 5 {
        4 => format!("[2001:db8:85a3::8a2e:370:{n:x}]:51413").parse().expect("an address"),
        _ => SocketAddr::from(([203, 0, 113, n as u8], 6881 + n)),
    };
    PeerView {
        address,
        client: (n != 2).then(|| clients[usize::from(n) % 4].to_owned()),
        transport: if n.is_multiple_of(3) { "uTP" } else { "TCP" },
        incoming: n == 1,
        rate: if n % 4 == 3 { 0 } else { 1_300_000 / u64::from(n + 1) },
        latency: (n != 3).then(|| Duration::from_millis(u64::from(n) * 137 + 18)),
        owes: if n % 4 == 3 { 0 } else { u32::from(24 / (n + 1)) },
        choking: n % 4 == 3,
        downloaded: 120_000_000 / u64::from(n + 1),
        uploaded: u64::from(n) * 16384,
    }
}

fn streaming() -> View {
    let length = 1_204_000_000;
    let cell = |at: usize| match at {
        0..30 => Cell { had: 1.0, coming: 0.0 },
        30..34 => Cell { had: 0.3, coming: 0.4 },
        77.. => Cell { had: 1.0, coming: 0.0 },
        60 => Cell { had: 0.5, coming: 0.0 },
        _ => Cell::default(),
    };
    let head = length / 80 * 12;
    let reader = |head, waiting| ReaderReport { id: 0, start: 0, head, waiting, buffered: 0 };
    View {
        stage: Stage::Streaming { name: "Sintel.2010.1080p.mkv".into(), length },
        url: Some("http://192.168.1.5:8888/".into()),
        player: Some("mpv".into()),
        file: Some(FileView {
            name: "Sintel.2010.1080p.mkv".into(),
            folder: Some("Sintel (2010)".into()),
            length,
            place: 2,
            of: 10,
            report: FileReport {
                length,
                had: 490_000_000,
                cells: (0..80).map(cell).collect(),
                readers: vec![reader(head, false), reader(length - 1, false)],
            },
        }),
        statistics: Statistics {
            downloaded: 492_000_000,
            uploaded: 3_100_000,
            download_rate: 2_530_000,
            upload_rate: 24_000,
            peers: 12,
            unchoking: 9,
            candidates: 130,
            wasted: 1_200_000,
            hot_swaps: 3,
            verified_pieces: 470,
            failed_pieces: 1,
            chosen_had: 490_000_000,
            buffered: 263_000_000,
            stalled_readers: 0,
        },
        playing: Playing {
            begun: true,
            position: Some(Duration::from_secs(723)),
            duration: Some(Duration::from_secs(5530)),
            ahead: Some(Duration::from_secs(1264)),
            ahead_bytes: 263_000_000,
            stalls: 2,
            stalled: None,
            reading: true,
        },
        peers: (0..12).map(peer).collect(),
        waiting: None,
        forecast: Some("needs 4.2 Mbit/s, has 20: no stall expected".into()),
        paused: false,
        mount: None,
        site: None,
        sources: vec!["DHT: 41 found, 120 nodes known".into(), "tracker udp://a: 12 peers".into()],
    }
}

fn site() -> View {
    let english = BookView {
        name: "wikipedia_en_all_maxi_2024-01".into(),
        length: 64_500_000_000,
        had: 161_000_000,
        reads: 2,
        bytes: 2_100_000,
        peers: 12,
        rate: 2_530_000,
        ..BookView::default()
    };
    let small = BookView {
        name: "wikibooks_ast".into(),
        length: 4_200_000,
        had: 4_200_000,
        is_local: true,
        ..BookView::default()
    };
    let waiting =
        vec![("a magnet".into(), "1 peer is connected and was asked for the list of files.".into())];
    let site = SiteView::new(vec![english, small], waiting);
    let statistics = Statistics { downloaded: 3_200_000, ..streaming().statistics };
    let stage = Stage::Idle;
    let (player, file, forecast, playing) = (None, None, None, Playing::default());
    View { stage, player, file, forecast, playing, statistics, site: Some(site), ..streaming() }
}

fn mounted() -> View {
    let film = TorrentView {
        name: "Sintel (2010)".into(),
        had: 490_000_000,
        length: Some(1_300_000_000),
        peers: 12,
        rate: 2_530_000,
        read: vec![
            ReadView {
                path: "Sintel (2010)/Sintel.mkv".into(),
                percent: 40.7,
                readers: 2,
                waiting: 1,
                rate: 2_100_000,
            },
            ReadView {
                path: "Sintel (2010)/Sintel.srt".into(),
                percent: 100.0,
                readers: 1,
                waiting: 0,
                rate: 0,
            },
        ],
    };
    let magnet = TorrentView { name: "a magnet".into(), peers: 1, ..TorrentView::default() };
    let mount = MountView { at: Some("/home/me/peerflix".into()), torrents: vec![film, magnet] };
    View { url: None, player: None, forecast: None, mount: Some(mount), ..streaming() }
}

fn waiting() -> View {
    View {
        player: None,
        playing: Playing::default(),
        waiting: Some(
            "3 of 4 trackers timed out, the DHT gave 41 peers: 22 refused, 12 did not answer, 5 closed at once, \
             2 connected and choke us"
                .into(),
        ),
        forecast: Some("starts in 6 s; needs 4.2 Mbit/s, has 31: no stall expected".into()),
        ..streaming()
    }
}

fn resolving() -> View {
    View {
        stage: Stage::Metadata,
        url: Some("http://192.168.1.5:8888/".into()),
        waiting: waiting().waiting,
        sources: vec![
            "DHT: 41 found, 120 nodes known".into(),
            "tracker udp://tracker.example.org:1337: timed out".into(),
            "local network: nobody".into(),
        ],
        ..View::default()
    }
}

struct Stagehand {
    history: History,
    messages: Vec<String>,
}

impl Stagehand {
    fn new() -> Stagehand {
        Stagehand {
            history: history(),
            messages: vec!["port 8888 is taken: 39219 it is".into(), "copied the URL".into()],
        }
    }

    fn scene<'a>(&'a self, view: &'a View) -> Scene<'a> {
        Scene {
            view,
            history: &self.history,
            messages: &self.messages,
            has_keys: true,
            shows_help: false,
            palette: Palette { colors: true },
        }
    }

    fn drawn(&self, view: &View, columns: u16, rows: u16) -> String {
        drawn(&self.scene(view), columns, rows)
    }
}

macro_rules! assert_picture {
    ($($picture:tt)*) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($($picture)*);
        })
    };
}

#[test]
fn a_film_that_plays() {
    let stage = Stagehand::new();
    for (columns, rows) in
        [(60, 10), (60, 24), (80, 12), (80, 24), (100, 30), (100, 16), (200, 20), (200, 60), (40, 6)]
    {
        assert_picture!(format!("plays_{columns}x{rows}"), stage.drawn(&streaming(), columns, rows));
    }
}

#[test]
fn a_film_that_is_waited_for() {
    let stage = Stagehand::new();
    for (columns, rows) in [(60, 10), (60, 24), (80, 24), (200, 30)] {
        assert_picture!(format!("waits_{columns}x{rows}"), stage.drawn(&waiting(), columns, rows));
    }
}

#[test]
fn a_torrent_that_nobody_tells_about_yet() {
    let stage = Stagehand::new();
    assert_picture!("metadata_80x24", stage.drawn(&resolving(), 80, 24));
    assert_picture!("metadata_60x10", stage.drawn(&resolving(), 60, 10));
    let first = View::default();
    assert_picture!(
        "resolving_80x10",
        Stagehand { messages: vec![], ..Stagehand::new() }.drawn(&first, 80, 10)
    );
}

#[test]
fn a_folder_of_torrents() {
    let stage = Stagehand::new();
    for (columns, rows) in [(60, 12), (80, 24), (100, 30)] {
        assert_picture!(format!("mount_{columns}x{rows}"), stage.drawn(&mounted(), columns, rows));
    }
    let (stage, mount) = (Stagehand { messages: vec![], ..Stagehand::new() }, mounted().mount);
    let idle = View { stage: Stage::Idle, file: None, playing: Playing::default(), mount, ..mounted() };
    assert_picture!("mount_idle_80x14", stage.drawn(&idle, 80, 14));
}

#[test]
fn a_site() {
    let stage = Stagehand { messages: vec![], ..Stagehand::new() };
    for (columns, rows) in [(80, 24), (60, 12), (100, 30)] {
        assert_picture!(format!("site_{columns}x{rows}"), stage.drawn(&site(), columns, rows));
    }
    let mut books = site().site.map(|site| site.books).unwrap_or_default();
    books.retain(|book| book.is_local);
    let local = View {
        site: Some(SiteView::new(books, Vec::new())),
        statistics: Statistics::default(),
        peers: Vec::new(),
        ..site()
    };
    assert_picture!("site_local_80x12", stage.drawn(&local, 80, 12));
}

#[test]
fn a_film_that_is_paused() {
    let stage = Stagehand::new();
    let view = View { paused: true, ..waiting() };
    assert_picture!("paused_80x24", stage.drawn(&view, 80, 24));
    let scene = Scene { has_keys: false, ..stage.scene(&view) };
    assert_picture!("paused_without_keys_60x10", drawn(&scene, 60, 10));
}

#[test]
fn a_film_that_stands_still() {
    let mut view = streaming();
    view.playing.stalled = Some(Duration::from_secs(7));
    view.playing.ahead = Some(Duration::ZERO);
    view.playing.ahead_bytes = 0;
    view.waiting = Some("no peer that has the next piece sends it: 2 choke us".into());
    view.forecast = Some("needs 4.2 Mbit/s, has 3.1: will stall; start after 80 s to play through".into());
    assert_picture!("stalls_100x30", Stagehand::new().drawn(&view, 100, 30));
}

#[test]
fn a_film_that_is_all_here() {
    let mut view = streaming();
    view.forecast = None;
    view.statistics.chosen_had = 1_204_000_000;
    if let Some(file) = &mut view.file {
        file.report.had = file.length;
        file.report.cells = vec![Cell { had: 1.0, coming: 0.0 }; 80];
    }
    assert_picture!("complete_80x24", Stagehand::new().drawn(&view, 80, 24));
}

#[test]
fn the_keys_explained() {
    let stage = Stagehand::new();
    let view = streaming();
    let scene = Scene { shows_help: true, ..stage.scene(&view) };
    assert_picture!("help_80x24", drawn(&scene, 80, 24));
    assert_picture!("help_60x14", drawn(&scene, 60, 14));
}

#[test]
fn names_that_are_wide_long_or_hostile() {
    let mut view = streaming();
    let stage = Stagehand::new();
    let name = "天気の子 Weathering with You \u{1b}]0;owned\u{7}\u{1b}[31m\u{202e}4pm.x\u{202c} 👨\u{200d}👩\u{200d}👧 (2019).mkv";
    if let Some(file) = &mut view.file {
        file.name = name.into();
    }
    for peer in &mut view.peers {
        peer.client = Some("\u{1b}[2J気の子気の子気の子気の子\r\n".into());
    }
    view.forecast = Some("starts\u{1b}[5m \u{2066}in 6 s".into());
    assert_picture!("hostile_60x16", stage.drawn(&view, 60, 16));
    let picture = stage.drawn(&view, 100, 24);
    assert!(!picture.chars().any(|character| character.is_control() && character != '\n'), "{picture}");
    assert!(!picture.contains(['\u{202e}', '\u{2066}']), "{picture}");
    assert_picture!("hostile_100x24", picture);
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let stage = Stagehand::new();
    for view in [streaming(), waiting(), resolving(), mounted(), site(), View::default()] {
        for shows_help in [false, true] {
            let scene = Scene { shows_help, ..stage.scene(&view) };
            for columns in (0..70).chain([127, 300]) {
                for rows in (0..30).chain([100]) {
                    let area = Rect::new(0, 0, columns, rows);
                    draw(&scene, area, &mut Buffer::empty(area));
                }
            }
        }
    }
}

#[test]
fn without_colors_there_is_none() {
    use ratatui::style::Color;

    let stage = Stagehand::new();
    let view = View { paused: true, ..waiting() };
    let scene = Scene { palette: Palette { colors: false }, ..stage.scene(&view) };
    let area = Rect::new(0, 0, 100, 40);
    let mut buffer = Buffer::empty(area);
    draw(&scene, area, &mut buffer);
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn what_matters_is_there_before_what_is_nice() {
    // A title, a gap, a sentence, a table, the rest.
    let sections = [(0, 1, 1, 1), (20, 0, 1, 1), (1, 2, 4, 4), (15, 3, 7, 40), (200, 0, 0, u16::MAX)];
    assert_eq!(fit(&sections, 0), [0, 0, 0, 0, 0]);
    assert_eq!(fit(&sections, 2), [1, 1, 0, 0, 0]);
    assert_eq!(fit(&sections, 3), [1, 0, 2, 0, 0]);
    assert_eq!(fit(&sections, 7), [1, 0, 3, 3, 0]);
    assert_eq!(fit(&sections, 12), [1, 0, 4, 7, 0]);
    assert_eq!(fit(&sections, 20), [1, 1, 4, 14, 0]);
    assert_eq!(fit(&sections, 60), [1, 1, 4, 40, 14]);
}
