use std::io::Read;

use super::{
    block::{Block, is_blank},
    blocks::{Count, Fault, MAX_LINE_BYTES, read_some},
};

/// A block that one huge line blew up beyond this is given back to the system.
const MAX_IDLE_BYTES: usize = 4 << 20;

/// Text that is lines already: read to where it stays, and cut behind the last newline.
pub(super) struct Lines {
    text: Box<dyn Read + Send>,
    /// What was read behind the last newline.
    rest: Vec<u8>,
    ended: bool,
}

impl Lines {
    /// `head` is what was read of the text already.
    pub(super) fn new(text: Box<dyn Read + Send>, head: Vec<u8>) -> Self {
        Self { text, rest: head, ended: false }
    }

    /// Fills the block with about `target` bytes; counts what is in it.
    pub(super) fn fill(&mut self, block: &mut Block, target: usize) -> Result<Count, Fault> {
        let buffer = &mut block.buffer;
        let mut wanted = target.max(1);
        if buffer.len() > MAX_IDLE_BYTES.max(wanted) {
            buffer.truncate(MAX_IDLE_BYTES);
            buffer.shrink_to_fit();
        }
        make_room(buffer, wanted.max(self.rest.len()));
        let mut filled = self.rest.len();
        if let Some(start) = buffer.get_mut(..filled) {
            start.copy_from_slice(&self.rest);
        }
        self.rest.clear();
        let mut searched = 0;
        let end = loop {
            make_room(buffer, wanted);
            while filled < wanted && !self.ended {
                let read =
                    read_some(&mut *self.text, buffer.get_mut(filled..wanted).unwrap_or_default())?;
                filled += read;
                self.ended = read == 0;
            }
            if self.ended && filled < wanted {
                if filled > 0 && buffer.get(filled - 1) != Some(&b'\n') {
                    // There is room: less was filled than there is.
                    buffer.get_mut(filled).into_iter().for_each(|byte| *byte = b'\n');
                    filled += 1;
                }
                break filled;
            }
            let fresh = buffer.get(searched..filled).unwrap_or_default();
            if let Some(at) = memchr::memrchr(b'\n', fresh) {
                let end = searched + at + 1;
                self.rest.extend_from_slice(buffer.get(end..filled).unwrap_or_default());
                break end;
            }
            if filled > MAX_LINE_BYTES {
                return Err(Fault::TooLong(0));
            }
            searched = filled;
            wanted = (wanted.max(filled) * 2).min(MAX_LINE_BYTES + 1);
        };
        block.end = end;
        Ok(count(block.bytes()))
    }
}

fn make_room(buffer: &mut Vec<u8>, bytes: usize) {
    if buffer.len() < bytes {
        buffer.resize(bytes, 0);
    }
}

fn count(bytes: &[u8]) -> Count {
    let mut count = Count::default();
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', bytes) {
        count.lines += 1;
        count.items += u64::from(!is_blank(bytes.get(start..end).unwrap_or_default()));
        start = end + 1;
    }
    count
}
