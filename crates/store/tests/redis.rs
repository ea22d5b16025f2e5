//! The stores on a real Redis: the same promises as in memory, kept also while the server is away, stuck or full.
#![cfg(feature = "redis")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use parlor_store::conformance;
use parlor_store::{
    Beat, Bus, Claim, NodeRecord, Redis, RedisBus, RedisConfig, RedisRoomDirectory,
    RedisSessionStore, RoomDirectory, Session, SessionKey, SessionStore, StoreError,
};
use parlor_testutil::fault_proxy::{Ending, FaultProxy, Faults};
use parlor_testutil::redis::{
    Certificate, RedisServer, cluster, cluster_tls, sentinel, sentinel_tls,
};
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

#[tokio::test]
async fn all_keys_have_the_prefix_and_expire() {
    let redis = RedisServer::start(&[]).await;
    let mut config = RedisConfig::new(redis.url());
    config.prefix = "game".to_owned();
    let way = Redis::new(&config).unwrap();
    let directory = RedisRoomDirectory::new(way.clone());
    directory.claim("ROOM", "node-1", 0, LONG).await.unwrap();
    directory.beat(&node(), Duration::from_secs(1)).await.unwrap();
    let longer = NodeRecord { node: "node-2".to_owned(), about: String::new() };
    directory.beat(&longer, Duration::from_secs(3600)).await.unwrap();
    RedisSessionStore::new(way).save(KEY, session(), LONG).await.unwrap();
    let mut keys: Vec<String> = redis.ask(&["keys", "*"]).lines().map(str::to_owned).collect();
    keys.sort();
    let digest = format!("game:session:{{{}}}", "07".repeat(32));
    let nodes = ["game:abouts:{nodes}", "game:expiries:{nodes}", "game:memory:{nodes}"];
    assert_eq!(keys, [&nodes[..], &["game:room:{ROOM}", &digest]].concat());
    for key in &keys {
        let left: i64 = redis.ask(&["pttl", key]).parse().unwrap();
        let most = if key.ends_with("{nodes}") { 36_000_000 } else { 60_000 };
        assert!((most / 2..=most).contains(&left), "{key}: {left}");
    }
}

/// An answer that was not heard: the server is stopped while it has the beat, and does it later.
#[tokio::test]
async fn a_lease_that_its_node_has_not_heard_of_was_not_held() {
    let redis = RedisServer::start(&[]).await;
    let directory = directory(&redis.url());
    let other = NodeRecord { node: "node-2".to_owned(), about: String::new() };
    directory.beat(&other, LONG).await.expect("it is connected, and the server knows the script");
    redis.signal("-STOP");
    assert!(directory.beat(&node(), LONG).await.is_err());
    redis.signal("-CONT");
    let began = Instant::now();
    while redis.ask(&["hexists", "parlor:abouts:{nodes}", "node-1"]) != "1" {
        assert!(began.elapsed() < Duration::from_secs(10), "it is done in the end");
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!until_it_beats(&directory).await.was_held);
    assert!(until_it_beats(&directory).await.was_held);
}

#[tokio::test]
async fn a_directory_and_a_bus_come_back_after_all_is_lost() {
    let mut redis = RedisServer::start(&[]).await;
    let (directory, bus) = (directory(&redis.url()), bus(&redis.url()));
    let mut inbox = bus.listen("inbox");
    until_heard(&bus, "inbox", &mut inbox).await;
    let before = until_it_beats(&directory).await;
    directory.claim("ROOM", "node-1", 0, LONG).await.unwrap();

    redis.kill();
    assert!(matches!(directory.beat(&node(), LONG).await, Err(StoreError::Unavailable(_))));
    let sent = bus.send("inbox", b"unheard".to_vec()).await;
    assert!(matches!(sent, Err(StoreError::Unavailable(_))));
    redis.start_again().await;
    let after = until_it_beats(&directory).await;
    assert!(!after.was_held);
    assert_ne!(after.memory, before.memory);
    assert_eq!(directory.find("ROOM").await, Ok(None));
    until_heard(&bus, "inbox", &mut inbox).await;
}

#[tokio::test]
async fn nobody_waits_longer_than_said_for_a_server_that_is_stuck_for_five_seconds() {
    let redis = RedisServer::start(&[]).await;
    let (directory, bus) = (directory(&redis.url()), bus(&redis.url()));
    let mut inbox = bus.listen("inbox");
    until_heard(&bus, "inbox", &mut inbox).await;
    let before = until_it_beats(&directory).await;

    redis.signal("-STOP");
    let began = Instant::now();
    let calls = async {
        while began.elapsed() < Duration::from_secs(5) {
            let asked = Instant::now();
            assert!(directory.beat(&node(), LONG).await.is_err());
            assert!(asked.elapsed() < CALL_TIME_MAX, "{:?}", asked.elapsed());
        }
    };
    let sends = async {
        while began.elapsed() < Duration::from_secs(5) {
            let asked = Instant::now();
            assert!(bus.send("inbox", b"late".to_vec()).await.is_err());
            assert!(asked.elapsed() < SEND_TIME_MAX, "{:?}", asked.elapsed());
        }
    };
    tokio::join!(calls, sends);
    redis.signal("-CONT");
    assert_eq!(until_it_beats(&directory).await.memory, before.memory);
    until_heard(&bus, "inbox", &mut inbox).await;
}

/// Every connection stalls a second after it was made, and nobody is told. Those that are made later are well.
#[tokio::test]
async fn connections_that_lead_nowhere_are_given_up() {
    let redis = RedisServer::start(&[]).await;
    let faults = Faults {
        lifetime: Duration::from_millis(1000)..Duration::from_millis(1001),
        short_one_in: u32::MAX,
        agony: LONG..LONG * 2,
        endings: vec![Ending::Stall],
        ..Faults::seeded(1)
    };
    let proxy = FaultProxy::to(([127, 0, 0, 1], redis.port).into(), faults).await;
    let url = format!("redis://{}", proxy.address());
    let (directory, bus) = (directory(&url), bus(&url));
    let mut inbox = bus.listen("inbox");
    until_heard(&bus, "inbox", &mut inbox).await;
    until_it_beats(&directory).await;
    let began = Instant::now();
    while redis.ask(&["publish", "parlor:inbox:{inbox}", "?"]) != "1"
        || timeout(Duration::from_millis(100), inbox.recv()).await.is_ok()
    {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing comes through any more");
    }
    proxy.heal();
    until_it_beats(&directory).await;
    until_heard(&bus, "inbox", &mut inbox).await;
}

#[tokio::test]
async fn who_stops_listening_is_forgotten_whether_or_not_there_is_a_server() {
    let mut redis = RedisServer::start(&[]).await;
    let bus = bus(&redis.url());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut inbox = bus.listen("inbox");
    until_heard(&bus, "inbox", &mut inbox).await;
    drop(inbox);
    let began = Instant::now();
    while redis.ask(&["pubsub", "numsub", "parlor:inbox:{inbox}"]) != "parlor:inbox:{inbox}\n0" {
        assert!(began.elapsed() < Duration::from_secs(1), "the server does not hear of it");
        sleep(Duration::from_millis(10)).await;
    }

    // What is left is the connection over which it was sent.
    let with_one_to_send = tasks();
    assert!(with_one_to_send <= before + 1, "{with_one_to_send}");
    for stop in ["-STOP", "-KILL"] {
        redis.signal(stop);
        let inbox = bus.listen("inbox");
        tokio::task::yield_now().await;
        assert!(tasks() > before, "it looks for the server");
        drop(inbox);
        let began = Instant::now();
        while tasks() > with_one_to_send {
            assert!(began.elapsed() < Duration::from_secs(1), "it looks for it still: {stop}");
            tokio::task::yield_now().await;
        }
    }
    redis.kill();
}

/// It came back empty, and its listener with it; the connection to send over is another one by then.
#[tokio::test]
async fn the_first_message_after_a_restart_is_sent() {
    let mut redis = RedisServer::start(&[]).await;
    let bus = bus(&redis.url());
    bus.send("inbox", b"before".to_vec()).await.unwrap();
    redis.kill();
    redis.start_again().await;
    assert_eq!(bus.send("inbox", b"after".to_vec()).await, Ok(()));
}

/// One of three masters, and nobody takes its place.
#[tokio::test]
async fn a_node_of_a_cluster_may_be_away_for_a_while() {
    let mut nodes = cluster().await;
    let url = cluster_url(&nodes);
    let (directory, bus) = (directory(&url), bus(&url));
    let inboxes: Vec<String> = (0..12).map(|number| format!("inbox-{number}")).collect();
    let mut receivers: Vec<_> = inboxes.iter().map(|inbox| bus.listen(inbox)).collect();
    until_it_beats(&directory).await;
    for (inbox, receiver) in inboxes.iter().zip(&mut receivers) {
        until_heard(&bus, inbox, receiver).await;
    }
    for node in &mut nodes {
        node.kill();
        for room in 0..12 {
            let asked = Instant::now();
            let _either = directory.claim(&format!("ROOM{room}"), "node-1", 0, LONG).await;
            assert!(asked.elapsed() < CALL_TIME_MAX, "{:?}", asked.elapsed());
        }
        node.start_again().await;
        until_it_beats(&directory).await;
        for (inbox, receiver) in inboxes.iter().zip(&mut receivers) {
            until_heard(&bus, inbox, receiver).await;
        }
    }
}

#[tokio::test]
async fn whoever_listens_follows_an_inbox_to_another_node() {
    let nodes = cluster().await;
    let bus = bus(&cluster_url(&nodes));
    let mut inbox = bus.listen("inbox");
    until_heard(&bus, "inbox", &mut inbox).await;
    let slot = nodes[0].ask(&["cluster", "keyslot", "parlor:inbox:{inbox}"]);
    let has = |node: &&RedisServer| !node.ask(&["pubsub", "shardchannels"]).is_empty();
    let to = nodes.iter().find(|node| !has(node)).unwrap();
    let id = to.ask(&["cluster", "myid"]);
    for node in &nodes {
        assert_eq!(node.ask(&["cluster", "setslot", &slot, "node", &id]), "OK");
    }
    until_heard(&bus, "inbox", &mut inbox).await;
    assert!(has(&to), "it is there now");
}

/// The rights are those that the documentation lists: enough for everything, and none that is not used.
#[tokio::test]
async fn one_who_may_do_only_what_is_needed_does_all_of_it_over_tls() {
    let certificate = Certificate::make();
    let redis = RedisServer::start_tls(&[], &certificate).await;
    let rights = documented_rights();
    grant(&redis, &rights);
    let mut config = config_tls("rediss://parlor:password@", &redis, &certificate);
    let way = Redis::new(&config).unwrap();
    conformance::session_store(&RedisSessionStore::new(way.clone()), sleep).await;
    conformance::room_directory(&RedisRoomDirectory::new(way.clone()), sleep).await;
    conformance::bus(&RedisBus::new(way)).await;
    assert_eq!(redis.ask(&["acl", "log"]), "", "nothing was refused");
    let used = redis.ask(&["info", "commandstats"]);
    for right in rights.iter().filter_map(|right| right.strip_prefix('+')) {
        assert!(used.contains(&format!("cmdstat_{right}:")), "{right} is used");
    }

    config.prefix = "other".to_owned();
    let other = RedisRoomDirectory::new(Redis::new(&config).unwrap());
    let refused = other.find("ROOM").await;
    let Err(StoreError::Unavailable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("permissions"), "{why}");
}

#[tokio::test]
async fn a_server_for_whom_nobody_vouches_is_not_talked_to() {
    let certificate = Certificate::make();
    let redis = RedisServer::start_tls(&[], &certificate).await;
    let others = Certificate::make();
    let strange = config_tls("rediss://", &redis, &others);
    let by_the_system = {
        let mut config = config_tls("rediss://", &redis, &certificate);
        config.ca = None;
        config
    };
    for config in [strange, by_the_system] {
        let store = RedisSessionStore::new(Redis::new(&config).unwrap());
        let refused = store.load(KEY).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    let mut config = config_tls("rediss://", &redis, &certificate);
    let store = RedisSessionStore::new(Redis::new(&config).unwrap());
    assert_eq!(store.load(KEY).await, Ok(None));
    config.ca = Some(b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----".to_vec());
    assert!(Redis::new(&config).is_err(), "what is no certificate is refused at once");
    config.ca = Some(b"no certificate at all".to_vec());
    assert!(Redis::new(&config).is_err(), "and so is nothing");
    config.ca = Some(certificate.pem.clone().into_bytes());
    config.url = redis.url();
    assert!(Redis::new(&config).is_err(), "and TLS that is not spoken");
}

#[tokio::test]
async fn a_cluster_speaks_tls() {
    let certificate = Certificate::make();
    let nodes = cluster_tls(&certificate).await;
    let mut rights = documented_rights();
    rights.retain(|right| right != "+publish" && right != "+subscribe");
    let more = ["+spublish", "+ssubscribe", "+cluster|slots", "+ping", "+asking"];
    rights.extend(more.map(str::to_owned));
    for node in &nodes {
        grant(node, &rights);
    }
    let config = config_tls("rediss-cluster://parlor:password@", &nodes[0], &certificate);
    let way = Redis::new(&config).unwrap();
    conformance::session_store(&RedisSessionStore::new(way.clone()), sleep).await;
    conformance::room_directory(&RedisRoomDirectory::new(way.clone()), sleep).await;
    conformance::bus(&RedisBus::new(way)).await;
    for node in &nodes {
        assert_eq!(node.ask(&["acl", "log"]), "", "nothing was refused");
    }
}

#[tokio::test]
async fn sentinels_and_their_master_speak_tls() {
    let certificate = Certificate::make();
    let master = RedisServer::start_tls(&[], &certificate).await;
    let mut rights = documented_rights();
    rights.push("+role".to_owned());
    grant(&master, &rights);
    let sentinel = sentinel_tls(&master, &certificate).await;
    let address = "rediss-sentinel://parlor:password@";
    let mut config = config_tls(address, &sentinel, &certificate);
    config.url += "/parlor";
    let way = Redis::new(&config).unwrap();
    let (directory, bus) = (RedisRoomDirectory::new(way.clone()), RedisBus::new(way));
    until_it_beats(&directory).await;
    conformance::bus(&bus).await;
    assert_eq!(master.ask(&["acl", "log"]), "", "nothing was refused");
}

fn grant(redis: &RedisServer, rights: &[String]) {
    let rights: Vec<&str> = rights.iter().map(String::as_str).collect();
    assert_eq!(redis.ask(&rights), "OK");
}

fn config_tls(address: &str, redis: &RedisServer, certificate: &Certificate) -> RedisConfig {
    let mut config = RedisConfig::new(format!("{address}127.0.0.1:{}", redis.tls_port.unwrap()));
    config.ca = Some(certificate.pem.clone().into_bytes());
    config
}

/// The command that makes the user, as the documentation has it.
fn documented_rights() -> Vec<String> {
    let text = include_str!("../src/redis/mod.rs");
    let lines = text.lines().map(|line| line.trim_start_matches("//!"));
    let command = lines.skip_while(|line| !line.contains("ACL SETUSER"));
    let words = command.take_while(|line| !line.contains("```")).flat_map(str::split_whitespace);
    words.map(str::to_owned).collect()
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
