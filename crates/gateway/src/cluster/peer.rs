//! Another node, as this one knows it: what is to be told to it, what was heard from it, and the clients that the two
//! have between them.
//!
//! What is told gathers while the last message is on its way, so that one message carries all that the two nodes have
//! for each other. Each direction is a stream of numbered bundles. What is missing shows by its number: then all links
//! between the two are over, whose clients come back by themselves, and the stream begins anew.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parlor_protocol::{ErrorCode, ErrorDetail};
use serde_bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::bundle::{Ask, Bundle, Note, Open, Query, RoomAnswer, Seal, Seated};
use super::edge::{EdgeHandle, EdgeLink};
use super::host::{HostHandle, HostLink, Out};
use super::metrics::RelayMetrics;
use crate::connection::Connection;
use crate::encode::Answering;
use crate::outbox::{Message, OutboxLimits};
use crate::seating::NewToken;

/// Another node.
pub(crate) struct Peer {
    pub(super) node: Arc<str>,
    /// Where it listens.
    pub(super) inbox: String,
    pub(super) metrics: Arc<RelayMetrics>,
    /// How much may be under way to each client between the two.
    pub(super) under_way: UnderWay,
    /// From when on this node counts milliseconds, to whomever.
    since: Instant,
    /// What it is to be told. Taken after a room's lock, under which a connection may be closed.
    out: Mutex<Outgoing>,
    /// There is something to tell.
    due: Notify,
    /// What was heard. Only the task that reads the inbox and the one that minds silences take it.
    heard: Mutex<Heard>,
    edges: Mutex<HashMap<u64, Arc<EdgeLink>>>,
    hosts: Mutex<HashMap<u64, HostHandle>>,
    queries: Mutex<HashMap<u64, oneshot::Sender<Option<RoomAnswer>>>>,
}

struct Outgoing {
    stream: u64,
    number: u64,
    notes: VecDeque<Note<'static>>,
    /// A message was made and is not on its way yet.
    is_sending: bool,
    /// Links of clients of this node that have taken what came.
    taken: Vec<Arc<EdgeLink>>,
    /// Links of clients of the other node for which something may wait.
    ready: VecDeque<Arc<HostLink>>,
    /// It is to be told that this node is there.
    beat: bool,
    /// It is to be told of all rooms, before anything else.
    rooms_due: bool,
}

struct Heard {
    stream: Following,
    last: Instant,
    /// When it was last told that something is missing.
    complained: Option<Instant>,
    /// The least by which this node's count was ahead of the other's when something came: what came by the quickest way,
    /// lately and before that. Their clocks need not agree, and may drift.
    quickest: (i64, i64),
    quickest_since: Instant,
}

/// How far a stream is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Following {
    /// Nothing was heard yet.
    Nothing,
    /// The next bundle of this stream has this number.
    Next(u64, u64),
    /// Something of this stream is missing: another is waited for.
    Broken(u64),
}

/// How much may be under way to a client on another node and not taken by its socket. What is beyond waits in the outbox
/// where its room is.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl UnderWay {
    /// Half of what an outbox takes, so that one on the edge always has place for it, and not more than is of use.
    pub(super) fn within(outbox: OutboxLimits) -> Self {
        let half = |bound: usize| u64::try_from(bound / 2).unwrap_or(u64::MAX);
        Self {
            messages: half(outbox.messages_max).clamp(1, UNDER_WAY_MESSAGES_MAX),
            bytes: half(outbox.bytes_max).clamp(1, UNDER_WAY_BYTES_MAX),
        }
    }
}

/// What is to be done with a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heed {
    /// It is the next one.
    Yes,
    /// It begins a stream, when another was being followed: whatever there was is over.
    Anew,
    /// It came before.
    No,
    /// Something before it is missing, first seen now.
    Broken,
}

impl Peer {
    pub(super) fn new(
        node: &str,
        inbox: String,
        stream: u64,
        since: Instant,
        metrics: Arc<RelayMetrics>,
        under_way: UnderWay,
    ) -> Arc<Self> {
        let out = Outgoing {
            stream,
            number: 0,
            notes: VecDeque::new(),
            is_sending: false,
            taken: Vec::new(),
            ready: VecDeque::new(),
            beat: true,
            rooms_due: true,
        };
        let now = Instant::now();
        let heard = Heard {
            stream: Following::Nothing,
            last: now,
            complained: None,
            quickest: (i64::MAX, i64::MAX),
            quickest_since: now,
        };
        Arc::new(Self {
            node: node.into(),
            inbox,
            metrics,
            under_way,
            since,
            out: Mutex::new(out),
            due: Notify::new(),
            heard: Mutex::new(heard),
            edges: Mutex::default(),
            hosts: Mutex::default(),
            queries: Mutex::default(),
        })
    }

    /// Tells it something, after what it is told already. Whoever minds the nodes ends everything where too much waits.
    pub(super) fn tell(&self, note: Note<'static>) {
        let mut out = self.out.lock();
        out.notes.push_back(note);
        drop(out);
        self.due.notify_one();
    }

    /// Notes that wait to be told.
    pub(super) fn notes_waiting(&self) -> usize {
        self.out.lock().notes.len()
    }

    /// Tells it that this node is there.
    pub(super) fn beat(&self) {
        self.out.lock().beat = true;
        self.due.notify_one();
    }

    pub(super) fn is_ready(&self, link: Arc<HostLink>) {
        self.out.lock().ready.push_back(link);
        self.due.notify_one();
    }

    pub(super) fn has_taken(&self, link: Arc<EdgeLink>) {
        self.out.lock().taken.push(link);
        self.due.notify_one();
    }

    /// Resolves when there is something to tell.
    pub(super) async fn due(&self) {
        self.due.notified().await;
    }

    /// Whether it is to be told of all rooms before anything else.
    pub(super) fn is_rooms_due(&self) -> bool {
        self.out.lock().rooms_due
    }

    /// Tells it of all rooms before anything else. What waits to be told of rooms is older.
    pub(super) fn tell_all_rooms(&self, all: Vec<Note<'static>>) {
        let mut out = self.out.lock();
        out.rooms_due = false;
        out.notes.retain(|note| !matches!(note, Note::Rooms { .. }));
        for note in all.into_iter().rev() {
            out.notes.push_front(note);
        }
    }

    /// Whether there is more to tell.
    pub(super) fn has_more(&self) -> bool {
        let out = self.out.lock();
        out.is_sending || !out.notes.is_empty()
    }

    /// The last message is on its way, or lost.
    pub(super) fn was_sent(&self) {
        self.out.lock().is_sending = false;
    }

    /// What it is to be told now, as one message, if anything.
    pub(super) fn next_message(&self, me: &str, seal: &Seal) -> Option<Vec<u8>> {
        let (mut notes, taken, mut ready, beat, stream, number) = {
            let mut out = self.out.lock();
            let is_idle =
                out.notes.is_empty() && out.taken.is_empty() && out.ready.is_empty() && !out.beat;
            if is_idle {
                return None;
            }
            let mut bytes = 0;
            let mut fits = |note: &Note<'_>| {
                let is_first = bytes == 0;
                bytes += note.bytes();
                is_first || bytes <= BYTES_PER_MESSAGE
            };
            let count = out.notes.iter().take_while(|note| fits(note)).count();
            let notes: Vec<_> = out.notes.drain(..count).collect();
            let (stream, number) = (out.stream, out.number);
            out.number += 1;
            out.is_sending = true;
            let taken = std::mem::take(&mut out.taken);
            let beat = std::mem::take(&mut out.beat);
            (notes, taken, std::mem::take(&mut out.ready), beat, stream, number)
        };
        notes.extend(taken.iter().filter_map(|link| link.taken()));

        let mut letters = Letters::default();
        while let Some(link) = ready.pop_front() {
            if letters.bytes >= BYTES_PER_MESSAGE {
                ready.push_front(link);
                break;
            }
            match letters.add(&link) {
                Out::More => ready.push_back(link),
                Out::Rest => notes.extend(link.take_handled()),
                Out::Close(code, reason) => {
                    // One that is removed already has nobody to tell.
                    if self.remove_host(link.number) {
                        notes.push(Note::Close { link: link.number, code, reason });
                    }
                }
            }
        }
        let has_more = !ready.is_empty() || !self.out.lock().notes.is_empty();
        if has_more {
            let mut out = self.out.lock();
            ready.extend(out.ready.drain(..));
            out.ready = ready;
            drop(out);
            self.due.notify_one();
        }
        if notes.is_empty() && letters.deliveries.is_empty() && !beat {
            // Wakes that came to nothing: the number was not used.
            let mut out = self.out.lock();
            if out.stream == stream {
                out.number = number;
            }
            out.is_sending = false;
            return None;
        }
        self.metrics.told(letters.payloads.len(), letters.count());
        let payloads = letters.payloads.iter().map(|payload| Bytes::new(payload)).collect();
        let deliveries = letters.deliveries;
        let sent = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let bundle = Bundle { from: me, stream, number, sent, payloads, deliveries, notes };
        Some(seal.write(&bundle, &self.inbox))
    }

    /// What to do with a bundle of this stream and number that has just come.
    pub(super) fn heed(&self, stream: u64, number: u64) -> Heed {
        let now = Instant::now();
        let mut heard = self.heard.lock();
        heard.last = now;
        let (heed, following) = match heard.stream {
            // A message that comes once more, or late, when another stream has begun since.
            Following::Next(current, _) | Following::Broken(current) if stream < current => {
                (Heed::No, heard.stream)
            }
            Following::Next(current, next) if current == stream => match number {
                _ if number == next => (Heed::Yes, Following::Next(stream, next + 1)),
                _ if number < next => (Heed::No, heard.stream),
                _ => (Heed::Broken, Following::Broken(stream)),
            },
            Following::Broken(broken) if broken == stream => (Heed::No, heard.stream),
            Following::Broken(_) if number == 0 => (Heed::Yes, Following::Next(stream, 1)),
            Following::Nothing if number == 0 => (Heed::Yes, Following::Next(stream, 1)),
            Following::Next(..) if number == 0 => (Heed::Anew, Following::Next(stream, 1)),
            Following::Nothing | Following::Next(..) | Following::Broken(_) => {
                (Heed::Broken, Following::Broken(stream))
            }
        };
        heard.stream = following;
        let complains = match following {
            Following::Broken(_) => {
                heard.complained.is_none_or(|last| now - last >= COMPLAINS_EVERY)
            }
            Following::Nothing | Following::Next(..) => {
                heard.complained = None;
                false
            }
        };
        if complains {
            heard.complained = Some(now);
            drop(heard);
            self.tell(Note::Missed { stream });
        }
        heed
    }

    /// How much longer what was sent at `sent` by the other's count was on its way than the quickest of late.
    pub(super) fn delay(&self, sent: u64) -> Duration {
        let now = Instant::now();
        let count = i64::try_from((now - self.since).as_millis()).unwrap_or(i64::MAX);
        let ahead = count.saturating_sub(i64::try_from(sent).unwrap_or(i64::MAX));
        let mut heard = self.heard.lock();
        if now - heard.quickest_since >= QUICKEST_FOR {
            heard.quickest = (i64::MAX, heard.quickest.0);
            heard.quickest_since = now;
        }
        heard.quickest.0 = heard.quickest.0.min(ahead);
        let delay = ahead.saturating_sub(heard.quickest.0.min(heard.quickest.1));
        Duration::from_millis(u64::try_from(delay).unwrap_or(0))
    }

    /// Whether it was heard of lately.
    pub(super) fn is_heard(&self, silence_max: Duration) -> bool {
        self.heard.lock().last.elapsed() < silence_max
    }

    /// Whether all that it tells is heard.
    pub(super) fn is_followed(&self) -> bool {
        matches!(self.heard.lock().stream, Following::Next(..))
    }

    /// What it tells next begins anew: what it has told so far is forgotten.
    pub(super) fn forget_stream(&self) {
        let mut heard = self.heard.lock();
        if let Following::Next(stream, _) = heard.stream {
            heard.stream = Following::Broken(stream);
        }
    }

    /// Begins another stream to it, if it has missed something of `missed`, which is the present one; of any without.
    pub(super) fn restart(&self, missed: Option<u64>, stream: u64) -> bool {
        let mut out = self.out.lock();
        if missed.is_some_and(|missed| missed != out.stream) {
            return false;
        }
        out.stream = stream;
        out.number = 0;
        out.notes.clear();
        out.taken.clear();
        out.ready.clear();
        out.rooms_due = true;
        drop(out);
        self.due.notify_one();
        true
    }

    /// Ends all links with it: its clients lose their connections to rooms here, and those of this node come back by
    /// themselves. Says how many there were.
    pub(super) fn end_links(&self) -> usize {
        let edges = std::mem::take(&mut *self.edges.lock());
        let hosts = std::mem::take(&mut *self.hosts.lock());
        // Whoever waits for an answer is told by this being dropped.
        self.queries.lock().clear();
        let ended = edges.len() + hosts.len();
        let mut edges: Vec<_> = edges.into_iter().collect();
        edges.sort_unstable_by_key(|(number, _)| *number);
        for (_, link) in edges {
            link.lose();
        }
        let mut hosts: Vec<_> = hosts.into_iter().collect();
        hosts.sort_unstable_by_key(|(number, _)| *number);
        // One after another: each takes its room's lock.
        hosts.into_iter().for_each(drop);
        ended
    }

    /// Links with it: of clients here, and of clients there.
    pub(super) fn link_counts(&self) -> (usize, usize) {
        (self.edges.lock().len(), self.hosts.lock().len())
    }

    pub(super) fn edge(&self, number: u64) -> Option<Arc<EdgeLink>> {
        self.edges.lock().get(&number).cloned()
    }

    pub(super) fn remove_edge(&self, number: u64) -> bool {
        self.edges.lock().remove(&number).is_some()
    }

    pub(super) fn add_host(&self, link: HostHandle) {
        let former = self.hosts.lock().insert(link.link.number, link);
        drop(former);
    }

    /// Says whether it was there.
    pub(super) fn remove_host(&self, number: u64) -> bool {
        let removed = self.hosts.lock().remove(&number);
        // Dropped outside of the lock: it takes its room's.
        removed.is_some()
    }

    /// Shows a link of a client of its.
    pub(super) fn with_host<T>(
        &self,
        number: u64,
        see: impl FnOnce(&HostHandle) -> T,
    ) -> Option<T> {
        self.hosts.lock().get(&number).map(see)
    }

    /// Shows each link of a client of its.
    pub(super) fn for_each_host(&self, see: impl FnMut(&HostHandle)) {
        self.hosts.lock().values().for_each(see);
    }

    /// Asks for a seat in a room there, for a client of this node. `None` when there is no such seat; refused with
    /// `ROOM_UNAVAILABLE` when nothing is heard.
    pub(crate) async fn ask_for_seat(
        self: &Arc<Self>,
        connection: &Connection,
        to: Answering,
        mut ask: Ask,
    ) -> Result<Option<EdgeHandle>, ErrorDetail> {
        let shared = connection.shared();
        // The token stays here: what goes there is a blank of the same form, and what is kept of the token.
        let blank = ask.token_mut().map(|token| {
            let blank = shared.random.new_token();
            let NewToken { shown, .. } = token;
            let real = std::mem::replace(shown, blank.clone());
            (blank, real)
        });
        let number = shared.next_number();
        let outlet = connection.link.outlet.clone();
        let codec = outlet.codec;
        let (link, opened) = EdgeLink::new(number, Arc::clone(self), outlet, blank);
        self.edges.lock().insert(number, Arc::clone(&link));
        // From here on dropping it tells the host.
        let handle = EdgeHandle(link);
        self.tell(Note::Open(Box::new(Open::new(number, codec, to, ask))));
        match tokio::time::timeout(ANSWERS_WITHIN, opened).await {
            Ok(Ok(Ok(Seated::Yes))) => Ok(Some(handle)),
            Ok(Ok(Ok(Seated::No))) => Ok(None),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) | Err(_) => {
                // It may have been told that it has the seat: then it is not told otherwise, but comes back.
                handle.0.lose();
                Err(unavailable())
            }
        }
    }

    /// Asks it about a room.
    pub(super) async fn ask(
        &self,
        number: u64,
        query: Query,
    ) -> Result<Option<RoomAnswer>, ErrorDetail> {
        let (sender, answer) = oneshot::channel();
        {
            let mut queries = self.queries.lock();
            // Of those who have gone before they were answered nothing is kept.
            queries.retain(|_, asking| !asking.is_closed());
            queries.insert(number, sender);
        }
        self.tell(Note::Query { number, query });
        let answer = tokio::time::timeout(ANSWERS_WITHIN, answer).await;
        self.queries.lock().remove(&number);
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(unavailable()),
        }
    }

    pub(super) fn answered(&self, number: u64, answer: Option<RoomAnswer>) {
        if let Some(query) = self.queries.lock().remove(&number) {
            let _gave_up = query.send(answer);
        }
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Messages for many clients, each once.
#[derive(Default)]
struct Letters {
    payloads: Vec<Arc<[u8]>>,
    /// Where each is, by where it lies in memory: what a room sends to many is one allocation.
    places: HashMap<*const u8, u32>,
    deliveries: Vec<(u64, Vec<u32>)>,
    bytes: usize,
    taken: Vec<Message>,
}

impl Letters {
    /// Takes what waits for a link, up to a bound.
    fn add(&mut self, link: &Arc<HostLink>) -> Out {
        let mut taken = std::mem::take(&mut self.taken);
        let out = link.take(MESSAGES_PER_TURN, &mut taken);
        let mut places = Vec::with_capacity(taken.len());
        for message in taken.drain(..) {
            places.push(self.place(message.payload));
        }
        self.taken = taken;
        if !places.is_empty() {
            self.deliveries.push((link.number, places));
        }
        out
    }

    fn place(&mut self, payload: Arc<[u8]>) -> u32 {
        let key = payload.as_ptr();
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        let place = u32::try_from(self.payloads.len()).expect("a message has thousands at most");
        self.places.insert(key, place);
        self.bytes += payload.len();
        self.payloads.push(payload);
        place
    }

    fn count(&self) -> usize {
        self.deliveries.iter().map(|(_, places)| places.len()).sum()
    }
}

/// The room's node does not answer.
pub(crate) fn unavailable() -> ErrorDetail {
    let message = "the room's node is out of reach just now; try again in a moment";
    ErrorDetail::new(ErrorCode::ROOM_UNAVAILABLE, message)
}

/// What took so much longer than usual may not be waited for any more.
pub(super) const DELAY_MAX: Duration = ANSWERS_WITHIN.saturating_sub(Duration::from_millis(1500));
const UNDER_WAY_MESSAGES_MAX: u64 = 128;
const UNDER_WAY_BYTES_MAX: u64 = 256 * 1024;
/// How long another node may take to answer a question. Its stores have half a second for each call.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// What came by the quickest way is remembered for so long, and as long again.
const QUICKEST_FOR: Duration = Duration::from_secs(60);
/// Between two complaints about the same stream, should the first be lost.
const COMPLAINS_EVERY: Duration = Duration::from_millis(500);
/// A message is closed when it has so many bytes of payloads, as many of notes, or nothing more to carry.
const BYTES_PER_MESSAGE: usize = 512 * 1024;
/// Messages that one link has in its turn, before the next has its own.
const MESSAGES_PER_TURN: usize = 64;
