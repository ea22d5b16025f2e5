//! Limits at their bounds: the last that is let in, the first that is not, and that a place given back can be had
//! again. Whose address it is that counts, behind proxies too; and TLS, where a handshake can stall as well.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parlor_client::protocol::{Codec, ErrorCode, Secret};
use parlor_client::{Client, Options, RequestError, new_room};
use parlor_gateway::Quota;
use parlor_server::game::GameError;
use parlor_server::{Admission, JoinHook, Joining, ProxyHeader, ServerConfig, TlsFiles};
use parlor_testutil::games::Counting;
use parlor_testutil::http::Ask;
use parlor_testutil::raw::{RawSocket, stream_from, upgrade};
use parlor_testutil::seat::{WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[tokio::test]
async fn a_full_server_answers_503_and_takes_someone_again_when_a_place_is_free() {
    let server = server(|config| config.connections_max = 3);
    let mut held: Vec<_> = Vec::new();
    for _ in 0..3 {
        held.push(opened(&server, 1, "").await.unwrap());
    }
    let head = opened(&server, 2, "").await.unwrap_err();
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.contains("\r\nretry-after: "), "{head}");
    server.is_limited("connections", 1).await;
    assert_eq!(Ask::get("/health/live").of(server.address()).await.status, 200);
    held.pop();
    held.push(opened_in_time(&server, 2).await);
    assert!(opened(&server, 1, "").await.is_err());
}

/// All fifty have their connection before the first asks, so that they ask together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bound_on_an_address_holds_under_fifty_handshakes_at_once() {
    let server = server(|config| config.connections_per_address_max = 10);
    let together = Arc::new(Barrier::new(50));
    let mut handshakes = JoinSet::new();
    for _ in 0..50 {
        let (address, together) = (server.address(), Arc::clone(&together));
        handshakes.spawn(async move {
            let mut socket = RawSocket::connect(address).await;
            together.wait().await;
            let head = socket.ask(&upgrade("")).await;
            (head, socket)
        });
    }
    let (mut held, mut refused) = (Vec::new(), Vec::new());
    for (head, socket) in handshakes.join_all().await {
        if head.starts_with("HTTP/1.1 101 ") { held.push(socket) } else { refused.push(head) }
    }
    assert_eq!((held.len(), refused.len()), (10, 40));
    for head in refused {
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        assert!(head.contains("\r\nretry-after: 5\r\n"), "{head}");
    }
    server.is_limited("connections_per_address", 40).await;

    let elsewhere = opened(&server, 2, "").await;
    assert!(elsewhere.is_ok(), "another address has places of its own");
    held.pop();
    held.push(opened_in_time(&server, 1).await);
    assert!(opened(&server, 1, "").await.is_err(), "one place, and not two");
}

#[tokio::test]
async fn an_address_has_so_many_sockets_that_are_no_connections_yet() {
    let server = server(|config| config.http_connections_per_address_max = 5);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(RawSocket::connect(server.address()).await);
    }
    let mut one_more = RawSocket::connect(server.address()).await;
    assert!(one_more.until_cut().await.is_empty(), "it is cut without a word");
    server.is_limited("http_connections_per_address", 1).await;
    assert!(opened(&server, 2, "").await.is_ok(), "another address has places of its own");

    // A WebSocket needs its place only until it is one.
    let mut first = held.remove(0);
    let head = first.ask(&upgrade("")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let second = opened_in_time(&server, 1).await;
    held.push(RawSocket::connect(server.address()).await);
    // The last place of five is the one that the second has left, or is about to leave.
    drop((first, second, held));
    opened_in_time(&server, 1).await;
}

#[tokio::test]
async fn loopback_is_exempt_from_limits_by_address_unless_it_is_to_be_limited() {
    let few = |config: &mut ServerConfig| {
        config.connections_per_address_max = 1;
        config.http_connections_per_address_max = 1;
        config.gateway.rooms_opened = Quota { burst: 1, every: HOUR };
        config.gateway.wrong_guesses = Quota { burst: 1, every: HOUR };
    };
    let exempt = server(|config| {
        few(config);
        config.loopback_limited = false;
    });
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(opened(&exempt, 1, "").await.unwrap());
        held.push(RawSocket::connect(exempt.address()).await);
        assert_eq!(post(&exempt, 1).await, 201);
        assert_eq!(guess(&exempt, 1).await, 404);
    }
    let limited = server(|config| {
        few(config);
        // Its own HTTP connections come and go.
        config.http_connections_per_address_max = 64;
    });
    let _held = opened(&limited, 1, "").await.unwrap();
    assert!(opened(&limited, 1, "").await.is_err());
    assert_eq!((post(&limited, 1).await, post(&limited, 1).await), (201, 429));
    assert_eq!((guess(&limited, 1).await, guess(&limited, 1).await), (404, 429));
    for limit in ["connections_per_address", "rooms_opened", "wrong_guesses"] {
        limited.is_limited(limit, 1).await;
        assert_eq!(exempt.limited(limit).await, 0, "{limit}");
    }
}

#[tokio::test]
async fn a_connection_asks_so_often_and_rooms_are_opened_so_often_and_no_oftener() {
    let server = server(|config| {
        config.gateway.requests_per_second = 1;
        config.gateway.requests_burst = 5;
        config.gateway.rooms_opened = Quota { burst: 2, every: HOUR };
    });
    let (client, _events) = server.connect(Codec::Json).await;
    let began = Instant::now();
    for _ in 0..5 {
        client.ping().await.unwrap();
    }
    let refused = client.ping().await;
    // On a machine that took a second for five, one more has become due.
    if began.elapsed() < Duration::from_secs(1) {
        let Err(RequestError::Refused(error)) = refused else { panic!("{refused:?}") };
        assert_eq!((error.code, error.retryable), (ErrorCode::RATE_LIMITED, true));
        let wait_ms = error.details.unwrap()["retryAfterMs"].as_u64().unwrap();
        assert!((1..=1000).contains(&wait_ms), "{wait_ms} ms");
        server.is_limited("requests", 1).await;
    }

    for number in 0..3 {
        let (client, _events) = server.connect(Codec::MsgPack).await;
        let opened = client.create_room::<Value>(&new_room("counting", name("Ada"))).await;
        match opened {
            Ok(_) => assert!(number < 2),
            Err(error) => {
                assert_eq!((number, error.code()), (2, Some(&ErrorCode::RATE_LIMITED)));
            }
        }
    }
    server.is_limited("rooms_opened", 1).await;
}

/// A program that takes its time to say who may come in once let any number of guesses wait beside each other, each
/// of which was the first when it was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_that_wait_together_for_the_join_hook_are_no_more_than_the_burst() {
    let gate = Gate(Arc::new(Barrier::new(20)));
    let mut config = ServerConfig::default();
    config.loopback_limited = true;
    config.gateway.wrong_guesses = Quota { burst: 5, every: HOUR };
    let server =
        TestServer::with_config(config, |server| server.game(Counting).join_hook(gate.clone()));
    let (host, _events) = server.connect_from(2, Codec::Json).await;
    let mut room = new_room("counting", name("Host"));
    room.password = Some(Secret::new("open sesame"));
    let room = host.create_room::<Value>(&room).await.unwrap().room_id;

    let mut guesses = JoinSet::new();
    for number in 0..20 {
        let (address, code) = (server.address(), room.to_string());
        guesses.spawn(async move {
            let mut socket = RawSocket::open(address, "").await;
            let guess =
                json!({"roomId": code, "playerName": GATED, "password": number.to_string()});
            socket.request("join_room", &guess).await["error"]["code"].take()
        });
    }
    let codes = guesses.join_all().await;
    let wrong = codes.iter().filter(|code| *code == "WRONG_PASSWORD").count();
    let limited = codes.iter().filter(|code| *code == "RATE_LIMITED").count();
    assert_eq!(wrong + limited, 20, "{codes:?}");
    // Each of two threads may be about to count its guess.
    assert!((5..=6).contains(&wrong), "{wrong} guesses were answered");
}

#[tokio::test]
async fn clients_behind_one_proxy_are_counted_apart() {
    let server = server(|config| {
        config.connections_per_address_max = 2;
        // Which the proxy itself is free of.
        config.http_connections_per_address_max = 1;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let said = |value: &str| format!("X-Forwarded-For: {value}\r\n");
    let ada = said("203.0.113.7");
    let mut held = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..2 {
        held.push(opened(&server, 1, &ada).await.unwrap());
        held.push(opened(&server, 1, &said("203.0.113.8")).await.unwrap());
        waiting.push(RawSocket::connect(server.address()).await);
    }
    for hers in [
        ada,
        // What she writes herself stands further left.
        said("198.51.100.1, 203.0.113.7"),
        said("198.51.100.1") + &said("203.0.113.7"),
        said("203.0.113.7, 127.0.0.9"),
        said("203.0.113.7") + &said("127.0.0.9"),
        said("::ffff:203.0.113.7"),
    ] {
        let head = opened(&server, 1, &hers).await.expect_err(&hers);
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    }
    server.is_limited("connections_per_address", 6).await;
    for others in [said("203.0.113.9"), said("203.0.113.7, 203.0.113.10")] {
        held.push(opened(&server, 1, &others).await.expect(&others));
    }
    // Of IPv6, a site is one client.
    held.push(opened(&server, 1, &said("2001:db8::1")).await.unwrap());
    held.push(opened(&server, 1, &said("2001:db8::2")).await.unwrap());
    assert!(opened(&server, 1, &said("2001:db8::3")).await.is_err());
    held.push(opened(&server, 1, &said("2001:db8:0:1::1")).await.unwrap());
}

#[tokio::test]
async fn whoever_is_not_trusted_cannot_say_who_it_is() {
    let server = server(|config| {
        config.connections_per_address_max = 2;
        config.trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()];
    });
    let said = |number| {
        format!("X-Forwarded-For: 203.0.113.{number}\r\nForwarded: for=203.0.113.{number}\r\n")
    };
    let _held = [
        opened(&server, 1, &said(1)).await.unwrap(),
        opened(&server, 1, &said(2)).await.unwrap(),
        // The proxy is believed, also when it says what the others have pretended.
        opened(&server, 2, &said(1)).await.unwrap(),
    ];
    assert!(opened(&server, 1, &said(3)).await.is_err());
    assert!(opened(&server, 1, "").await.is_err());
    server.is_limited("connections_per_address", 2).await;
}

#[tokio::test]
async fn only_the_header_that_is_configured_is_read() {
    let server = server(|config| {
        config.connections_per_address_max = 1;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.proxy_header = ProxyHeader::Forwarded;
    });
    let said = |value: &str| format!("Forwarded: {value}\r\n");
    let mut held = vec![opened(&server, 1, &said("for=203.0.113.7;proto=https")).await.unwrap()];
    for hers in [
        said("For=\"203.0.113.7:4711\""),
        said("for=198.51.100.1, for=203.0.113.7"),
        said("for=198.51.100.1") + &said("for=203.0.113.7"),
        // Passed on as the client has written it.
        said("for=203.0.113.7") + "X-Forwarded-For: 198.51.100.1\r\n",
    ] {
        assert!(opened(&server, 1, &hers).await.is_err(), "{hers}");
    }
    held.push(opened(&server, 1, &said("for=\"[2001:db8::7]:4711\"")).await.unwrap());
    assert!(opened(&server, 1, &said("for=\"[2001:db8::8]\"")).await.is_err());
    server.is_limited("connections_per_address", 5).await;
}

#[tokio::test]
async fn guesses_and_rooms_are_counted_by_the_client_and_not_by_its_proxy() {
    let server = server(|config| {
        config.gateway.rooms_opened = Quota { burst: 1, every: HOUR };
        config.gateway.wrong_guesses = Quota { burst: 1, every: HOUR };
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    });
    let from = |ask: Ask, number: u8| {
        let ask = ask.with("X-Forwarded-For", &format!("203.0.113.{number}"));
        let address = server.address();
        async move { ask.of(address).await.status }
    };
    let open = || Ask::post("/api/v1/rooms", &json!({"gameType": "counting"}));
    let guess = || Ask::get("/api/v1/rooms/ABCDEFGH");
    for number in 1..=3 {
        assert_eq!((from(open(), number).await, from(open(), number).await), (201, 429));
        assert_eq!((from(guess(), number).await, from(guess(), number).await), (404, 429));
    }
    server.is_limited("rooms_opened", 3).await;
    server.is_limited("wrong_guesses", 3).await;
}

#[tokio::test]
async fn a_proxy_says_by_the_proxy_protocol_for_whom_it_connects_or_is_cut() {
    let server = server(|config| {
        config.connections_per_address_max = 2;
        config.http_connections_per_address_max = 3;
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.proxy_protocol = true;
        config.handshake_time_max = HANDSHAKE_TIME_MAX;
    });
    let by_proxy = |number: u8, more: &'static str| {
        let address = server.address();
        async move {
            let mut socket = RawSocket::connect(address).await;
            socket.send(&proxied([203, 0, 113, number])).await.unwrap();
            let head = socket.ask(&upgrade(more)).await;
            if head.starts_with("HTTP/1.1 101 ") { Ok(socket) } else { Err(head) }
        }
    };
    let mut held = Vec::new();
    for number in [7, 8] {
        for _ in 0..2 {
            held.push(by_proxy(number, "").await.unwrap());
        }
        let head = by_proxy(number, "").await.unwrap_err();
        assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
        // Who is known by now is no proxy, and what it says of itself is not believed.
        assert!(by_proxy(number, "X-Forwarded-For: 203.0.113.99\r\n").await.is_err());
    }
    server.is_limited("connections_per_address", 4).await;

    // Of sockets that are no connections yet, it is the client as well who has so many.
    let mut silent = Vec::new();
    for _ in 0..3 {
        let mut socket = RawSocket::connect(server.address()).await;
        socket.send(&proxied([203, 0, 113, 9])).await.unwrap();
        silent.push(socket);
    }
    let one_more = async {
        let mut tries = interval(Duration::from_millis(10));
        // The three are counted as soon as they have been read.
        while by_proxy(9, "").await.err().as_deref() != Some("") {
            tries.tick().await;
        }
    };
    timeout(HANDSHAKE_TIME_MAX, one_more).await.expect("the fourth is cut without a word");
    assert!(server.limited("http_connections_per_address").await >= 1);
    held.push(by_proxy(10, "").await.unwrap());

    // A proxy that only looks connects for itself, who is not limited.
    for _ in 0..5 {
        let mut socket = RawSocket::connect(server.address()).await;
        socket.send(LOCAL).await.unwrap();
        let answer = socket.ask("GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    for missing in [
        &upgrade("").into_bytes()[..],
        b"PROXY TCP4 203.0.113.7 127.0.0.1 4660 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c",
    ] {
        let mut socket = RawSocket::connect(server.address()).await;
        socket.send(missing).await.unwrap();
        assert!(socket.until_cut().await.is_empty(), "it is not answered");
    }
    // One that begins and stalls.
    let before = server.limited("handshake_time").await;
    let mut socket = RawSocket::connect(server.address()).await;
    socket.send(&LOCAL[..7]).await.unwrap();
    assert!(socket.until_cut().await.is_empty());
    server.is_limited("handshake_time", before + 1).await;
    // Others connect for themselves, without it.
    held.push(opened(&server, 2, "").await.unwrap());
}

#[tokio::test]
async fn players_play_by_tls() {
    let certificate = Certificate::new();
    let server = certificate.server(|_| {});
    let mut seats = Vec::new();
    for codec in Codec::ALL {
        let stream = certificate.connect(&server).await;
        let options = Options { codec, ..Options::default() };
        let (client, events) = Client::over(stream, "ws://localhost/ws", options).await.unwrap();
        let room = new_room("counting", name("Ada"));
        client.create_room::<Value>(&room).await.unwrap();
        client.chat("good evening").await.unwrap();
        seats.push((client, events));
    }
    assert_eq!(server.gateway().connection_count(), 2);

    let alive = Ask::get("/health/live").over(certificate.connect(&server).await).await;
    assert_eq!(alive.status, 200);
    let open = Ask::post("/api/v1/rooms", &json!({"gameType": "counting"}));
    let opened = open.over(certificate.connect(&server).await).await.json();
    let url = opened["joinUrl"].as_str().unwrap();
    assert!(url.starts_with("https://play.example/play/counting"), "{url}");
}

#[tokio::test]
async fn who_speaks_in_clear_or_stalls_in_the_handshake_harms_nobody() {
    let certificate = Certificate::new();
    let server = certificate.server(|config| {
        config.handshake_time_max = HANDSHAKE_TIME_MAX;
        config.http_connections_per_address_max = 40;
    });
    let stream = certificate.connect(&server).await;
    let options = Options::default();
    let (client, _events) = Client::over(stream, "ws://localhost/ws", options).await.unwrap();

    for clear in [upgrade("").as_str(), "GET / HTTP/1.0\r\n\r\n", "\0\0\0\0\0\0"] {
        let mut socket = RawSocket::connect(server.address()).await;
        socket.send(clear.as_bytes()).await.unwrap();
        let answer = socket.until_cut().await;
        assert!(!answer.starts_with(b"HTTP/"), "at most an alert of TLS: {answer:?}");
    }
    client.ping().await.unwrap();

    // The beginning of a greeting, whose record is said to be 512 bytes long.
    let began = Instant::now();
    let mut stalled = JoinSet::new();
    for _ in 0..20 {
        let address = server.address();
        stalled.spawn(async move {
            let mut socket = RawSocket::connect(address).await;
            socket.send(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap();
            socket.until_cut().await
        });
    }
    client.ping().await.unwrap();
    stalled.join_all().await;
    assert!(began.elapsed() >= HANDSHAKE_TIME_MAX / 2, "they had some time");
    // And one that has shaken hands and says nothing more.
    let mut silent = certificate.connect(&server).await;
    let mut nothing = Vec::new();
    let cut = tokio::io::AsyncReadExt::read_to_end(&mut silent, &mut nothing);
    let _in_whatever_way = timeout(WAIT_MAX, cut).await.expect("it is cut in time");
    assert!(nothing.is_empty());
    client.ping().await.unwrap();
    assert_eq!(client.closed(), None);
    let stream = certificate.connect(&server).await;
    let metrics = Ask::get("/metrics").over(stream).await.body;
    assert!(metrics.contains("parlor_limited_total{limit=\"handshake_time\"} 21"), "{metrics}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_who_connects_then_and_an_unusable_one_never() {
    let certificate = Certificate::new();
    let server = certificate.server(|_| {});
    let running = server.running();
    let config = ServerConfig::default();
    let stream = certificate.connect(&server).await;
    let old = certificate.read();
    assert_eq!(shown(&stream), old);
    let options = Options::default();
    let (client, _events) = Client::over(stream, "ws://localhost/ws", options).await.unwrap();

    certificate.renew();
    let new = certificate.read();
    assert_ne!(old, new);
    assert_eq!(shown(&certificate.connect_trusting(&old, &server).await), old, "not yet");
    running.reconfigure(&config).unwrap();
    assert_eq!(shown(&certificate.connect(&server).await), new);
    client.ping().await.expect("who came before goes on");

    // A key that is another's, and files that are none.
    let good = std::fs::read(certificate.key()).unwrap();
    let another = Certificate::new();
    let anothers = std::fs::read(another.key()).unwrap();
    for bad in [anothers.as_slice(), b"", b"nonsense", &good[..good.len() / 2]] {
        std::fs::write(certificate.key(), bad).unwrap();
        running.reconfigure(&config).unwrap_err();
        assert_eq!(shown(&certificate.connect(&server).await), new, "it stays as it was");
    }
    std::fs::remove_file(certificate.key()).unwrap();
    running.reconfigure(&config).unwrap_err();
    assert_eq!(shown(&certificate.connect(&server).await), new);
    client.ping().await.unwrap();
    std::fs::write(certificate.key(), good).unwrap();
    running.reconfigure(&config).unwrap();
    assert_eq!(shown(&certificate.connect(&server).await), new);
}

/// A certificate for `localhost` and its key, in files.
struct Certificate {
    files: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let certificate = Self { files: tempfile::tempdir().unwrap() };
        certificate.renew();
        certificate
    }

    /// Another one in the same files.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(self.path("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        Path::new(self.files.path()).join(file)
    }

    fn key(&self) -> std::path::PathBuf {
        self.path("key.pem")
    }

    fn read(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path("certificate.pem")).unwrap()
    }

    /// A server that shows it.
    fn server(&self, configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
        let tls = TlsFiles { certificate: self.path("certificate.pem"), key: self.key() };
        server(|config| {
            config.tls = Some(tls);
            configure(config);
        })
    }

    /// A connection of one who trusts it.
    async fn connect(&self, server: &TestServer) -> TlsStream<TcpStream> {
        self.connect_trusting(&self.read(), server).await
    }

    async fn connect_trusting(
        &self,
        certificate: &CertificateDer<'static>,
        server: &TestServer,
    ) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = stream_from(1, server.address()).await.unwrap();
        let connecting = TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), stream);
        timeout(WAIT_MAX, connecting).await.expect("the server answers in time").unwrap()
    }
}

/// Lets everyone in, one kind of player only many at a time.
#[derive(Clone)]
struct Gate(Arc<Barrier>);

impl JoinHook for Gate {
    async fn admit(&self, joining: Joining) -> Result<Admission, GameError> {
        if joining.player_name.as_str() == GATED {
            self.0.wait().await;
        }
        Ok(Admission::default())
    }
}

/// What a server has shown.
fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A server that limits loopback as well.
fn server(configure: impl FnOnce(&mut ServerConfig)) -> TestServer {
    let mut config = ServerConfig::default();
    config.games_drain_time_max = Duration::ZERO;
    config.loopback_limited = true;
    configure(&mut config);
    TestServer::with_config(config, |server| server.game(Counting))
}

/// A WebSocket from 127.0.0.`host`, or the head of what is answered instead.
async fn opened(server: &TestServer, host: u8, more: &str) -> Result<RawSocket, String> {
    let mut socket = RawSocket::connect_from(host, server.address()).await;
    let head = socket.ask(&upgrade(more)).await;
    if head.starts_with("HTTP/1.1 101 ") { Ok(socket) } else { Err(head) }
}

/// The same once there is a place: the server has to notice first that one is free.
async fn opened_in_time(server: &TestServer, host: u8) -> RawSocket {
    let opening = async {
        let mut tries = interval(Duration::from_millis(10));
        loop {
            tries.tick().await;
            if let Ok(socket) = opened(server, host, "").await {
                break socket;
            }
        }
    };
    timeout(WAIT_MAX, opening).await.expect("a place is given back")
}

async fn post(server: &TestServer, host: u8) -> u16 {
    let stream = stream_from(host, server.address()).await.unwrap();
    Ask::post("/api/v1/rooms", &json!({"gameType": "counting"})).over(stream).await.status
}

async fn guess(server: &TestServer, host: u8) -> u16 {
    let stream = stream_from(host, server.address()).await.unwrap();
    Ask::get("/api/v1/rooms/ABCDEFGH").over(stream).await.status
}

/// What a proxy says that connects for someone at this address.
fn proxied(client: [u8; 4]) -> Vec<u8> {
    let head = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    [head.as_slice(), &client, &[127, 0, 0, 1], &[0x12, 0x34, 0, 80]].concat()
}

/// What it says that connects for itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
const GATED: &str = "Mallory";
const HOUR: Duration = Duration::from_secs(3600);
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(1);
