//! A server whose sessions are in Redis, which comes and goes.
#![cfg(feature = "redis")]

use std::time::Duration;

use parlor_client::protocol::{Codec, ErrorCode};
use parlor_client::{RequestError, new_room, seat_in};
use parlor_games::{TicTacToe, tictactoe};
use parlor_server::store::{Redis, RedisConfig, RedisSessionStore};
use parlor_testutil::http::Ask;
use parlor_testutil::redis::RedisServer;
use parlor_testutil::seat::{Seat, WAIT_MAX, name};
use parlor_testutil::server::TestServer;
use serde_json::json;
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn rooms_go_on_while_redis_is_away_and_joins_say_so_at_once_and_work_again_when_it_is_back() {
    let mut redis = RedisServer::start(&[]).await;
    let store = RedisSessionStore::new(Redis::new(&RedisConfig::new(redis.url())).unwrap());
    let server = TestServer::start(|server| server.game(TicTacToe).session_store(store.clone()));
    let room = new_room("tictactoe", name("Ada"));
    let mut ada: Seat<tictactoe::View> = Seat::create(&server, Codec::Json, &room).await;
    let mut bob: Seat<tictactoe::View> =
        Seat::join(&server, Codec::MsgPack, &seat_in(ada.room, name("Bob"))).await;
    ada.until(|seat| seat.view.turn.is_some()).await;
    bob.until(|seat| seat.view.turn.is_some()).await;
    let ready = async || Ask::get("/health/ready").of(server.address()).await.status;
    assert_eq!(ready().await, 200);

    redis.kill();
    let (late, _events) = server.connect(Codec::Json).await;
    let began = Instant::now();
    let refused = late.create_room::<tictactoe::View>(&room).await.unwrap_err();
    assert_eq!(refused.code(), Some(&ErrorCode::STORE_UNAVAILABLE));
    assert!(matches!(refused, RequestError::Refused(error) if error.retryable));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(ready().await, 503);
    let mover = if ada.view.turn.unwrap().0 == ada.me.0 { &mut ada } else { &mut bob };
    mover.act(&json!({"row": 1, "col": 1})).await.unwrap();
    let mut session = bob.client.session().unwrap();
    drop(bob);
    let _: Seat<tictactoe::View> = Seat::resume(&server, Codec::Json, &mut session).await;

    redis.start_again().await;
    let back = async {
        while late.create_room::<tictactoe::View>(&room).await.is_err() {}
        while ready().await != 200 {}
    };
    timeout(WAIT_MAX, back).await.expect("it comes back by itself");
}
