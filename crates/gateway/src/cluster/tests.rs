//! What comes from the bus is read as hostile: garbage, real messages that were damaged, and messages in order with
//! anything in them, to the reader and to the inbox of a running gateway.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic;
use std::sync::{Arc, Once};
use std::time::Duration;

use parlor_core::Digest;
use parlor_games::TicTacToe;
use parlor_protocol::{Codec, ErrorCode, ErrorDetail, Object, RoomCode, Secret};
use parlor_store::{Bus, MemoryBus, MemoryRoomDirectory, NodeRecord, RoomDirectory};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_bytes::Bytes;
use tokio::sync::mpsc;

use super::bundle::{Ask, Bundle, Kind, MESSAGE_BYTES_MAX, Note, Open, Query, Seal, Seated};
use super::bundle::{RoomAnswer, Unsealed};
use super::{Cluster, ClusterConfig, inbox_of};
use crate::connection::Handled;
use crate::gateway::Gateway;
use crate::room::Returning;
use crate::seating::{JoiningKey, NewToken, Newcomer, Opening};
use crate::{Connection, GatewayConfig};

/// The node that the others believe in.
const FAKE: &str = "fake";

/// Tells of every panic on this thread, also of those that end only a task.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let former = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            former(info);
        }));
    });
    PANICS.set(0);
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// A gateway that takes [`FAKE`] for another node, and that node's end of the bus.
struct Target {
    gateway: Arc<Gateway>,
    bus: MemoryBus,
    inbox: mpsc::Receiver<Vec<u8>>,
    seal: Seal,
    number: u64,
    /// A client with a room there.
    _host: Connection,
    room: RoomCode,
}

impl Target {
    async fn start(secret: Option<&[u8]>) -> Self {
        count_panics();
        let (bus, directory) = (MemoryBus::new(), MemoryRoomDirectory::new());
        let inbox = bus.listen(&inbox_of(FAKE));
        let about = r#"{"games":["tictactoe"],"roomsMax":100}"#.to_owned();
        let record = NodeRecord { node: FAKE.to_owned(), about };
        directory.beat(&record, Duration::from_secs(1000)).await.expect("it is in memory");
        let config = ClusterConfig { secret: secret.map(Vec::from), ..ClusterConfig::default() };
        let gateway = Gateway::builder(GatewayConfig::default())
            .game(TicTacToe)
            .cluster(config, Arc::new(directory), Arc::new(bus.clone()))
            .start();
        settle().await;
        let cluster = gateway.shared.cluster.as_ref().expect("it is one of several");
        assert_eq!(cluster.peers().len(), 1);
        let mut host = gateway.connect(Codec::Json);
        let create = br#"{"type":"create_room","data":{"gameType":"tictactoe","playerName":"A"}}"#;
        if let Handled::Pending(rest) = host.handle(Codec::Json.frame_kind(), create) {
            rest.await;
        }
        let mut room = None;
        gateway.shared.rooms.for_each_shared(|open| room = Some(open.code()));
        let (seal, room) = (Seal::new(secret), room.expect("the room that was just made"));
        Self { gateway, bus, inbox, seal, number: 0, _host: host, room }
    }

    fn cluster(&self) -> &Cluster {
        self.gateway.shared.cluster.as_ref().expect("it is one of several")
    }

    fn inbox_name(&self) -> String {
        inbox_of(self.gateway.node().expect("it is one of several"))
    }

    async fn send(&self, message: Vec<u8>) {
        self.bus.send(&self.inbox_name(), message).await.expect("it is in memory");
        settle().await;
    }

    /// Sends the next message of the fake node's stream.
    async fn tell(
        &mut self,
        payloads: &[Vec<u8>],
        deliveries: Vec<(u64, Vec<u32>)>,
        notes: Vec<Note<'_>>,
    ) {
        let payloads = payloads.iter().map(|payload| Bytes::new(payload)).collect();
        let (number, sent) = (self.number, 0);
        let bundle = Bundle { from: FAKE, stream: 1, number, sent, payloads, deliveries, notes };
        self.number += 1;
        let message = self.seal.write(&bundle, &self.inbox_name());
        self.send(message).await;
    }

    /// Whether it still hears, answers, and has broken down nowhere.
    async fn check(&mut self) {
        assert_eq!(PANICS.get(), 0, "something broke down");
        assert_eq!(self.gateway.room_count(), 1, "the room is there");
        // A stream that it has not followed so far.
        let query = Note::Query { number: 77, query: Query::Look(self.room) };
        let bundle = Bundle {
            from: FAKE,
            stream: u64::MAX,
            number: 0,
            sent: 0,
            payloads: Vec::new(),
            deliveries: Vec::new(),
            notes: vec![query],
        };
        while self.inbox.try_recv().is_ok() {}
        // Who has been told that the fake node leaves must be told that it is there.
        if self.cluster().peers().is_empty() {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        self.send(self.seal.write(&bundle, &self.inbox_name())).await;
        let is_answered = |message: Vec<u8>| {
            let bundle = self.seal.read(&message, &inbox_of(FAKE)).expect("a real message");
            let is_it = |note| matches!(note, Note::Answer { number: 77, answer: Some(_) });
            bundle.notes.into_iter().any(is_it)
        };
        let mut answered = false;
        while let Ok(message) = self.inbox.try_recv() {
            answered |= is_answered(message);
        }
        assert!(answered, "it does not hear any more");
        assert_eq!(PANICS.get(), 0, "something broke down");
    }
}

async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

fn on_paused_time<T>(run: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(run)
}

fn key(number: u8) -> JoiningKey {
    JoiningKey {
        digest: Digest([number; 32]),
        fingerprint: u64::from(number),
        delay: Duration::ZERO,
    }
}

fn newcomer() -> Newcomer {
    Newcomer {
        name: "B".to_owned(),
        token: NewToken::of(Secret::new("blank")),
        spectator: false,
        password: None,
        subject: Some("somebody".into()),
        profile: BTreeMap::new(),
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    let room = || any::<u64>().prop_map(RoomCode::from_number);
    let join = |(room, name, key): (RoomCode, String, Option<u8>)| Ask::Join {
        room,
        newcomer: Newcomer { name, ..newcomer() },
        key: key.map(self::key),
    };
    let open = |(code, game_type, players_max): (RoomCode, String, Option<u32>)| Ask::Open {
        game_type,
        opening: Opening {
            code,
            options: Object::new(),
            private: false,
            password: Some(Digest([1; 32])),
            players_max,
            metadata: BTreeMap::new(),
        },
        newcomer: newcomer(),
        key: None,
    };
    let back =
        |(room, seen, attempt): (RoomCode, Option<(String, u64)>, Option<u64>)| Ask::Return {
            room,
            returning: Returning { token: Digest([2; 32]), seen, attempt, subject: None },
        };
    prop_oneof![
        (room(), ".{0,40}", any::<Option<u8>>()).prop_map(join),
        (room(), prop_oneof![Just("tictactoe".to_owned()), ".{0,9}"], any::<Option<u32>>())
            .prop_map(open),
        any::<u8>().prop_map(|number| Ask::OnceMore {
            key: key(number),
            token: NewToken::of(Secret::new("blank")),
            subject: None,
        }),
        (room(), any::<Option<(String, u64)>>(), any::<Option<u64>>()).prop_map(back),
    ]
}

/// Links are few, so that they meet.
fn link() -> impl Strategy<Value = u64> {
    prop_oneof![0..4_u64, any::<u64>()]
}

fn note() -> impl Strategy<Value = Note<'static>> {
    let frame = prop_oneof![
        Just(br#"{"type":"chat","data":{"text":"x"}}"#.to_vec()),
        Just(br#"[{"type":"leave_room"},{"type":"ping"},{"type":"list_rooms"}]"#.to_vec()),
        Just(
            br#"{"type":"create_room","data":{"gameType":"tictactoe","playerName":"A"}}"#.to_vec()
        ),
        any::<Vec<u8>>(),
    ];
    let kind = |is_text| if is_text { Kind::Text } else { Kind::Binary };
    let asked = prop_oneof![Just("join_room"), Just("chat"), Just("nonsense"), Just("reconnect")];
    let open = (link(), any::<bool>(), asked, any::<Option<u64>>(), ask());
    let open = open.prop_map(|(link, is_msgpack, kind, id, ask)| {
        let kind = kind.to_owned();
        Note::Open(Box::new(Open { link, is_msgpack, kind, id, fingerprint: 1, ask }))
    });
    let refused = || Err(ErrorDetail::new(ErrorCode::INTERNAL, "so"));
    prop_oneof![
        1 => any::<u64>().prop_map(|stream| Note::Missed { stream }),
        4 => open,
        4 => (link(), any::<bool>(), frame).prop_map(move |(link, is_text, frame)| Note::Frame {
            link,
            kind: kind(is_text),
            frame: Cow::Owned(frame),
        }),
        1 => (link(), any::<u64>(), any::<u64>())
            .prop_map(|(link, messages, bytes)| Note::Taken { link, messages, bytes }),
        1 => link().prop_map(|link| Note::Gone { link }),
        1 => (link(), 0..3).prop_map(move |(link, outcome)| Note::Opened {
            link,
            outcome: match outcome {
                0 => Ok(Seated::Yes),
                1 => Ok(Seated::No),
                _ => refused(),
            },
        }),
        1 => (link(), any::<bool>()).prop_map(|(link, attached)| Note::Handled { link, attached }),
        1 => (link(), any::<u16>(), ".{0,200}")
            .prop_map(|(link, code, reason)| Note::Close { link, code, reason }),
        1 => (any::<bool>(), prop::collection::vec(any::<u64>(), 0..4)).prop_map(|(all, removed)| {
            let removed = removed.into_iter().map(RoomCode::from_number).collect();
            Note::Rooms { all, changed: Vec::new(), removed }
        }),
        1 => Just(Note::Leaving),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(number, code)| Note::Query {
            number,
            query: Query::Look(RoomCode::from_number(code)),
        }),
        1 => any::<u64>().prop_map(|number| Note::Answer { number, answer: None::<RoomAnswer> }),
    ]
}

type Told = (Vec<Vec<u8>>, Vec<(u64, Vec<u32>)>, Vec<Note<'static>>);

fn told() -> impl Strategy<Value = Told> {
    let places = prop::collection::vec(prop_oneof![0..4_u32, any::<u32>()], 0..6);
    (
        prop::collection::vec(any::<Vec<u8>>(), 0..4),
        prop::collection::vec((link(), places), 0..4),
        prop::collection::vec(note(), 0..6),
    )
}

/// What becomes of a message on a bad way.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 1..=255_u8).prop_map(|(at, by)| Damage::Flip(at, by)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<Vec<u8>>()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (any::<Index>(), 1..20_usize).prop_map(|(at, count)| Damage::Remove(at, count)),
    ]
}

fn damaged(mut message: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if message.is_empty() {
            break;
        }
        let len = message.len();
        match damage {
            Damage::Flip(at, by) => message[at.index(len)] ^= by,
            Damage::Cut(at) => message.truncate(at.index(len)),
            Damage::Insert(at, bytes) => {
                let at = at.index(len);
                message.splice(at..at, bytes.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = at.index(len);
                message.drain(at..len.min(at + count));
            }
        }
    }
    message
}

fn written(seal: &Seal, number: u64, told: &Told, inbox: &str) -> Vec<u8> {
    let payloads = told.0.iter().map(|payload| Bytes::new(payload)).collect();
    let (deliveries, notes) = (told.1.clone(), told.2.clone());
    let bundle = Bundle { from: FAKE, stream: 1, number, sent: 0, payloads, deliveries, notes };
    seal.write(&bundle, inbox)
}

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    ProptestConfig { cases: config.cases / 2, ..config }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn garbage_is_refused_or_read_and_nothing_else(message: Vec<u8>, mark in 0x0f..0x13_u8) {
        let marked = [&[mark], &message[..]].concat();
        for seal in [Seal::new(None), Seal::new(Some(b"secret"))] {
            let _either = seal.read(&message, "inbox");
            let _either = seal.read(&marked, "inbox");
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was_and_damaged_only_without_a_secret(
        told in told(), damages in prop::collection::vec(damage(), 1..4),
    ) {
        let (plain, signed) = (Seal::new(None), Seal::new(Some(b"secret")));
        for seal in [&plain, &signed] {
            let message = written(seal, 3, &told, "inbox");
            let read = seal.read(&message, "inbox").expect("our own message");
            prop_assert_eq!(seal.write(&read, "inbox"), message);
        }
        let message = written(&signed, 3, &told, "inbox");
        prop_assert_eq!(signed.read(&message, "another").unwrap_err(), Unsealed::Unsigned);
        prop_assert_eq!(plain.read(&message, "inbox").unwrap_err(), Unsealed::NoSecret);
        let bad = damaged(message.clone(), &damages);
        prop_assert!(bad == message || signed.read(&bad, "inbox").is_err());
        let _either = plain.read(&damaged(written(&plain, 3, &told, "inbox"), &damages), "inbox");
    }

    #[test]
    fn a_gateway_survives_whatever_another_node_tells_it(told in prop::collection::vec(told(), 1..6)) {
        on_paused_time(async {
            let mut target = Target::start(None).await;
            for (payloads, deliveries, notes) in told {
                target.tell(&payloads, deliveries, notes).await;
            }
            target.check().await;
        });
    }

    #[test]
    fn a_gateway_survives_damaged_messages(
        told in prop::collection::vec((told(), prop::collection::vec(damage(), 0..3)), 1..6),
    ) {
        on_paused_time(async {
            let mut target = Target::start(None).await;
            for (number, (told, damages)) in (0..).zip(told) {
                let message = written(&target.seal, number, &told, &target.inbox_name());
                target.send(damaged(message, &damages)).await;
            }
            target.check().await;
        });
    }
}

#[test]
fn what_is_not_signed_or_cannot_be_read_is_counted() {
    on_paused_time(async {
        let mut target = Target::start(Some(b"secret")).await;
        let told: Told = (Vec::new(), Vec::new(), vec![Note::Missed { stream: 1 }]);
        let inbox = target.inbox_name();
        let signed = written(&target.seal, 0, &told, &inbox);
        let mut tampered = signed.clone();
        *tampered.last_mut().expect("it has bytes") ^= 1;
        let messages = [
            written(&Seal::new(None), 0, &told, &inbox),
            written(&Seal::new(Some(b"another")), 0, &told, &inbox),
            written(&target.seal, 0, &told, &inbox_of("another")),
            tampered,
            signed[..signed.len() - 1].to_vec(),
            signed[..10].to_vec(),
            Vec::new(),
        ];
        for (count, message) in (1..).zip(messages) {
            target.send(message).await;
            assert_eq!(target.cluster().metrics.messages_refused.get(), count);
        }
        assert_eq!(target.cluster().metrics.streams_broken.get(), 0);
        target.send(signed).await;
        assert_eq!(target.cluster().metrics.messages_refused.get(), 7);
        target.check().await;
    });
}

#[test]
fn a_message_longer_than_the_bound_or_nested_too_deep_is_not_read() {
    let seal = Seal::new(None);
    let long = vec![0x10; MESSAGE_BYTES_MAX + 1];
    assert_eq!(seal.read(&long, "inbox").unwrap_err(), Unsealed::TooLong);
    // Arrays in arrays, as far as memory goes.
    let deep = [&[0x10][..], &vec![0x91; 1_000_000]].concat();
    assert_eq!(seal.read(&deep, "inbox").unwrap_err(), Unsealed::Unreadable);
    // A count of four thousand million, and nothing that is counted.
    let hollow = [&[0x10][..], &[0xdd, 0xff, 0xff, 0xff, 0xff]].concat();
    assert_eq!(seal.read(&hollow, "inbox").unwrap_err(), Unsealed::Unreadable);
}
