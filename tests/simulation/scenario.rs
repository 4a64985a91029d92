//! What a scenario is made of: data. docs/simulation.md tells what each part means.

use crate::report::Limits;

/// A world, what the viewer does in it, and what he may expect.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub story: &'static str,
    /// Lengths of the files, one after another. The viewer watches the first.
    pub files: Vec<u64>,
    pub piece: u32,
    /// True: a padding file after each file brings the next one to the start of a piece (BEP 47).
    pub padded: bool,
    /// The share of pieces that an earlier run has left.
    pub had: f64,
    /// The probability that the disk refuses a block that came.
    pub loses: f64,
    /// The viewer's line, bytes a second.
    pub line: Option<f64>,
    pub network: Network,
    pub groups: Vec<Group>,
    pub steps: Vec<Step>,
    pub limits: Limits,
}

/// How faithfully the wires are modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// As bench/swarm.py does it on loopback: requests and cancels are there at once, a block is there as soon as its
    /// slot on the seed's line begins, and the bound is compare.py's.
    Bench,
    /// Half a round trip each way, a block is there when its last byte is, dialling takes a round trip.
    Wires,
}

/// Peers of one character.
#[derive(Clone, Debug)]
pub struct Group {
    pub count: usize,
    /// Bytes a second that each can send.
    pub rate: f64,
    /// Seconds there and back.
    pub rtt: f64,
    /// Rate and round trip of each peer differ from the group's by up to this share.
    pub spread: f64,
    /// Up to so many seconds more, another each time, for whatever it sends.
    pub jitter: f64,
    /// A connection begins with ten segments a round trip and doubles.
    pub slow_start: bool,
    pub have: Have,
    /// After that many bytes its rate is this; 0: silence.
    pub after: Option<(u64, f64)>,
    /// The probability that a block it sends is bad.
    pub lies: f64,
    /// Chokes for `.1` seconds every `.0` seconds.
    pub chokes: Option<(f64, f64)>,
    /// All of them choke at once; otherwise each at its own moment.
    pub together: bool,
    pub unchokes: bool,
    /// Seconds after which it is found.
    pub joins: f64,
    pub leaves: Leaves,
    /// Does not heed cancels.
    pub deaf: bool,
    /// Fast extension: it says no to this share of the requests, and to all that it forgets when it chokes.
    pub rejects: Option<f64>,
    /// Queues so many requests, says so, and ignores all beyond.
    pub queues: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Have {
    All,
    /// Each piece with this probability.
    Share(f64),
    /// Every piece is with so many peers of the group, and no more.
    Copies(usize),
    /// Has the first share of the pieces, and gains another one every `seconds`.
    Growing {
        first: f64,
        seconds: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaves {
    Never,
    At(f64),
    /// So many seconds after the n-th step that waits for bytes has begun (counted from 1).
    During(usize, f64),
}

/// What the viewer does next.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// The rest of the film is wanted, or no longer.
    Background(bool),
    Wait(f64),
    /// Asks for a range by itself and waits for its first 256 KiB.
    Fetch(Measure, At),
    /// Asks for this many bytes from there, waits for them.
    FetchBytes(Measure, At, u64),
    /// Watches so many seconds of film at so many bytes a second, and waits for the end of that.
    Play {
        at: At,
        rate: f64,
        seconds: f64,
    },
    /// A player begins to show the film and goes on with it: number, where, bytes a second, seconds it reads ahead.
    Open {
        player: usize,
        at: At,
        rate: f64,
        ahead: f64,
    },
    Seek {
        player: usize,
        at: At,
    },
    /// Waits until a player's last seek has its first 256 KiB.
    Ready(Measure, usize),
    Pause(usize),
    Resume(usize),
    Close(usize),
    /// From now on the viewer's line carries this.
    Line(f64),
    /// Remembers how much has come ...
    Mark,
    /// ... so that this can say how much more may have come since.
    CameAtMost(u64),
    /// Waits until the whole first file is here.
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Start,
    Seek,
}

/// A place in the first file.
#[derive(Clone, Copy, Debug)]
pub enum At {
    Share(f64),
    /// At random between these shares.
    Somewhere(f64, f64),
    /// So many bytes before the end.
    End(u64),
}

impl Group {
    pub fn new(count: usize, rate: f64, rtt: f64) -> Self {
        Group {
            count,
            rate,
            rtt,
            spread: 0.0,
            jitter: 0.0,
            slow_start: false,
            have: Have::All,
            after: None,
            lies: 0.0,
            chokes: None,
            together: false,
            unchokes: true,
            joins: 0.0,
            leaves: Leaves::Never,
            deaf: false,
            rejects: None,
            queues: None,
        }
    }

    /// One whose word can be relied on for the whole of a request: what a bound may count with.
    pub fn is_steady(&self) -> bool {
        self.after.is_none() && self.lies == 0.0 && self.unchokes && self.leaves == Leaves::Never
    }

    /// The share of its time in which it serves.
    pub fn open_share(&self) -> f64 {
        self.chokes.map_or(1.0, |(every, time)| 1.0 - time / every)
    }
}

impl Scenario {
    pub fn new(story: &'static str, size: u64, piece: u32, groups: Vec<Group>, steps: Vec<Step>) -> Self {
        Scenario {
            story,
            files: vec![size],
            piece,
            padded: false,
            had: 0.0,
            loses: 0.0,
            line: None,
            network: Network::Wires,
            groups,
            steps,
            limits: Limits::GOAL,
        }
    }
}
