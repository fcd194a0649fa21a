//! Comparing the keys of two members at one revision. Both are read in pages at the same time, and no more than two pages
//! of each are held.

use std::time::{Duration, Instant};

use etcd_client::{GetOptions, GetResponse, KeyValue, KvClient};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::client::Etcd;
use super::errors::{call, is_too_large};
use super::paging::{Page, Paging};
use crate::model::{AsKey, Key, KeyComparison, Keys, MemberId, Pod};
use crate::runbook::{Trouble, TroubleKind};

/// How long a member may take for one page.
const PAGE: Duration = Duration::from_secs(30);

/// How often a page is asked for whose answer was lost.
const TRIES: u32 = 2;

/// How long to pause before that.
const PAUSE: Duration = Duration::from_secs(1);

/// The largest page that is taken in.
const LARGEST_PAGE: usize = 4 << 20;

/// The largest page that is taken in where it is one key: etcd's usual limit is 1.5 MB, and some raise it.
const LARGEST_KEY: usize = 16 << 20;

/// How often the progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

impl Etcd {
    /// Compares all keys that two members have at a revision. `progress` hears of keys compared and of all keys.
    pub(in crate::cluster) async fn compare_keys(
        &self,
        reference: (&Pod, MemberId),
        other: (&Pod, MemberId),
        revision: i64,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> KeyComparison {
        let mut comparison = KeyComparison::default();
        let walk = async {
            // Dropped with this future, and the reading ends with it.
            let mut readers = JoinSet::new();
            let mut reference = Side::begin(&mut readers, self.reader(reference, revision)?);
            let mut other = Side::begin(&mut readers, self.reader(other, revision)?);
            let mut told = Instant::now();
            loop {
                tokio::try_join!(reference.fill(), other.fill())?;
                let (used, other_used) = comparison.go_on(&reference.keys(), &other.keys());
                reference.used += used;
                other.used += other_used;
                let over = reference.over() && other.over();
                if over || told.elapsed() >= TELL_EVERY {
                    progress(comparison.compared, reference.total.max(other.total));
                    told = Instant::now();
                }
                if over {
                    return Ok::<_, Trouble>(());
                }
            }
        };
        if let Err(trouble) = walk.await {
            comparison.broken_off = Some(trouble.message);
        }
        comparison
    }

    fn reader(&self, (pod, member): (&Pod, MemberId), revision: i64) -> Result<Reader, Trouble> {
        let access =
            self.known(pod).ok_or_else(|| Trouble::new(TroubleKind::Lost, format!("{} does not answer", pod.name)))?;
        let client = access.streaming()?;
        Ok(Reader {
            pages: client.kv_client().max_decoding_message_size(LARGEST_PAGE),
            single: client.kv_client().max_decoding_message_size(LARGEST_KEY),
            pod: pod.name.clone(),
            member,
            revision,
            paging: Paging::new(),
            read: 0,
            total: None,
        })
    }
}

impl AsKey for KeyValue {
    fn as_key(&self) -> Key<'_> {
        Key {
            key: self.key(),
            value: self.value(),
            create_revision: self.create_revision(),
            mod_revision: self.mod_revision(),
            version: self.version(),
            lease: self.lease(),
        }
    }
}

/// Some keys of a member, in order.
struct Read {
    keys: Vec<KeyValue>,
    /// How many keys the member has in all.
    total: u64,
    /// Whether these are the last.
    last: bool,
}

/// One member's keys as they come.
struct Side {
    pages: mpsc::Receiver<Result<Read, Trouble>>,
    page: Vec<KeyValue>,
    /// How many keys of the page are done with.
    used: usize,
    ended: bool,
    total: Option<u64>,
}

impl Side {
    /// Begins to read ahead, one page at a time.
    fn begin(readers: &mut JoinSet<()>, mut reader: Reader) -> Self {
        let (send, pages) = mpsc::channel(1);
        readers.spawn(async move {
            // The page is asked for once there is room for it.
            while let Ok(room) = send.reserve().await {
                let read = reader.next().await;
                let over = read.as_ref().map_or(true, |read| read.last);
                room.send(read);
                if over {
                    return;
                }
            }
        });
        Self { pages, page: Vec::new(), used: 0, ended: false, total: None }
    }

    /// Sees to it that there is a key to compare, unless there are no more.
    async fn fill(&mut self) -> Result<(), Trouble> {
        while self.used == self.page.len() && !self.ended {
            self.page = Vec::new();
            let read = self.pages.recv().await;
            let read = read.ok_or_else(|| Trouble::new(TroubleKind::Internal, "the reading of keys has ended"))??;
            (self.page, self.used, self.ended, self.total) = (read.keys, 0, read.last, Some(read.total));
        }
        Ok(())
    }

    fn keys(&self) -> Keys<'_, KeyValue> {
        Keys { next: &self.page[self.used..], ended: self.ended }
    }

    fn over(&self) -> bool {
        self.ended && self.used == self.page.len()
    }
}

/// Reads all keys of a member at one revision.
struct Reader {
    pages: KvClient,
    single: KvClient,
    pod: String,
    member: MemberId,
    revision: i64,
    paging: Paging,
    read: u64,
    /// How many keys there are, by the first answer.
    total: Option<u64>,
}

impl Reader {
    /// The next keys. Not empty, unless they are the last.
    async fn next(&mut self) -> Result<Read, Trouble> {
        loop {
            let Some(mut answer) = self.ask_again().await? else {
                if self.paging.too_large() {
                    continue;
                }
                let from = self.paging.from.escape_ascii();
                return Err(self.refused(&format!("the first from \"{from}\" on has over {LARGEST_KEY} bytes")));
            };
            if answer.header().map(etcd_client::ResponseHeader::member_id) != Some(self.member.0) {
                return Err(self.refused("another member answered"));
            }
            let keys = answer.take_kvs();
            let ends = keys.first().zip(keys.last()).map(|(first, last)| (first.key(), last.key()));
            if answer.more() && ends.is_none() {
                return Err(self.refused("an answer had none, and said that there are more"));
            }
            // The first range is that of all keys, so its count is theirs.
            let total = *self.total.get_or_insert_with(|| u64::try_from(answer.count()).unwrap_or_default());
            let bytes = keys.iter().map(|key| key.key().len() + key.value().len()).sum();
            let last = self.paging.took(Page { ends, keys: keys.len(), bytes, more: answer.more() });
            self.read += keys.len() as u64;
            if last && self.read != total {
                let read = self.read;
                return Err(self.refused(&format!("there were {total} at first and {read} came")));
            }
            if last || !keys.is_empty() {
                return Ok(Read { keys, total, last });
            }
        }
    }

    /// Asks for a page, and again where the answer was lost: the revision is fixed, so it is the same page.
    async fn ask_again(&mut self) -> Result<Option<GetResponse>, Trouble> {
        let mut tries = 1;
        loop {
            match self.ask().await {
                Err(trouble) if trouble.kind == TroubleKind::Lost && tries < TRIES => {
                    tracing::debug!(%trouble, "a page of keys was lost");
                    tokio::time::sleep(PAUSE).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// One page; none where it is too large.
    async fn ask(&mut self) -> Result<Option<GetResponse>, Trouble> {
        let Paging { from, end, limit, .. } = &self.paging;
        let options = GetOptions::new()
            .with_serializable()
            .with_revision(self.revision)
            .with_limit(i64::try_from(*limit).unwrap_or(1));
        let options = match end {
            Some(end) => options.with_range(end.clone()),
            None => options.with_from_key(),
        };
        let client = if *limit == 1 { &mut self.single } else { &mut self.pages };
        let page = async {
            match client.get(from.clone(), Some(options)).await {
                Err(error) if is_too_large(&error) => Ok(None),
                other => other.map(Some),
            }
        };
        call(&format!("read the keys of {}", self.pod), PAGE, page).await
    }

    fn refused(&self, why: &str) -> Trouble {
        Trouble::new(TroubleKind::Refused, format!("cannot read the keys of {}: {why}", self.pod))
    }
}
