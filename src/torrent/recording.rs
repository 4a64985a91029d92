//! The file of `--trace`, while it is written. When it cannot be written any more, it ends there, and the film goes on.

use std::fs::File;
use std::io::{BufWriter, Write};

use tracing::warn;

use super::trace::{self, Head};
use crate::scheduler::Input;
use crate::units::Timestamp;

/// See the module's documentation.
pub(super) struct Recording {
    file: Option<BufWriter<File>>,
    line: String,
}

impl Recording {
    pub(super) fn new(file: File, head: &Head) -> Self {
        let mut recording = Recording {
            file: Some(BufWriter::with_capacity(256 * 1024, file)),
            line: trace::write_head(head),
        };
        recording.put();
        recording
    }

    pub(super) fn write(&mut self, now: Timestamp, input: &Input) {
        trace::write_input(&mut self.line, now, input);
        self.put();
    }

    fn put(&mut self) {
        self.keep(|line, file| file.write_all(line.as_bytes()));
        self.line.clear();
    }

    pub(super) fn flush(&mut self) {
        self.keep(|_, file| file.flush());
    }

    fn keep(&mut self, write: impl FnOnce(&str, &mut BufWriter<File>) -> std::io::Result<()>) {
        let Some(file) = &mut self.file else { return };
        if let Err(cause) = write(&self.line, file) {
            warn!("the trace ends here: {cause}");
            self.file = None;
        }
    }
}
