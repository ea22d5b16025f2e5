//! The promises of the store traits as checks, for every backend the same.
//!
//! A backend's test gives a fresh store, and a way to let time pass: `tokio::time::advance` where
//! the store counts tokio's time, a real wait where another process keeps the clock.

use std::slice::from_ref;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::{
    Bus, Claim, INBOX_MESSAGES_MAX, NodeRecord, Ownership, RoomDirectory, Session, SessionKey,
    SessionStore,
};

/// Checks every sentence of [`SessionStore`]. Panics at the first that does not hold.
pub async fn session_store<S: SessionStore>(store: &S, pass_time: impl AsyncFn(Duration)) {
    let (one, two) = (SessionKey([1; 32]), SessionKey([2; 32]));
    let session = |room: &str| Session { room: room.to_owned() };
    let ttl = Duration::from_secs(2);

    assert_eq!(store.load(one).await, Ok(None), "a session never saved is not there");
    store.remove(one).await.expect("removing what is not there succeeds");

    store.save(one, session("A"), ttl).await.expect("a session is saved");
    store.save(two, session("B"), ttl * 10).await.expect("another is saved");
    assert_eq!(store.load(one).await, Ok(Some(session("A"))));
    assert_eq!(store.load(two).await, Ok(Some(session("B"))), "sessions are kept apart");

    store.save(one, session("C"), ttl).await.expect("a session is replaced");
    assert_eq!(store.load(one).await, Ok(Some(session("C"))));

    pass_time(ttl / 2).await;
    store.save(one, session("C"), ttl).await.expect("its life is prolonged");
    pass_time(ttl * 3 / 4).await;
    assert_eq!(store.load(one).await, Ok(Some(session("C"))), "saving again slides the expiry");
    pass_time(ttl / 2).await;
    assert_eq!(store.load(one).await, Ok(None), "an expired session is not there");
    assert_eq!(store.load(two).await, Ok(Some(session("B"))), "expiry is each session's own");

    store.remove(two).await.expect("a session is removed");
    assert_eq!(store.load(two).await, Ok(None), "a removed session is not there");

    assert_eq!(store.save_new(one, session("D"), ttl).await, Ok(None), "the first one is saved");
    let known = store.save_new(one, session("E"), ttl * 10).await;
    assert_eq!(known, Ok(Some(session("D"))), "the second is given what is there");
    pass_time(ttl + ttl / 4).await;
    assert_eq!(store.load(one).await, Ok(None), "and does not prolong its life");
    assert_eq!(store.save_new(one, session("E"), ttl).await, Ok(None));
}

/// Checks every sentence of [`RoomDirectory`]. Panics at the first that does not hold.
pub async fn room_directory<D: RoomDirectory>(directory: &D, pass_time: impl AsyncFn(Duration)) {
    rooms_have_one_owner(directory).await;
    claims_at_once_are_granted_to_one(directory).await;
    records_expire(directory, &pass_time).await;
    nodes_are_there_while_they_say_so(directory, &pass_time).await;
}

async fn rooms_have_one_owner<D: RoomDirectory>(directory: &D) {
    let ttl = Duration::from_secs(60);
    let (room, one, two) = ("ROOM", "node-1", "node-2");
    let owned = |node: &str, fence| Ownership { node: node.to_owned(), fence };
    let granted = |fence| Ok(Claim::Granted { fence });

    assert_eq!(directory.find(room).await, Ok(None), "nobody has claimed it");
    let absent = owned(one, 1);
    assert_eq!(directory.renew(room, &absent, ttl).await, Ok(false), "what is not there");
    assert_eq!(directory.release(room, &absent).await, Ok(()), "releasing it succeeds");

    assert_eq!(directory.claim(room, one, 0, ttl).await, granted(1), "fences begin with 1");
    assert_eq!(directory.find(room).await, Ok(Some(owned(one, 1))));
    assert_eq!(directory.find("OTHER").await, Ok(None), "rooms are kept apart");
    let claim = directory.claim(room, one, 0, ttl).await;
    assert_eq!(claim, granted(2), "above what the record has");
    let claim = directory.claim(room, one, 1, ttl).await;
    assert_eq!(claim, granted(3), "a lower one brought along changes nothing");
    let claim = directory.claim(room, one, 40, ttl).await;
    assert_eq!(claim, granted(41), "above what is brought along");

    let refused = directory.claim(room, two, 100, ttl).await;
    assert_eq!(refused, Ok(Claim::Refused(owned(one, 41))), "another node has it");
    assert_eq!(directory.find(room).await, Ok(Some(owned(one, 41))), "and it is left as it is");

    for stranger in [owned(one, 40), owned(one, 42), owned(two, 41)] {
        assert_eq!(directory.renew(room, &stranger, ttl).await, Ok(false), "{stranger:?}");
        assert_eq!(directory.release(room, &stranger).await, Ok(()), "{stranger:?}");
        assert_eq!(directory.find(room).await, Ok(Some(owned(one, 41))), "another one stays");
    }
    assert_eq!(directory.renew(room, &owned(one, 41), ttl).await, Ok(true));
    directory.release(room, &owned(one, 41)).await.expect("it is released");
    assert_eq!(directory.find(room).await, Ok(None), "a released room is nobody's");
    let claim = directory.claim(room, two, 41, ttl).await;
    assert_eq!(claim, granted(42), "whoever knows the last fence goes on from it");

    let large = 1 << 52;
    assert_eq!(directory.claim(room, two, large, ttl).await, granted(large + 1), "to the digit");
    assert_eq!(directory.find(room).await, Ok(Some(owned(two, large + 1))));
    assert_eq!(directory.renew(room, &owned(two, large + 1), ttl).await, Ok(true));
    directory.release(room, &owned(two, large + 1)).await.expect("it is released");
}

async fn claims_at_once_are_granted_to_one<D: RoomDirectory>(directory: &D) {
    let ttl = Duration::from_secs(60);
    for round in 0..20 {
        let room = format!("RACE{round}");
        let claim = |node| directory.claim(&room, node, 0, ttl);
        let (one, two) = tokio::join!(claim("node-1"), claim("node-2"));
        let (one, two) = (one.expect("an answer"), two.expect("an answer"));
        let owner = match (&one, &two) {
            (Claim::Granted { fence: 1 }, Claim::Refused(owner)) if owner.node == "node-1" => owner,
            (Claim::Refused(owner), Claim::Granted { fence: 1 }) if owner.node == "node-2" => owner,
            _ => panic!("exactly one is granted: {one:?}, {two:?}"),
        };
        assert_eq!(directory.find(&room).await, Ok(Some(owner.clone())));
    }
}

async fn records_expire<D: RoomDirectory>(directory: &D, pass_time: &impl AsyncFn(Duration)) {
    let ttl = Duration::from_secs(2);
    let owned = Ownership { node: "node-1".to_owned(), fence: 1 };
    for room in ["SHORT", "RENEWED", "CLAIMED"] {
        let claim = directory.claim(room, "node-1", 0, ttl).await;
        assert_eq!(claim, Ok(Claim::Granted { fence: 1 }));
    }
    pass_time(ttl / 2).await;
    assert_eq!(directory.renew("RENEWED", &owned, ttl).await, Ok(true));
    let claim = directory.claim("CLAIMED", "node-1", 0, ttl).await;
    assert_eq!(claim, Ok(Claim::Granted { fence: 2 }));
    pass_time(ttl * 3 / 4).await;
    assert_eq!(directory.find("SHORT").await, Ok(None), "its time is over");
    assert_eq!(directory.renew("SHORT", &owned, ttl).await, Ok(false), "too late");
    assert_eq!(directory.find("RENEWED").await, Ok(Some(owned.clone())), "kept for longer");
    assert!(directory.find("CLAIMED").await.is_ok_and(|owner| owner.is_some()), "this too");
    let claim = directory.claim("SHORT", "node-2", 1, ttl).await;
    assert_eq!(claim, Ok(Claim::Granted { fence: 2 }), "free for another node");
    pass_time(ttl / 2).await;
    assert_eq!(directory.find("RENEWED").await, Ok(None), "but no longer than that");
}

async fn nodes_are_there_while_they_say_so<D: RoomDirectory>(
    directory: &D,
    pass_time: &impl AsyncFn(Duration),
) {
    let (short, long) = (Duration::from_secs(2), Duration::from_secs(60));
    let record = |node: &str, about: &str| NodeRecord { node: node.into(), about: about.into() };
    let (one, two) = (record("node-1", "first: \"ü\"\0"), record("node-2", ""));

    let beat = directory.beat(&two, long).await.expect("a node says that it is there");
    assert!(!beat.was_held, "not the first time");
    assert_eq!(beat.nodes, from_ref(&two), "itself included");
    let memory = beat.memory;
    let beat = directory.beat(&one, short).await.expect("another does");
    assert!(!beat.was_held, "a lease is each node's own");
    assert_eq!(beat.nodes, [one.clone(), two.clone()], "all of them, by name");
    assert_eq!(beat.memory, memory, "the same for all");

    let claim = directory.claim("KEPT", "node-1", 0, long).await;
    assert_eq!(claim, Ok(Claim::Granted { fence: 1 }));
    pass_time(short / 2).await;
    let changed = record("node-1", "changed");
    let beat = directory.beat(&changed, short).await.expect("it says so again");
    assert!(beat.was_held, "in time");
    assert_eq!(beat.nodes, [changed.clone(), two.clone()], "what it says now");
    pass_time(short * 3 / 4).await;
    let beat = directory.beat(&two, long).await.expect("the other node too");
    assert_eq!(beat.nodes, [changed.clone(), two.clone()], "a lease counts from the last time");
    pass_time(short / 2).await;
    let beat = directory.beat(&two, long).await.expect("and again");
    assert!(beat.was_held);
    assert_eq!(beat.nodes, from_ref(&two), "the lease of the first is over");
    assert_eq!(beat.memory, memory, "still the same");

    let refused = directory.claim("KEPT", "node-2", 0, long).await.expect("an answer");
    assert!(matches!(refused, Claim::Refused(owner) if owner.node == "node-1"), "rooms stay");
    let beat = directory.beat(&one, short).await.expect("it comes back");
    assert!(!beat.was_held, "after a silence");
    assert_eq!(beat.nodes, [one.clone(), two.clone()]);

    directory.leave("node-1").await.expect("it leaves");
    directory.leave("node-1").await.expect("leaving twice succeeds");
    let owner = directory.find("KEPT").await.expect("an answer").expect("rooms stay its own");
    assert_eq!(owner.node, "node-1");
    let beat = directory.beat(&two, long).await.expect("the other stays");
    assert_eq!(beat.nodes, [two]);
    let beat = directory.beat(&one, short).await.expect("it comes back");
    assert!(!beat.was_held, "leaving ends the lease");
    assert_eq!(beat.memory, memory);
}

/// Checks every sentence of [`Bus`]. Panics at the first that does not hold.
pub async fn bus<B: Bus>(bus: &B) {
    bus.send("nobody", b"lost".to_vec()).await.expect("nobody listening is no error");

    let mut one = listening(bus, "one").await;
    let mut other = listening(bus, "other").await;
    for number in 0..200_u8 {
        bus.send("one", vec![number, 0, b'\r', b'\n', 255]).await.expect("it is sent");
    }
    bus.send("other", b"apart".to_vec()).await.expect("it is sent");
    for number in 0..200_u8 {
        assert_eq!(next(&mut one).await, [number, 0, b'\r', b'\n', 255], "in order, every byte");
    }
    assert_eq!(next(&mut other).await, b"apart", "inboxes are kept apart");

    let mut second = listening(bus, "one").await;
    bus.send("one", b"for both".to_vec()).await.expect("it is sent");
    assert_eq!(next(&mut one).await, b"for both");
    assert_eq!(next(&mut second).await, b"for both", "each of those who listen gets it");

    drop(one);
    bus.send("one", b"for the other".to_vec()).await.expect("it is sent");
    assert_eq!(next(&mut second).await, b"for the other", "one who stops takes nothing away");
    drop(second);
    bus.send("one", b"for nobody".to_vec()).await.expect("nobody listens any more");
    let mut late = listening(bus, "one").await;
    bus.send("one", b"from now on".to_vec()).await.expect("it is sent");
    assert_eq!(next(&mut late).await, b"from now on", "not what was sent before");

    bus.send("one", Vec::new()).await.expect("nothing can be said");
    assert_eq!(next(&mut late).await, b"");
    let large = vec![7; 1 << 20];
    bus.send("one", large.clone()).await.expect("much can be said");
    assert_eq!(next(&mut late).await, large);
}

/// Checks that an inbox holds [`INBOX_MESSAGES_MAX`] messages, and loses the ones after those. Panics if not.
pub async fn bus_bound<B: Bus>(bus: &B) {
    let mut inbox = listening(bus, "full").await;
    while inbox.try_recv().is_ok() {}
    let number = |message: &[u8]| message.try_into().map(u64::from_le_bytes).expect("a number");
    let most = INBOX_MESSAGES_MAX as u64;
    for sent in 0..most + 100 {
        bus.send("full", sent.to_le_bytes().to_vec()).await.expect("a full inbox is no error");
    }
    let began = Instant::now();
    while inbox.len() < INBOX_MESSAGES_MAX {
        assert!(began.elapsed() < TIME_MAX, "so many fit");
        tokio::time::sleep(PAUSE).await;
    }
    for expected in 0..most {
        assert_eq!(number(&next(&mut inbox).await), expected, "the first ones stay");
    }
    // One that comes after all others: what has not come by then is lost.
    bus.send("full", u64::MAX.to_le_bytes().to_vec()).await.expect("it is sent");
    let mut after = 0;
    while number(&next(&mut inbox).await) != u64::MAX {
        after += 1;
    }
    assert!(after < 100, "further ones are lost, also if it is emptied soon: {after}");
}

/// Listens, and waits until that has effect.
async fn listening<B: Bus>(bus: &B, inbox: &str) -> mpsc::Receiver<Vec<u8>> {
    let mut receiver = bus.listen(inbox);
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < TIME_MAX, "what is sent to {inbox} arrives");
        bus.send(inbox, PROBE.to_vec()).await.expect("it is sent");
        if let Ok(message) = timeout(PAUSE, receiver.recv()).await {
            assert_eq!(message.as_deref(), Some(PROBE), "nothing that was sent before");
            return receiver;
        }
    }
}

/// The next message that is no probe.
async fn next(inbox: &mut mpsc::Receiver<Vec<u8>>) -> Vec<u8> {
    loop {
        let message = timeout(TIME_MAX, inbox.recv()).await.expect("a message arrives");
        let message = message.expect("it is listened to for ever");
        if message != PROBE {
            return message;
        }
    }
}

/// What only tries whether somebody listens.
const PROBE: &[u8] = b"probe";
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// Before something that is to happen has failed.
const TIME_MAX: Duration = Duration::from_secs(20);
