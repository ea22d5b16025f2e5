//! A player who is sent to another address of a real server while it plays.
//!
//! The server has one node, and a [`Signpost`] stands for the way by another: it writes the server's own address
//! into the answer by which the player sits down. Takeover and replay are the server's.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parlor_client::protocol::{ChatMessage, Codec, EventType};
use parlor_client::{Happening, Happenings, Player, PlayerOptions, Status, new_room, seat_in};
use parlor_testutil::games::{Ledger, Page};
use parlor_testutil::seat::{WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A port that leads to a server, and names its own address to those who join a room.
struct Signpost {
    url: String,
    /// One for each connection that has ended.
    ended: mpsc::Receiver<()>,
}

impl Signpost {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        let (sender, ended) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // However it ends, it has ended.
                let _ = carry(near, server).await;
                let _ = sender.send(()).await;
            }
        });
        Self { url, ended }
    }
}

async fn carry(mut near: TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut far = TcpStream::connect(server).await?;
    let ((mut from_player, to_player), (from_server, mut to_server)) = (near.split(), far.split());
    // Whichever ends first, both sockets are dropped.
    tokio::select! {
        carried = tokio::io::copy(&mut from_player, &mut to_server) => carried.map(|_| ()),
        carried = carry_back(from_server, to_player, server) => carried,
    }
}

/// Frame by frame, as a server writes them: in one piece and without a mask.
async fn carry_back(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    server: SocketAddr,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await?);
    }
    to.write_all(&head).await?;
    loop {
        let kind = from.read_u8().await?;
        let length = match from.read_u8().await? {
            126 => from.read_u16().await?.into(),
            127 => from.read_u64().await?,
            short => short.into(),
        };
        let mut payload = vec![0; usize::try_from(length).expect("frames fit into memory")];
        from.read_exact(&mut payload).await?;
        if payload.starts_with(br#"{"type":"join_room_result""#) {
            assert!(payload.ends_with(b"}}"), "the data is the last of it");
            payload.truncate(payload.len() - 2);
            payload.extend_from_slice(format!(r#","url":"ws://{server}/ws"}}}}"#).as_bytes());
        }
        let mut frame = vec![kind, 127];
        frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        frame.extend_from_slice(&payload);
        to.write_all(&frame).await?;
    }
}

/// Takes lines of the chat until there are so many, and gives who said which.
async fn lines(happenings: &mut Happenings<Page>, count: usize) -> Vec<ChatMessage> {
    let mut lines = Vec::new();
    while lines.len() < count {
        match timeout(WAIT_MAX, happenings.next()).await.expect("it happens in time").unwrap() {
            Happening::Snapshot(room) => lines = room.chat,
            Happening::State(now) => assert!(now.state.is_whole(), "{:?}", now.state),
            Happening::Event(event) if event.kind == EventType::ChatMessage => {
                lines.push(event.data().unwrap());
            }
            Happening::Event(_) => {}
        }
    }
    lines
}

/// Ada and Bob talk on and on while Bob is on his way, and his way is cut when he has gone.
#[tokio::test]
async fn player_goes_to_its_rooms_node_in_the_midst_of_a_talk_and_no_line_is_lost_or_told_twice() {
    let server = TestServer::start(|server| server.game(Ledger));
    for _ in 0..10 {
        let (ada, events) = server.connect(Codec::Json).await;
        drop(events);
        let mut room = new_room("ledger", name("Ada"));
        room.options = json!({"seats": 4, "patches": true}).as_object().unwrap().clone();
        let room = ada.create_room::<Page>(&room).await.unwrap().room_id;
        let mut signpost = Signpost::to(server.address()).await;
        let seat = seat_in(room, name("Bob"));
        let (bob, mut happenings) =
            Player::connect::<Page>(&signpost.url, seat, PlayerOptions::default()).unwrap();
        let bob = Arc::new(bob);
        let mut status = bob.status();
        let open = status.wait_for(|status| matches!(status, Status::Open));
        timeout(WAIT_MAX, open).await.expect("in time").unwrap();
        status.mark_unchanged();

        let talk_ada = async {
            for line in 0..LINES {
                ada.chat(format!("ada {line}")).await.unwrap();
            }
        };
        let talk_bob = async {
            for line in 0..LINES {
                bob.chat(format!("bob {line}")).await.unwrap();
            }
        };
        let ((), (), heard) = tokio::join!(talk_ada, talk_bob, lines(&mut happenings, 2 * LINES));
        for who in ["ada", "bob"] {
            let said: Vec<_> = heard
                .iter()
                .map(|line| line.text.as_str())
                .filter(|text| text.starts_with(who))
                .map(str::to_owned)
                .collect();
            let expect: Vec<_> = (0..LINES).map(|line| format!("{who} {line}")).collect();
            assert_eq!(said, expect);
        }
        timeout(WAIT_MAX, signpost.ended.recv()).await.expect("he needs it no more").unwrap();
        bob.chat("still here").await.unwrap();
        assert!(!status.has_changed().unwrap(), "his program notices nothing");
        assert_eq!(bob.session().unwrap().attempt, 1);
    }
}

/// What both say is less than a client may send at once.
const LINES: usize = 50;
