//! A player's state over real sockets, sent as patches.

use std::future::Future;

use parlor_client::protocol::{Codec, EventType, RoomCode};
use parlor_client::{
    Client, Ended, Happening, Happenings, Options, Player, PlayerOptions, new_room, seat_in,
};
use parlor_testutil::games::{Entry, Ledger, Page};
use parlor_testutil::seat::{Seat, WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use parlor_testutil::wire::Wire;
use serde_json::json;
use tokio::time::timeout;

/// A room whose ledger has begun, sending patches to those who sit there.
async fn ledger(server: &TestServer) -> (Client, RoomCode) {
    let (client, events) = server.connect(Codec::Json).await;
    drop(events);
    let mut room = new_room("ledger", name("Ada"));
    room.options = json!({"seats": 4, "patches": true}).as_object().unwrap().clone();
    let joined = client.create_room::<Page>(&room).await.unwrap();
    client.start_game().await.unwrap();
    (client, joined.room_id)
}

async fn enter(client: &Client, number: u64) {
    client.act(&Entry::Enter { number }).await.unwrap();
}

/// Looks on until the page has so many entries, and gives the versions on the way. Every page is whole.
async fn watch_until(happenings: &mut Happenings<Page>, entries: u64) -> Vec<u64> {
    let mut versions = Vec::new();
    loop {
        let (version, page) = match soon(happenings.next()).await.unwrap() {
            Happening::Snapshot(room) => (room.version, room.state),
            Happening::State(now) => (now.version, now.state),
            Happening::Event(_) => continue,
        };
        assert!(page.is_whole(), "version {version}: {page:?}");
        versions.push(version);
        if page.entries >= entries {
            assert_eq!(page.entries, entries);
            return versions;
        }
    }
}

async fn soon<T>(happens: impl Future<Output = T>) -> T {
    timeout(WAIT_MAX, happens).await.expect("it happens in time")
}

#[tokio::test]
async fn player_who_is_sent_patches_sees_every_state_though_its_connection_is_lost_again_and_again()
{
    let server = TestServer::start(|server| server.game(Ledger));
    for codec in Codec::ALL {
        let (ada, room) = ledger(&server).await;
        let wire = Wire::to(server.address()).await;
        let by_wire = wire.url("/ws").replace("http://", "ws://");
        let options = PlayerOptions {
            connection: Options { codec, ..Options::default() },
            ..PlayerOptions::default()
        };
        let seat = seat_in(room, name("Bob"));
        let (bob, mut happenings) = Player::connect::<Page>(&by_wire, seat, options).unwrap();
        watch_until(&mut happenings, 0).await;

        let mut entries = 0;
        for _ in 0..4 {
            let mut last = None;
            for _ in 0..10 {
                entries += 1;
                enter(&ada, entries).await;
                let versions = watch_until(&mut happenings, entries).await;
                let version = *versions.last().unwrap();
                assert!(last.is_none_or(|last| version == last + 1), "{version} after {last:?}");
                last = Some(version);
            }
            wire.cut();
            for _ in 0..3 {
                entries += 1;
                enter(&ada, entries).await;
            }
            wire.mend();
            watch_until(&mut happenings, entries).await;
        }
        assert!(bob.session().unwrap().attempt >= 4, "it has come back");
        bob.leave().await.unwrap();
        assert!(matches!(soon(ended(happenings)).await, Ended::ByClient));
    }
}

/// What makes sure that the other tests are about patches.
#[tokio::test]
async fn client_with_a_follower_is_sent_patches_and_sees_whole_pages() {
    let server = TestServer::start(|server| server.game(Ledger));
    for codec in Codec::ALL {
        let (ada, room) = ledger(&server).await;
        let mut bob: Seat<Page> = Seat::join(&server, codec, &seat_in(room, name("Bob"))).await;
        let mut patches = 0;
        for number in 1..=30 {
            enter(&ada, number).await;
            while bob.view.entries < number {
                let event = bob.next().await;
                patches += u32::from(event.kind == EventType::RoomPatch);
                assert!(bob.view.is_whole(), "{:?}", bob.view);
            }
        }
        assert!(patches >= 15, "{patches} of 30 states were patches in {codec:?}");
    }
}

async fn ended(mut happenings: Happenings<Page>) -> Ended {
    loop {
        if let Err(ended) = happenings.next().await {
            return ended;
        }
    }
}
