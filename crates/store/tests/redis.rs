//! The stores on a real Redis: the same promises as in memory, kept also while the server is away, stuck or full.
#![cfg(feature = "redis")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parlor_store::conformance;
use parlor_store::{
    Beat, Bus, Claim, NodeRecord, Redis, RedisBus, RedisConfig, RedisRoomDirectory,
    RedisSessionStore, RoomDirectory, Session, SessionKey, SessionStore, StoreError,
};
use parlor_testutil::redis::{RedisServer, cluster, sentinel};
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

fn sessions(url: &str) -> RedisSessionStore {
    RedisSessionStore::new(Redis::new(&RedisConfig::new(url)).unwrap())
}

fn directory(url: &str) -> RedisRoomDirectory {
    RedisRoomDirectory::new(Redis::new(&RedisConfig::new(url)).unwrap())
}

fn bus(url: &str) -> RedisBus {
    RedisBus::new(Redis::new(&RedisConfig::new(url)).unwrap())
}

fn node() -> NodeRecord {
    NodeRecord { node: "node-1".to_owned(), about: "at one".to_owned() }
}

fn session() -> Session {
    Session { room: "ABCDEFGH".to_owned() }
}

const KEY: SessionKey = SessionKey([7; 32]);
/// More than fit.
const SESSIONS_IN_2MB: u32 = 50_000;
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn redis_keeps_every_promise_of_a_session_store() {
    let redis = RedisServer::start(&[]).await;
    conformance::session_store(&sessions(&redis.url()), sleep).await;
}

#[tokio::test]
async fn redis_keeps_every_promise_of_a_directory() {
    let redis = RedisServer::start(&[]).await;
    conformance::room_directory(&directory(&redis.url()), sleep).await;
}

#[tokio::test]
async fn redis_keeps_every_promise_of_a_bus() {
    let redis = RedisServer::start(&[]).await;
    let bus = bus(&redis.url());
    conformance::bus(&bus).await;
    conformance::bus_bound(&bus).await;
}

#[tokio::test]
async fn a_cluster_keeps_every_promise_of_a_directory_and_a_bus() {
    let nodes = cluster().await;
    let url = cluster_url(&nodes);
    conformance::room_directory(&directory(&url), sleep).await;
    let bus = bus(&url);
    conformance::bus(&bus).await;
    conformance::bus_bound(&bus).await;

    // Inboxes of every node's part, each with who listens to it.
    let inboxes: Vec<String> = (0..30).map(|number| format!("inbox-{number}")).collect();
    let mut receivers: Vec<_> = inboxes.iter().map(|inbox| bus.listen(inbox)).collect();
    for (inbox, receiver) in inboxes.iter().zip(&mut receivers) {
        until_heard(&bus, inbox, receiver).await;
    }
    for node in &nodes {
        assert_ne!(node.ask(&["pubsub", "shardchannels"]), "", "every node has some");
    }
}

#[tokio::test]
async fn a_cluster_keeps_every_promise_of_a_session_store() {
    let nodes = cluster().await;
    let store = sessions(&cluster_url(&nodes));
    conformance::session_store(&store, sleep).await;
    for number in 0..60 {
        store.save(SessionKey([number; 32]), session(), LONG).await.unwrap();
    }
    for node in &nodes {
        assert_ne!(node.ask(&["dbsize"]), "0", "every node has some");
    }
}

#[tokio::test]
async fn a_replica_takes_over_and_sentinels_say_which() {
    let mut master = RedisServer::start(&[]).await;
    let port = master.port.to_string();
    let replica = RedisServer::start(&["--replicaof", &format!("127.0.0.1 {port}")]).await;
    let follows = || replica.ask(&["info", "replication"]).contains("master_link_status:up");
    let began = Instant::now();
    while !follows() {
        assert!(began.elapsed() < Duration::from_secs(20), "the replica follows");
    }
    let sentinel = sentinel(&master).await;
    let url = format!("redis-sentinel://127.0.0.1:{}/parlor", sentinel.port);
    let (store, directory, bus) = (sessions(&url), directory(&url), bus(&url));
    conformance::session_store(&store, sleep).await;
    conformance::room_directory(&directory, sleep).await;
    conformance::bus(&bus).await;
    let mut inbox = bus.listen("inbox");
    until_heard(&bus, "inbox", &mut inbox).await;
    let before = directory.beat(&node(), LONG).await.unwrap();
    directory.claim("ROOM", "node-1", 6, LONG).await.unwrap();
    while sentinel.ask(&["sentinel", "replicas", "parlor"]).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "the Sentinel knows the replica");
    }
    store.save(KEY, session(), LONG).await.unwrap();
    while master.ask(&["wait", "1", "1000"]) != "1" {
        assert!(began.elapsed() < Duration::from_secs(60), "the replica has it");
    }

    master.kill();
    let began = Instant::now();
    while store.load(KEY).await != Ok(Some(session())) {
        assert!(began.elapsed() < Duration::from_secs(30), "the replica is asked");
    }
    store.remove(KEY).await.unwrap();
    let after = until_it_beats(&directory).await;
    assert_eq!(after.memory, before.memory, "the replica remembers");
    let claim = directory.claim("ROOM", "node-1", 0, LONG).await;
    assert_eq!(claim, Ok(Claim::Granted { fence: 8 }));
    until_heard(&bus, "inbox", &mut inbox).await;
}

#[tokio::test]
async fn only_digests_and_codes_get_there_and_all_expire() {
    let redis = RedisServer::start(&["--requirepass", "swordfish"]).await;
    let store = sessions(&format!("redis://:swordfish@127.0.0.1:{}", redis.port));
    store.save(KEY, session(), LONG).await.unwrap();
    let ask = |arguments: &[&str]| redis.ask(&[&["-a", "swordfish"], arguments].concat());
    let key = format!("parlor:session:{{{}}}", "07".repeat(32));
    assert_eq!(ask(&["keys", "*"]), key);
    assert_eq!(ask(&["get", &key]), "ABCDEFGH");
    let left: i64 = ask(&["pttl", &key]).parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn nobody_waits_for_a_server_that_is_away_or_stuck() {
    let mut redis = RedisServer::start(&[]).await;
    let store = sessions(&redis.url());
    store.save(KEY, session(), LONG).await.unwrap();

    redis.signal("-STOP");
    let began = Instant::now();
    let calls = (0..50).map(|_| store.load(KEY));
    for outcome in join_all(calls).await {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    redis.signal("-CONT");
    until_it_answers(&store).await;
    assert_eq!(store.load(KEY).await, Ok(Some(session())), "nothing was lost");

    redis.kill();
    let began = Instant::now();
    assert!(matches!(store.load(KEY).await, Err(StoreError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(2));
    redis.start_again().await;
    until_it_answers(&store).await;
    assert_eq!(store.load(KEY).await, Ok(None), "it came back empty");
    store.save(KEY, session(), LONG).await.unwrap();
}

#[tokio::test]
async fn a_store_comes_up_before_its_server() {
    let mut redis = RedisServer::start(&[]).await;
    redis.kill();
    let store = sessions(&redis.url());
    assert!(matches!(store.load(KEY).await, Err(StoreError::Unavailable(_))));
    redis.start_again().await;
    until_it_answers(&store).await;
}

#[tokio::test]
async fn a_server_that_is_full_says_so() {
    let limits = ["--maxmemory", "2mb", "--maxmemory-policy", "noeviction"];
    let redis = RedisServer::start(&limits).await;
    let store = sessions(&redis.url());
    let key = |number: u32| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_le_bytes());
        SessionKey(key)
    };
    let mut outcome = Ok(());
    for number in 0..SESSIONS_IN_2MB {
        outcome = store.save(key(number), session(), LONG).await;
        if outcome.is_err() {
            break;
        }
    }
    assert_eq!(outcome, Err(StoreError::Full));
    assert_eq!(store.load(key(0)).await, Ok(Some(session())), "what is there stays");
}

#[test]
fn addresses_that_are_none_are_refused_without_the_password_in_them() {
    for url in
        ["", "localhost", "http://user:swordfish@host", "redis-sentinel://host:26379", "redis://"]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let error = Redis::new(&RedisConfig::new(url)).unwrap_err().to_string();
        assert!(
            !error.contains("swordfish") && error.contains("redis://host:6379"),
            "{url}: {error}"
        );
    }
}

async fn until_it_answers(store: &RedisSessionStore) {
    let began = Instant::now();
    while store.load(KEY).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "it comes back by itself");
    }
}

async fn until_it_beats(directory: &RedisRoomDirectory) -> Beat {
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(20), "it comes back by itself");
        let asked = Instant::now();
        let beat = directory.beat(&node(), LONG).await;
        assert!(asked.elapsed() < CALL_TIME_MAX, "no call hangs: {:?}", asked.elapsed());
        if let Ok(beat) = beat {
            return beat;
        }
    }
}

/// Sends until something arrives, and takes what has.
async fn until_heard(bus: &RedisBus, inbox: &str, receiver: &mut Receiver<Vec<u8>>) {
    while receiver.try_recv().is_ok() {}
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(20), "what is sent to {inbox} arrives");
        let asked = Instant::now();
        let sent = bus.send(inbox, b"heard?".to_vec()).await;
        assert!(asked.elapsed() < SEND_TIME_MAX, "no sending hangs: {:?}", asked.elapsed());
        if sent.is_ok() && timeout(Duration::from_millis(50), receiver.recv()).await.is_ok() {
            while receiver.try_recv().is_ok() {}
            return;
        }
    }
}

fn cluster_url(nodes: &[RedisServer]) -> String {
    format!("redis-cluster://127.0.0.1:{},127.0.0.1:{}", nodes[0].port, nodes[1].port)
}

/// What a call may take by default, and some for a machine that is busy.
const CALL_TIME_MAX: Duration = Duration::from_millis(500 + 300);
const SEND_TIME_MAX: Duration = Duration::from_millis(3000 + 300);
