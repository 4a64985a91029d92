//! Why a dial or a connection came to its end: kept as data, for a viewer who asks why he waits.

use std::io;

/// How it ended. Ordered so that counts of them can be listed the same way each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Ending {
    #[error("refused the connection")]
    Refused,
    #[error("did not answer the dial")]
    ConnectTimeout,
    #[error("cannot be reached from here")]
    Unreachable,
    #[error("closed at once (it may not have this torrent, have enough peers, or want encryption)")]
    ClosedBeforeHandshake,
    #[error("connected, but did not say the handshake in time")]
    HandshakeTimeout,
    #[error("does not speak BitTorrent (or only encrypted)")]
    NotBitTorrent,
    #[error("has another torrent")]
    WrongInfoHash,
    #[error("is ourselves")]
    Oneself,
    #[error("is connected already")]
    Duplicate,
    #[error("came when there was no room")]
    Crowded,
    #[error("misbehaved: {0}")]
    Misbehaved(Offence),
    #[error("closed the connection")]
    ClosedAfterHandshake,
    #[error("said nothing for too long")]
    Idle,
    #[error("was dropped as useless")]
    Dropped,
    #[error("was of no use, and made room for another")]
    Replaced,
    #[error("was banned")]
    Banned,
    #[error("did not come from the tracker of this private torrent")]
    Private,
    #[error("was left as we closed")]
    Closed,
}

/// What no peer does by mistake of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Offence {
    #[error("sent what is no message")]
    NotAMessage,
    #[error("sent a bitfield of the wrong length")]
    BadBitfield,
    #[error("said again and again what it has")]
    ManyBitfields,
    #[error("claimed a piece that the torrent does not have")]
    BadHave,
    #[error("sent a block that the torrent does not have")]
    BadBlock,
    #[error("sent much that nobody asked for")]
    Unasked,
    #[error("took too long for one message")]
    SlowMessage,
    #[error("sent false metadata")]
    FalseMetadata,
    #[error("does not read what we send")]
    NotReading,
}

impl Ending {
    /// What a failed dial means.
    pub(super) fn of_dial(error: &io::Error) -> Ending {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Ending::Refused,
            io::ErrorKind::TimedOut => Ending::ConnectTimeout,
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                Ending::ClosedBeforeHandshake
            }
            _ => Ending::Unreachable,
        }
    }
}
