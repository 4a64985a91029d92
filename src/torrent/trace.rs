//! The inputs of a run as text, one a line, so that a run can be replayed, and become a test by moving one file.
//! Pure: text to values and back. The file itself is the driver's.
//!
//! The first lines are the head: `peerflix trace 1`, then `layout`, `seed`. Every other line is a time in nanoseconds,
//! a word, and the word's fields. `-` stands for "nothing".

use std::fmt::{self, Write};
use std::time::Duration;

use data_encoding::HEXLOWER;

use crate::bitfield::Bitfield;
use crate::layout::{BlockId, FileSpan, Layout, PieceIndex};
use crate::scheduler::{Input, PeerId, ReaderId};
use crate::units::Timestamp;

const TITLE: &str = "peerflix trace 1";

/// What a replay must know besides the inputs. The scheduler's config is its default: the driver uses no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub layout: Layout,
    pub seed: u64,
}

/// A line that is none of a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the trace cannot be read: {text}")]
pub struct TraceError {
    /// Counted from 1.
    pub line: usize,
    /// How the line begins.
    pub text: String,
}

/// Reads a whole trace, or says which line is wrong. A last line without an end is left out: the run was cut there.
pub fn parse(trace: &str) -> Result<(Head, Vec<(Timestamp, Input)>), TraceError> {
    let wrong =
        |index: usize, text: &str| TraceError { line: index + 1, text: text.chars().take(80).collect() };
    let whole = &trace[..trace.rfind('\n').map_or(0, |at| at + 1)];
    let mut lines = whole.lines().enumerate();
    let mut expect = |read: fn(&str) -> Option<HeadLine>| {
        let (index, text) = lines.next().unwrap_or((0, ""));
        read(text).ok_or_else(|| wrong(index, text))
    };
    expect(|text| (text == TITLE).then_some(HeadLine::Title))?;
    let HeadLine::Layout(layout) = expect(|text| parse_layout(text).map(HeadLine::Layout))? else {
        return Err(wrong(1, ""));
    };
    let HeadLine::Seed(seed) = expect(|text| text.strip_prefix("seed ")?.parse().ok().map(HeadLine::Seed))?
    else {
        return Err(wrong(2, ""));
    };
    let inputs = lines
        .map(|(index, text)| parse_input(text).ok_or_else(|| wrong(index, text)))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((Head { layout, seed }, inputs))
}

enum HeadLine {
    Title,
    Layout(Layout),
    Seed(u64),
}

/// The first lines of a trace.
pub fn write_head(head: &Head) -> String {
    let Head { layout, seed } = head;
    let mut text = format!("{TITLE}\nlayout {} {}", layout.total(), layout.piece_length());
    for range in layout.padding() {
        let _ = write!(text, " {}-{}", range.start, range.end);
    }
    let _ = writeln!(text, "\nseed {seed}");
    text
}

fn parse_layout(line: &str) -> Option<Layout> {
    let mut fields = line.strip_prefix("layout ")?.split(' ');
    let layout = Layout::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?)?;
    let padding = fields
        .map(|field| {
            let (start, end) = field.split_once('-')?;
            Some(start.parse().ok()?..end.parse().ok()?)
        })
        .collect::<Option<Vec<_>>>()?;
    Some(layout.with_padding(padding))
}

/// Appends one line, its end included.
pub fn write_input(line: &mut String, now: Timestamp, input: &Input) {
    // Writing to a String cannot fail.
    let _ = write_fields(line, now, input);
}

fn write_fields(to: &mut String, now: Timestamp, input: &Input) -> fmt::Result {
    write!(to, "{} ", now.elapsed().as_nanos())?;
    match input {
        Input::PeerConnected { peer, latency } => {
            write!(to, "connected {} ", peer.0)?;
            match latency {
                Some(latency) => write!(to, "{}", latency.as_nanos())?,
                None => to.push('-'),
            }
        }
        Input::PeerQueueLimit { peer, limit } => write!(to, "limit {} {limit}", peer.0)?,
        Input::PeerBitfield { peer, have } => {
            write!(to, "bitfield {} ", peer.0)?;
            write_bits(to, have)?;
        }
        Input::PeerHave { peer, piece } => write!(to, "have {} {}", peer.0, piece.0)?,
        Input::PeerChoked { peer } => write!(to, "choked {}", peer.0)?,
        Input::PeerUnchoked { peer } => write!(to, "unchoked {}", peer.0)?,
        Input::RequestRejected { peer, block } => {
            write!(to, "rejected {} {} {}", peer.0, block.piece.0, block.block)?;
        }
        Input::PeerLeft { peer } => write!(to, "left {}", peer.0)?,
        Input::BlockArrived { peer, block } => {
            write!(to, "arrived {} {} {}", peer.0, block.piece.0, block.block)?;
        }
        Input::BlockLost { block } => write!(to, "lost {} {}", block.piece.0, block.block)?,
        Input::BlockCompared { block, differs } => {
            write!(to, "compared {} {} {}", block.piece.0, block.block, u8::from(*differs))?;
        }
        Input::PieceVerified { piece, lies } => {
            write!(to, "verified {}", piece.0)?;
            for (block, version) in lies {
                write!(to, " {block}.{version}")?;
            }
        }
        Input::PieceFailed { piece } => write!(to, "failed {}", piece.0)?,
        Input::PiecesHad { pieces } => {
            to.push_str("had ");
            write_bits(to, pieces)?;
        }
        Input::ReaderOpened { reader, span, head, rate, until } => {
            write!(to, "opened {} {} {} {head} ", reader.0, span.offset, span.length)?;
            match rate {
                Some(rate) => write!(to, "{rate}")?,
                None => to.push('-'),
            }
            if let Some(until) = until {
                write!(to, " {until}")?;
            }
        }
        Input::ReaderBounded { reader, until } => {
            write!(to, "bounded {} ", reader.0)?;
            match until {
                Some(until) => write!(to, "{until}")?,
                None => to.push('-'),
            }
        }
        Input::ReaderMoved { reader, head, waiting } => {
            write!(to, "moved {} {head} {}", reader.0, u8::from(*waiting))?;
        }
        Input::ReaderClosed { reader } => write!(to, "closed {}", reader.0)?,
        Input::BackgroundWanted { span } => write!(to, "background {} {}", span.offset, span.length)?,
        Input::BackgroundUnwanted { span } => write!(to, "no-background {} {}", span.offset, span.length)?,
        Input::TimeoutReached => to.push_str("timeout"),
    }
    to.push('\n');
    Ok(())
}

fn write_bits(to: &mut String, bits: &Bitfield) -> fmt::Result {
    match (bits.is_none(), bits.is_all()) {
        (true, _) => write!(to, "{} none", bits.pieces()),
        (_, true) => write!(to, "{} all", bits.pieces()),
        _ => write!(to, "{} {}", bits.pieces(), HEXLOWER.encode(&bits.to_wire())),
    }
}

/// Reads one line; `None` if it is none of ours.
pub fn parse_input(line: &str) -> Option<(Timestamp, Input)> {
    let mut fields = Fields(line.split(' '));
    let now = Timestamp::since_start(Duration::from_nanos(fields.number()?));
    let input = match fields.0.next()? {
        "connected" => Input::PeerConnected {
            peer: fields.peer()?,
            latency: fields.optional::<u64>()?.map(Duration::from_nanos),
        },
        "limit" => Input::PeerQueueLimit { peer: fields.peer()?, limit: fields.number()? },
        "bitfield" => Input::PeerBitfield { peer: fields.peer()?, have: fields.bits()? },
        "have" => Input::PeerHave { peer: fields.peer()?, piece: fields.piece()? },
        "choked" => Input::PeerChoked { peer: fields.peer()? },
        "unchoked" => Input::PeerUnchoked { peer: fields.peer()? },
        "rejected" => Input::RequestRejected { peer: fields.peer()?, block: fields.block()? },
        "left" => Input::PeerLeft { peer: fields.peer()? },
        "arrived" => Input::BlockArrived { peer: fields.peer()?, block: fields.block()? },
        "lost" => Input::BlockLost { block: fields.block()? },
        "compared" => Input::BlockCompared { block: fields.block()?, differs: fields.flag()? },
        "verified" => {
            let piece = fields.piece()?;
            let lies = fields.0.by_ref().map(|lie| {
                let (block, version) = lie.split_once('.')?;
                Some((block.parse().ok()?, version.parse().ok()?))
            });
            Input::PieceVerified { piece, lies: lies.collect::<Option<_>>()? }
        }
        "failed" => Input::PieceFailed { piece: fields.piece()? },
        "had" => Input::PiecesHad { pieces: fields.bits()? },
        "opened" => Input::ReaderOpened {
            reader: fields.reader()?,
            span: fields.span()?,
            head: fields.number()?,
            rate: fields.optional()?,
            // Traces of before there were bounds have none.
            until: fields.last()?,
        },
        "bounded" => Input::ReaderBounded { reader: fields.reader()?, until: fields.optional()? },
        "moved" => {
            Input::ReaderMoved { reader: fields.reader()?, head: fields.number()?, waiting: fields.flag()? }
        }
        "closed" => Input::ReaderClosed { reader: fields.reader()? },
        "background" => Input::BackgroundWanted { span: fields.span()? },
        "no-background" => Input::BackgroundUnwanted { span: fields.span()? },
        "timeout" => Input::TimeoutReached,
        _ => return None,
    };
    fields.0.next().is_none().then_some((now, input))
}

struct Fields<'a>(std::str::Split<'a, char>);

impl Fields<'_> {
    /// A number that may be left out at the end of the line.
    fn last<T: std::str::FromStr>(&mut self) -> Option<Option<T>> {
        self.0.next().map_or(Some(None), |field| field.parse().ok().map(Some))
    }

    fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }

    fn optional<T: std::str::FromStr>(&mut self) -> Option<Option<T>> {
        match self.0.next()? {
            "-" => Some(None),
            field => field.parse().ok().map(Some),
        }
    }

    fn flag(&mut self) -> Option<bool> {
        match self.0.next()? {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }
    }

    fn peer(&mut self) -> Option<PeerId> {
        self.number().map(PeerId)
    }

    fn reader(&mut self) -> Option<ReaderId> {
        self.number().map(ReaderId)
    }

    fn piece(&mut self) -> Option<PieceIndex> {
        self.number().map(PieceIndex)
    }

    fn block(&mut self) -> Option<BlockId> {
        Some(BlockId { piece: self.piece()?, block: self.number()? })
    }

    fn span(&mut self) -> Option<FileSpan> {
        Some(FileSpan { offset: self.number()?, length: self.number()? })
    }

    fn bits(&mut self) -> Option<Bitfield> {
        let pieces: u32 = self.number()?;
        match self.0.next()? {
            "none" => Some(Bitfield::none(pieces)),
            "all" => Some(Bitfield::all(pieces)),
            hex => Bitfield::from_wire(&HEXLOWER.decode(hex.as_bytes()).ok()?, pieces),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits() -> impl Strategy<Value = Bitfield> {
        prop_oneof![
            (0u32..100).prop_map(Bitfield::none),
            (0u32..100).prop_map(Bitfield::all),
            (1u32..100, proptest::collection::vec(0u32..100, 0..50)).prop_map(|(pieces, set)| {
                let mut bits = Bitfield::none(pieces);
                for piece in set {
                    bits.insert(PieceIndex(piece));
                }
                bits
            }),
        ]
    }

    fn input() -> impl Strategy<Value = Input> {
        let peer = || any::<u32>().prop_map(PeerId);
        let reader = || any::<u32>().prop_map(ReaderId);
        let piece = || any::<u32>().prop_map(PieceIndex);
        let block = || (piece(), any::<u32>()).prop_map(|(piece, block)| BlockId { piece, block });
        let span = || any::<(u64, u64)>().prop_map(|(offset, length)| FileSpan { offset, length });
        let from_peer = prop_oneof![
            (peer(), proptest::option::of(any::<u64>().prop_map(Duration::from_nanos)))
                .prop_map(|(peer, latency)| Input::PeerConnected { peer, latency }),
            (peer(), any::<u32>()).prop_map(|(peer, limit)| Input::PeerQueueLimit { peer, limit }),
            (peer(), bits()).prop_map(|(peer, have)| Input::PeerBitfield { peer, have }),
            (peer(), piece()).prop_map(|(peer, piece)| Input::PeerHave { peer, piece }),
            peer().prop_map(|peer| Input::PeerChoked { peer }),
            peer().prop_map(|peer| Input::PeerUnchoked { peer }),
            (peer(), block()).prop_map(|(peer, block)| Input::RequestRejected { peer, block }),
            peer().prop_map(|peer| Input::PeerLeft { peer }),
            (peer(), block()).prop_map(|(peer, block)| Input::BlockArrived { peer, block }),
        ];
        let from_store = prop_oneof![
            block().prop_map(|block| Input::BlockLost { block }),
            (block(), any::<bool>()).prop_map(|(block, differs)| Input::BlockCompared { block, differs }),
            (piece(), proptest::collection::vec(any::<(u32, u32)>(), 0..5))
                .prop_map(|(piece, lies)| Input::PieceVerified { piece, lies }),
            piece().prop_map(|piece| Input::PieceFailed { piece }),
            bits().prop_map(|pieces| Input::PiecesHad { pieces }),
        ];
        let from_readers = prop_oneof![
            (reader(), span(), any::<u64>(), any::<Option<u32>>(), any::<Option<u64>>()).prop_map(
                |(reader, span, head, rate, until)| Input::ReaderOpened { reader, span, head, rate, until }
            ),
            (reader(), any::<Option<u64>>())
                .prop_map(|(reader, until)| Input::ReaderBounded { reader, until }),
            (reader(), any::<u64>(), any::<bool>()).prop_map(|(reader, head, waiting)| Input::ReaderMoved {
                reader,
                head,
                waiting
            }),
            reader().prop_map(|reader| Input::ReaderClosed { reader }),
            span().prop_map(|span| Input::BackgroundWanted { span }),
            span().prop_map(|span| Input::BackgroundUnwanted { span }),
            Just(Input::TimeoutReached),
        ];
        prop_oneof![from_peer, from_store, from_readers]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            total in 0u64..1 << 40,
            padding in proptest::collection::vec((0u64..1 << 40, 1u64..1 << 20), 0..4),
            seed: u64,
            inputs in proptest::collection::vec((any::<u32>(), input()), 0..20),
        ) {
            let padding = padding.into_iter().map(|(start, length)| start..start + length);
            let layout = Layout::new(total, 1 << 20).expect("fair").with_padding(padding);
            let head = Head { layout, seed };
            let inputs: Vec<_> = inputs
                .into_iter()
                .map(|(at, input)| (Timestamp::since_start(Duration::from_nanos(u64::from(at))), input))
                .collect();
            let mut text = write_head(&head);
            for (at, input) in &inputs {
                write_input(&mut text, *at, input);
            }
            prop_assert_eq!(parse(&text), Ok((head, inputs)));
        }

        #[test]
        fn nonsense_is_refused_and_never_a_panic(line in "[0-9]{0,5} ?[a-z-]{0,12}( [0-9a-f.-]{0,8}){0,4}\n?") {
            let _ = parse_input(&line);
            let _ = parse(&line);
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let head = write_head(&Head { layout: Layout::new(10, 5).expect("fair"), seed: 1 });
        let error = parse(&format!("{head}5 timeout\n6 dance\n")).expect_err("not a trace");
        assert_eq!(error.to_string(), "line 5 of the trace cannot be read: 6 dance");
    }

    #[test]
    fn a_trace_that_was_cut_ends_where_it_was_cut() {
        let head = write_head(&Head { layout: Layout::new(10, 5).expect("fair"), seed: 1 });
        let (_, inputs) = parse(&format!("{head}5 timeout\n6 tim")).expect("a trace");
        assert_eq!(inputs.len(), 1);
    }
}
