//! What compressed a cluster, undone in small steps: neither asks for anything nor keeps what it gives.

use zstd::stream::raw::{DParameter, Decoder as Zstd, Operation};

use super::super::ZimError;

/// zimwriterfs compressed with a dictionary of 64 MiB (`-9e`) as long as it wrote XZ. The decoder asks for so much memory, and
/// touches no more of it than it has decoded.
const XZ_MEMORY: u64 = 80 * 1024 * 1024;
/// libzim refuses windows above 128 MiB, zstd's own default. Touched as above.
const ZSTD_WINDOW_LOG: u32 = 27;

/// One compressed stream, from its beginning.
pub enum Decoder {
    Xz(Box<liblzma::stream::Stream>),
    Zstd(Box<Zstd<'static>>),
}

/// What a step has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub taken: usize,
    pub given: usize,
    /// Nothing more comes.
    pub is_end: bool,
}

impl Decoder {
    pub fn xz() -> Result<Decoder, ZimError> {
        let stream = liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0);
        stream.map(|stream| Decoder::Xz(Box::new(stream))).map_err(|why| failed("XZ", &why))
    }

    pub fn zstd() -> Result<Decoder, ZimError> {
        let limited = Zstd::new().and_then(|mut decoder| {
            decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
            Ok(decoder)
        });
        limited.map(|decoder| Decoder::Zstd(Box::new(decoder))).map_err(|why| failed("zstd", &why))
    }

    /// Decodes from `input` into `output`. An empty `input` gives what the decoder still holds. A step that does nothing although
    /// there is input is an error: it would be repeated for ever.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, ZimError> {
        let step = match self {
            Decoder::Xz(stream) => {
                let before = (stream.total_in(), stream.total_out());
                let status = stream.process(input, output, liblzma::stream::Action::Run);
                let status = status.map_err(|why| failed("XZ", &why))?;
                Step {
                    taken: (stream.total_in() - before.0) as usize,
                    given: (stream.total_out() - before.1) as usize,
                    is_end: status == liblzma::stream::Status::StreamEnd,
                }
            }
            Decoder::Zstd(decoder) => {
                let status = decoder.run_on_buffers(input, output).map_err(|why| failed("zstd", &why))?;
                Step { taken: status.bytes_read, given: status.bytes_written, is_end: status.remaining == 0 }
            }
        };
        match step {
            Step { taken: 0, given: 0, is_end: false } if !input.is_empty() => {
                Err(failed("the decoder", &"it stands still"))
            }
            step => Ok(step),
        }
    }
}

fn failed(what: &str, why: &dyn std::fmt::Display) -> ZimError {
    ZimError::Broken(format!("a cluster cannot be decoded: {what} says: {why}"))
}
