//! Header blocks: names and values, compressed with one state for all blocks of a direction.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// How long a block may get: those of Kubernetes have a hundred bytes.
const LONGEST: usize = 64 * 1024;

/// The words that the dictionary begins with, each after its length in four bytes.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
    if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status";

/// Words with spaces or capitals that follow, in the same way.
const MORE_WORDS: [&str; 8] = ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"];

/// What the dictionary ends with, as it is.
const TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
    404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable\
    Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT\
    chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,\
    publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/// The dictionary that both sides begin with: a part of the protocol.
fn dictionary() -> Vec<u8> {
    let mut dictionary = Vec::new();
    for word in WORDS.split_whitespace().chain(MORE_WORDS) {
        put(&mut dictionary, word);
    }
    dictionary.extend_from_slice(TEXT.as_bytes());
    dictionary
}

/// A length in four bytes, and the text.
fn put(block: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).expect("our own texts are short");
    block.extend_from_slice(&length.to_be_bytes());
    block.extend_from_slice(text.as_bytes());
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a SPDY header block {what}"))
}

/// Reads the blocks of one direction.
pub(super) struct Reader {
    state: Decompress,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { state: Decompress::new(true) }
    }

    /// The headers of the next block.
    ///
    /// # Errors
    /// When it is broken; the session cannot go on then, as the state is lost.
    pub(super) fn read(&mut self, mut block: &[u8]) -> io::Result<Vec<(String, String)>> {
        let mut plain = Vec::with_capacity(1024);
        loop {
            if plain.len() == plain.capacity() {
                if plain.len() > LONGEST {
                    return Err(broken("is too long"));
                }
                plain.reserve(plain.len());
            }
            let (read, written) = (self.state.total_in(), plain.len());
            match self.state.decompress_vec(block, &mut plain, FlushDecompress::Sync) {
                Ok(Status::StreamEnd) => break,
                Ok(Status::Ok | Status::BufError) => {}
                Err(error) if error.needs_dictionary().is_some() => {
                    self.state.set_dictionary(&dictionary()).map_err(|_| broken("is of another dictionary"))?;
                }
                Err(_) => return Err(broken("cannot be decompressed")),
            }
            let used = usize::try_from(self.state.total_in() - read).unwrap_or(block.len());
            block = block.get(used..).unwrap_or_default();
            if block.is_empty() && plain.len() < plain.capacity() {
                break;
            }
            if used == 0 && plain.len() == written {
                return Err(broken("cannot be decompressed"));
            }
        }
        parse(&plain)
    }
}

fn parse(mut plain: &[u8]) -> io::Result<Vec<(String, String)>> {
    fn number(plain: &mut &[u8]) -> io::Result<usize> {
        let (number, rest) = plain.split_first_chunk().ok_or_else(|| broken("is cut off"))?;
        *plain = rest;
        usize::try_from(u32::from_be_bytes(*number)).map_err(|_| broken("is too long"))
    }
    fn text(plain: &mut &[u8]) -> io::Result<String> {
        let length = number(plain)?;
        let (text, rest) = plain.split_at_checked(length).ok_or_else(|| broken("is cut off"))?;
        *plain = rest;
        String::from_utf8(text.to_vec()).map_err(|_| broken("is no text"))
    }
    let count = number(&mut plain)?;
    // No capacity by the count: it is the sender's word only.
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((text(&mut plain)?.to_ascii_lowercase(), text(&mut plain)?));
    }
    Ok(headers)
}

/// Writes the blocks of one direction.
pub(super) struct Writer {
    state: Compress,
}

impl Writer {
    pub(super) fn new() -> Self {
        let mut state = Compress::new(Compression::default(), true);
        state.set_dictionary(&dictionary()).expect("a new state takes a dictionary");
        Self { state }
    }

    /// The next block.
    pub(super) fn write(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = Vec::new();
        let count = u32::try_from(headers.len()).expect("our own headers are few");
        plain.extend_from_slice(&count.to_be_bytes());
        for (name, value) in headers {
            put(&mut plain, name);
            put(&mut plain, value);
        }
        // More than it can get, so one call does it.
        let mut block = Vec::with_capacity(plain.len() + 128);
        self.state
            .compress_vec(&plain, &mut block, FlushCompress::Sync)
            .expect("compression of memory into memory cannot fail");
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_one_that_all_others_have() {
        let dictionary = dictionary();
        assert_eq!(dictionary.len(), 1423);
        // A zlib stream names its dictionary by its Adler-32 sum, so it stands at the head of every first block.
        let block = Writer::new().write(&[]);
        assert_eq!(block[0] & 0x0f, 8);
        assert_eq!(block[2..6], [0xe3, 0xc6, 0xa7, 0xc2]);
    }

    #[test]
    fn blocks_are_read_as_they_were_written_one_after_the_other() {
        let (mut writer, mut reader) = (Writer::new(), Reader::new());
        for id in 0..20 {
            let id = id.to_string();
            let headers = [("streamtype", "error"), ("port", "2379"), ("requestid", id.as_str())];
            let read = reader.read(&writer.write(&headers)).unwrap();
            let plain: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(plain, headers);
        }
        let long = "x".repeat(5000);
        assert_eq!(reader.read(&writer.write(&[("long", &long)])).unwrap()[0].1, long);
        assert!(reader.read(&writer.write(&[])).unwrap().is_empty());
    }

    #[test]
    fn broken_blocks_are_errors() {
        assert!(Reader::new().read(b"").is_err());
        assert!(Reader::new().read(b"nonsense").is_err());
        assert!(parse(&[0, 0, 0, 1, 0, 0, 0, 9, b'a']).is_err());
        assert!(parse(&[0xff, 0xff, 0xff, 0xff]).is_err());
        let huge = "x".repeat(10 * LONGEST);
        let mut state = Compress::new(Compression::default(), true);
        state.set_dictionary(&dictionary()).unwrap();
        let mut block = Vec::with_capacity(huge.len());
        state.compress_vec(huge.as_bytes(), &mut block, FlushCompress::Sync).unwrap();
        assert!(Reader::new().read(&block).is_err());
    }

    #[test]
    fn any_bytes_are_headers_or_an_error_and_never_a_panic_or_a_hang() {
        let mut random = fastrand::Rng::with_seed(7);
        let good = Writer::new().write(&[("streamtype", "data"), ("port", "2379"), ("requestid", "1")]);
        for _ in 0..2000 {
            let mut block = good.clone();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..block.len());
                block[at] = random.u8(..);
            }
            block.truncate(random.usize(0..=block.len()));
            let _ = Reader::new().read(&block);
        }
    }
}
