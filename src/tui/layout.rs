//! A moment, drawn: what stands where, and what goes first when there is little room. Knows no terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::graph::{History, SAMPLES};
use super::palette::Palette;
use super::text::{clean, clock, counted, cut, first_rows, lasting, width, wrap};
use super::{Stage, View, bar, books, line, peers, torrents};
use crate::units::ByteSize;

/// All that is drawn at one moment.
pub(super) struct Scene<'a> {
    pub(super) view: &'a View,
    pub(super) history: &'a History,
    /// The latest last.
    pub(super) messages: &'a [String],
    pub(super) has_keys: bool,
    pub(super) shows_help: bool,
    pub(super) palette: Palette,
}

type Draw<'a> = Box<dyn Fn(Rect, &mut Buffer) + 'a>;

/// Rows that belong together.
struct Section<'a> {
    /// Lower ones are there before higher ones.
    rank: u8,
    /// Rows without which it is left out, rows that it should have, and rows that it can use.
    least: u16,
    enough: u16,
    most: u16,
    draw: Draw<'a>,
}

impl<'a> Section<'a> {
    fn new(rank: u8, rows: u16, draw: impl Fn(Rect, &mut Buffer) + 'a) -> Section<'a> {
        Section { rank, least: rows, enough: rows, most: rows, draw: Box::new(draw) }
    }

    fn line(rank: u8, line: Line<'a>) -> Section<'a> {
        Section::new(rank, 1, move |area, buffer| {
            buffer.set_line(area.left(), area.top(), &line, area.width);
        })
    }

    /// As many of the lines as there is room for, and in any case `least`.
    fn lines(rank: u8, lines: Vec<String>, least: usize, style: Style) -> Section<'a> {
        let rows = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        Section {
            rank,
            least: rows(least.min(lines.len())),
            enough: rows(lines.len()),
            most: rows(lines.len()),
            draw: Box::new(move |area, buffer| {
                let room = usize::from(area.width);
                let lines = first_rows(lines.clone(), usize::from(area.height), room);
                for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
                    buffer.set_stringn(area.left(), y, line, room, style);
                }
            }),
        }
    }

    fn gap(rank: u8) -> Section<'a> {
        Section { rank, least: 0, enough: 1, most: 1, draw: Box::new(|_, _| {}) }
    }
}

/// The rows that each gets: in the order of their ranks, first what they need at least, then what they should have, then what
/// they can use. Sections are given as rank, least, enough, most.
fn fit(sections: &[(u8, u16, u16, u16)], height: u16) -> Vec<u16> {
    let mut rows = vec![0; sections.len()];
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|&at| sections.get(at).map(|section| section.0));
    let mut rest = height;
    for round in 0..3 {
        for &at in &order {
            let Some((&(_, least, enough, most), given)) = sections.get(at).zip(rows.get_mut(at)) else {
                continue;
            };
            let wanted = if round == 1 { enough } else { most };
            let more = match round {
                0 if least <= rest => least,
                1 | 2 if *given > 0 || least == 0 => rest.min(wanted.saturating_sub(*given)),
                _ => 0,
            };
            *given += more;
            rest -= more;
        }
    }
    rows
}

/// Where the labels end and the facts begin.
const LABEL: usize = 8;

/// Cells of the bar in a terminal of that width: beside it stands how much that is.
pub(super) fn bar_cells(width: u16) -> u16 {
    inner(Rect::new(0, 0, width, 1)).width.saturating_sub(6)
}

/// A margin, where there is room for one.
fn inner(area: Rect) -> Rect {
    let margin = u16::from(area.width >= 40);
    Rect { x: area.x + margin, width: area.width - 2 * margin, ..area }
}

/// Draws the scene into all of the area.
pub(super) fn draw(scene: &Scene, area: Rect, buffer: &mut Buffer) {
    let area = inner(area);
    if area.is_empty() {
        return;
    }
    let sections = sections(scene, area);
    let needs = sections.iter().map(|section| (section.rank, section.least, section.enough, section.most));
    let needs: Vec<_> = needs.collect();
    let mut y = area.top();
    for (section, height) in sections.iter().zip(fit(&needs, area.height)) {
        if height > 0 {
            (section.draw)(Rect { y, height, ..area }, buffer);
        }
        y += height;
    }
}

fn sections<'a>(scene: &'a Scene, area: Rect) -> Vec<Section<'a>> {
    let Scene { view, palette, .. } = *scene;
    let room = usize::from(area.width);
    // A sentence is whole if that leaves room for something else.
    let sentence = usize::from(area.height / 4).max(1);
    let mut sections =
        vec![Section::new(0, 1, move |area, buffer| title(scene, area, buffer)), Section::gap(20)];

    let is_calm = view.playing.reading && view.playing.stalled.is_none();
    let mut has_status = false;
    if view.paused {
        has_status = true;
        let how = if scene.has_keys { "; space goes on" } else { "" };
        let pause = Line::from(vec![
            Span::styled(" PAUSED ", palette.turned()),
            Span::raw(format!(" nothing is fetched, nothing is sent{how}")),
        ]);
        sections.push(Section::line(1, pause));
    } else if let Some(status) = status(view) {
        has_status = true;
        sections.push(Section::lines(1, wrap(&status, room), sentence, palette.waiting()));
    }
    if let Some(forecast) = view.forecast.as_deref().filter(|text| !text.is_empty()) {
        has_status = true;
        let style = if is_calm || view.paused { Style::new() } else { palette.strong() };
        sections.push(Section::lines(6, wrap(&clean(forecast), room), 1, style));
    }
    if has_status {
        sections.push(Section::gap(21));
    }

    if let Stage::Streaming { .. } = view.stage {
        let mut bar = Section::new(3, 1, move |area, buffer| bar_and_share(view, palette, area, buffer));
        (bar.enough, bar.most) = (2, 2);
        // The row of the readers is air as well.
        sections.push(bar);
    }
    if let Some(at) = view.mount.as_ref().and_then(|mount| mount.at.as_deref()) {
        let at = Span::styled(cut(&clean(at), room.saturating_sub(LABEL)), palette.strong());
        sections.push(Section::line(2, Line::from(vec![label("mount", palette), at])));
    }
    if let Some(url) = &view.url {
        let url = Span::styled(cut(&clean(url), room.saturating_sub(LABEL)), palette.strong());
        sections.push(Section::line(2, Line::from(vec![label("url", palette), url])));
    }
    if let Stage::Streaming { .. } = view.stage {
        let style = if view.playing.stalled.is_some() { palette.waiting() } else { Style::new() };
        let text = doing(view, room.saturating_sub(LABEL));
        let who = if view.mount.is_some() { "reads" } else { "player" };
        let line = Line::from(vec![label(who, palette), Span::styled(text, style)]);
        sections.push(Section::line(4, line));
    }
    if let Some(site) = &view.site {
        let style = if site.reads > 0 { palette.waiting() } else { Style::new() };
        let waits = Span::styled(books::waits(site.reads, site.bytes), style);
        sections.push(Section::line(4, Line::from(vec![label("reads", palette), waits])));
    }
    if scene.shows_help {
        sections.push(Section::gap(23));
        sections.push(Section::new(5, HELP.len() as u16, move |area, buffer| help(palette, area, buffer)));
    } else {
        numbers(scene, room, &mut sections);
    }

    // What is left stands between what is going on and what was said.
    sections.push(Section { rank: 200, least: 0, enough: 0, most: u16::MAX, draw: Box::new(|_, _| {}) });
    if !scene.messages.is_empty() {
        sections.push(Section::gap(26));
        sections.push(messages(scene, room));
    }
    if scene.has_keys {
        sections.push(Section::gap(24));
        sections.push(Section::line(10, footer(scene, room)));
    }
    sections
}

/// Rows of what was said, at most.
const MESSAGE_ROWS: usize = 4;

/// What was said last, as much as there is room for.
fn messages<'a>(scene: &Scene, room: usize) -> Section<'a> {
    let lines: Vec<String> = scene.messages.iter().flat_map(|text| wrap(&clean(text), room)).collect();
    let most = lines.len().min(MESSAGE_ROWS) as u16;
    let draw = move |area: Rect, buffer: &mut Buffer| {
        let latest = lines.iter().skip(lines.len().saturating_sub(usize::from(area.height)));
        for (line, y) in latest.zip(area.top()..area.bottom()) {
            buffer.set_stringn(area.left(), y, line, room, Style::new());
        }
    };
    Section { rank: 9, least: most.min(1), enough: most, most, draw: Box::new(draw) }
}

/// Speeds, peers, pieces, and the peers one by one.
fn numbers<'a>(scene: &'a Scene, room: usize, sections: &mut Vec<Section<'a>>) {
    let Scene { view, palette, history, .. } = *scene;
    let numbers = &view.statistics;
    if view.site.as_ref().is_some_and(super::SiteView::is_local) {
        return books_one_by_one(scene, sections);
    }
    let has_flows = matches!(view.stage, Stage::Streaming { .. }) || view.site.is_some();
    if has_flows {
        let speed = |name, rate, total, graph: &dyn Fn(usize) -> String| {
            let rate = format!("{:>10}", format!("{}/s", ByteSize(rate)));
            let total = format!("{:>8} so far", ByteSize(total).to_string());
            let cells = room.saturating_sub(LABEL + rate.len() + total.len() + 4).min(SAMPLES);
            let graph = if cells < 8 { String::new() } else { graph(cells) };
            Line::from(vec![
                label(name, palette),
                Span::raw(rate),
                Span::styled(format!("  {graph:<cells$}  "), palette.here()),
                Span::styled(total, palette.dim()),
            ])
        };
        sections.push(Section::line(
            7,
            speed("down", numbers.download_rate, numbers.downloaded, &|n| history.down(n)),
        ));
        sections
            .push(Section::line(12, speed("up", numbers.upload_rate, numbers.uploaded, &|n| history.up(n))));
    }
    if view.stage != Stage::Resolving {
        let text = format!(
            "{} connected · {} unchoking · {} known",
            numbers.peers, numbers.unchoking, numbers.candidates
        );
        let text = cut(&text, room.saturating_sub(LABEL));
        sections.push(Section::line(8, Line::from(vec![label("peers", palette), Span::raw(text)])));
    }
    if has_flows {
        let text = format!(
            "{} good · {} bad · {} · {} wasted",
            numbers.verified_pieces,
            numbers.failed_pieces,
            counted(usize::try_from(numbers.hot_swaps).unwrap_or(usize::MAX), "hot-swap"),
            ByteSize(numbers.wasted),
        );
        let text = cut(&text, room.saturating_sub(LABEL));
        sections.push(Section::line(13, Line::from(vec![label("pieces", palette), Span::raw(text)])));
    }
    if let Some(mount) = &view.mount {
        let rows = torrents::rows(mount);
        sections.push(Section::gap(22));
        sections.push(Section {
            rank: 11,
            least: rows.min(1),
            enough: rows.min(6),
            most: rows,
            draw: Box::new(move |area, buffer| torrents::draw(mount, palette, area, buffer)),
        });
    }
    books_one_by_one(scene, sections);
    if !view.peers.is_empty() {
        let rows = peers::rows(&view.peers);
        sections.push(Section::gap(23));
        sections.push(Section {
            rank: 15,
            least: rows.min(peers::LEAST),
            enough: rows.min(peers::ENOUGH),
            most: rows,
            draw: Box::new(move |area, buffer| peers::draw(&view.peers, palette, area, buffer)),
        });
    }
    // Who has peers need not know who was asked for them.
    if view.peers.is_empty() && !view.sources.is_empty() && !line::is_complete(view) {
        let lines: Vec<String> = view.sources.iter().map(|source| cut(&clean(source), room)).collect();
        sections.push(Section::gap(25));
        sections.push(Section::lines(14, lines, 1, Style::new()));
    }
}

fn books_one_by_one<'a>(scene: &'a Scene, sections: &mut Vec<Section<'a>>) {
    let Some(site) = &scene.view.site else { return };
    let (rows, palette) = (books::rows(site), scene.palette);
    sections.push(Section::gap(22));
    sections.push(Section {
        rank: 11,
        least: rows.min(1),
        enough: rows.min(6),
        most: rows,
        draw: Box::new(move |area, buffer| books::draw(site, palette, area, buffer)),
    });
}

/// The file, and how much of it is here.
fn title(scene: &Scene, area: Rect, buffer: &mut Buffer) {
    let Scene { view, palette, .. } = *scene;
    let room = usize::from(area.width);
    let (mut name, mut folder, mut facts) = ("peerflix".to_owned(), None, Vec::new());
    if let Stage::Streaming { name: film, length } = &view.stage {
        name = clean(film);
        facts.push(format!("{} of {}", ByteSize(view.statistics.chosen_had.min(*length)), ByteSize(*length)));
    }
    if let Some(file) = &view.file {
        name = clean(&file.name);
        folder = file.folder.as_deref().map(clean).filter(|folder| !folder.is_empty());
        facts = vec![format!("{} of {}", ByteSize(file.report.had.min(file.length)), ByteSize(file.length))];
        if file.of > 1 {
            facts.insert(0, format!("file {} of {}", file.place, file.of));
        }
    }
    if let Some(site) = view.site.as_ref().filter(|site| site.length > 0) {
        name = "peerflix wiki".to_owned();
        let visit =
            format!("this visit: {} of {}", ByteSize(view.statistics.downloaded), ByteSize(site.length));
        facts.extend((!site.is_local()).then_some(visit));
    }
    let facts = facts.join(" · ");
    let facts = if width(&facts) + 12 > room { String::new() } else { facts };
    let for_name = room.saturating_sub(if facts.is_empty() { 0 } else { width(&facts) + 2 });
    let name = cut(&name, for_name);
    let (x, y) = (area.left(), area.top());
    let (end, _) = buffer.set_stringn(x, y, &name, room, palette.strong());
    // Some of a folder tells nothing: it is there or not.
    if let Some(folder) = folder.filter(|folder| width(folder) + width(&name) + 5 <= for_name) {
        buffer.set_stringn(end, y, format!("  in {folder}"), room, palette.dim());
    }
    let from = area.right().saturating_sub(width(&facts) as u16);
    buffer.set_stringn(from, y, &facts, room, palette.dim());
}

/// Why nothing plays, if so.
fn status(view: &View) -> Option<String> {
    if let Some(waiting) = view.waiting.as_deref().filter(|text| !text.is_empty()) {
        return Some(clean(waiting));
    }
    let is_told_below = matches!(view.stage, Stage::Streaming { .. }) || view.site.is_some();
    (!is_told_below).then(|| line::progress(view))
}

/// What the player does; in a few words if there is little room.
fn doing(view: &View, room: usize) -> String {
    let all = doing_in(view, false);
    if width(&all) <= room { all } else { cut(&doing_in(view, true), room) }
}

fn doing_in(view: &View, few_words: bool) -> String {
    let playing = &view.playing;
    let mut facts: Vec<String> = Vec::new();
    let is_complete = line::is_complete(view);
    if view.mount.is_some() {
        let readers = view.file.as_ref().map(|file| file.report.readers.as_slice()).unwrap_or_default();
        let waiting = readers.iter().filter(|reader| reader.waiting).count();
        facts.push(match readers.len() {
            0 => "nobody reads it now".to_owned(),
            readers => counted(readers, "reader"),
        });
        match (readers.len(), waiting) {
            (_, 0) => {}
            (1, _) => facts.push("waits for what comes".to_owned()),
            (_, waiting) => facts.push(format!("{waiting} waiting for what comes")),
        }
        if is_complete {
            facts.push("all here".to_owned());
        }
        return facts.join(" · ");
    }
    let player = view.player.as_deref().map(clean);
    if !playing.reading {
        facts.push(match player {
            Some(player) if is_complete => format!("{player} has got all that it asked for"),
            Some(player) => format!("{player} does not read now"),
            None if few_words => "nobody reads yet: open the URL in a player".to_owned(),
            None => "nobody reads yet: open the URL in any player or browser".to_owned(),
        });
        if is_complete {
            facts.push("all here".to_owned());
        }
        return facts.join(" · ");
    }
    let at = match (playing.position, playing.duration) {
        (Some(head), Some(duration)) => format!("at {} of {}", clock(head), clock(duration)),
        (Some(head), None) => format!("at {}", clock(head)),
        _ => "reads".to_owned(),
    };
    facts.push(match player {
        Some(player) => format!("{player} {at}"),
        None => at,
    });
    if let Some(stalled) = playing.stalled {
        facts.push(match stalled.as_secs() {
            0 => "stands still".to_owned(),
            _ => format!("stands still for {}", lasting(stalled)),
        });
    }
    match playing.ahead {
        _ if is_complete => facts.push("all here".to_owned()),
        // That there is nothing ahead has been said.
        _ if playing.stalled.is_some() => {}
        Some(ahead) if few_words => facts.push(format!("{} ahead", lasting(ahead))),
        // What is ahead may all be in the player's own cache by now.
        Some(ahead) if playing.ahead_bytes == 0 => facts.push(format!("{} ahead", lasting(ahead))),
        Some(ahead) => facts.push(format!("{} ahead ({})", lasting(ahead), ByteSize(playing.ahead_bytes))),
        None => facts.push(format!("{} ahead", ByteSize(playing.ahead_bytes))),
    }
    let so_far = if few_words { "" } else { " so far" };
    facts.push(match playing.stalls {
        0 => format!("no stall{so_far}"),
        stalls => format!("{}{so_far}", counted(stalls as usize, "stall")),
    });
    facts.join(" · ")
}

fn bar_and_share(view: &View, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let fallback;
    let report = match (&view.file, &view.stage) {
        (Some(file), _) => &file.report,
        (None, Stage::Streaming { length, .. }) => {
            let had = view.statistics.chosen_had;
            fallback = crate::read::FileReport { length: *length, had, ..Default::default() };
            &fallback
        }
        _ => return,
    };
    let cells = area.width.saturating_sub(6);
    if cells > 0 {
        bar::draw(report, palette, Rect { width: cells, ..area }, buffer);
    }
    let share = format!("{:>4} %", bar::share(report.had, report.length, 100));
    buffer.set_stringn(area.left() + cells, area.top(), share, usize::from(area.width - cells), Style::new());
}

fn label(text: &str, palette: Palette) -> Span<'static> {
    Span::styled(format!("{text:<LABEL$}"), palette.dim())
}

const HELP: [(&str, &str); 12] = [
    ("space", "pause, or go on: nothing is fetched or sent"),
    ("p", "pick another file"),
    ("o", "open the folder of the files; of a wiki, the browser"),
    ("c", "copy the URL"),
    ("q", "end; Ctrl-C too"),
    ("?", "these words, and back"),
    ("━ ╍ ─", "of the file: here, on its way, still to come"),
    ("▲", "where a player reads: ahead of what it shows"),
    ("choke", "a peer that chokes us does not send; one that unchokes us does"),
    ("known", "addresses of more peers, not connected now"),
    ("swap", "hot-swap: a late block asked of another peer; what then comes twice is wasted"),
    ("owes", "blocks of 16 KiB asked of a peer and not come"),
];

fn help(palette: Palette, area: Rect, buffer: &mut Buffer) {
    for ((key, words), y) in HELP.into_iter().zip(area.top()..area.bottom()) {
        let line =
            Line::from(vec![Span::styled(format!("{key:<LABEL$}"), palette.strong()), Span::raw(words)]);
        buffer.set_line(area.left(), y, &line, area.width);
    }
}

/// The keys, as many as fit; the ones that can be guessed go first.
fn footer<'a>(scene: &Scene, room: usize) -> Line<'a> {
    let pause = if scene.view.paused { "go on" } else { "pause" };
    let help = if scene.shows_help { "back" } else { "keys" };
    let mut keys =
        vec![("space", pause), ("p", "pick"), ("o", "folder"), ("c", "copy URL"), ("?", help), ("q", "end")];
    let view = scene.view;
    if view.mount.is_some() && view.url.is_none() {
        keys.retain(|(key, _)| *key != "c");
    }
    if view.site.is_some() {
        keys.retain(|(key, _)| *key != "p");
        keys.iter_mut().filter(|(key, _)| *key == "o").for_each(|(_, word)| *word = "browser");
    }
    let taken =
        |keys: &[(&str, &str)]| keys.iter().map(|(key, word)| key.len() + word.len() + 4).sum::<usize>();
    for dropped in ["o", "c", "p", "q", "space"] {
        if taken(&keys) > room + 3 {
            keys.retain(|(key, _)| *key != dropped);
        }
    }
    let mut spans = Vec::new();
    for (key, word) in keys {
        spans.push(Span::styled(key, scene.palette.strong()));
        spans.push(Span::styled(format!(" {word}   "), scene.palette.dim()));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests;
