//! What the whole program logs of a noisy evening at the finest level: a great deal, and no secret.

use jsonwebtoken::{EncodingKey, Header, encode};
use parlor_client::protocol::{Codec, Joined, Secret, UpdateRoom};
use parlor_client::{Client, Options, new_room, seat_in};
use parlor_games::tictactoe::View;
use parlor_testutil::http::Ask;
use parlor_testutil::process::Program;
use parlor_testutil::seat::name;
use serde_json::json;

const ADMIN: &str = "the-token-of-the-administrator";
const SIGNS: &str = "the-secret-that-signs-tokens-of-players";

#[tokio::test]
async fn a_noisy_evening_leaves_no_token_password_cookie_or_chat_in_the_log() {
    let secrets = ["--admin-token", ADMIN, "--jwt-secret", SIGNS];
    let program = Program::start(
        env!("CARGO_BIN_EXE_parlor"),
        &[&secrets[..], &["--log", "trace", "--games-drain-time-max", "1ms"]].concat(),
    );
    let claims = json!({"sub": "account-of-adalbert", "exp": 4_102_444_800_u64});
    let key = EncodingKey::from_secret(SIGNS.as_bytes());
    let token = encode(&Header::default(), &claims, &key).unwrap();

    let access_token = Some(Secret::new(&token));
    let options = Options { codec: Codec::Json, access_token, ..Options::default() };
    let (ada, _ada_events) = Client::connect(&program.socket_url(), options).await.unwrap();
    let mut room = new_room("tictactoe", name("Adalbert"));
    room.password = Some(Secret::new("open sesame"));
    let adas: Joined<View> = ada.create_room(&room).await.unwrap();

    let options = Options { codec: Codec::MsgPack, ..Options::default() };
    let (bob, _bob_events) = Client::connect(&program.socket_url(), options).await.unwrap();
    bob.authenticate(Secret::new(&token)).await.unwrap();
    bob.authenticate(Secret::new("a-token-that-says-nothing")).await.unwrap_err();
    let mut seat = seat_in(adas.room_id, name("Bobadilla"));
    seat.password = Some(Secret::new("a wrong guess"));
    bob.join_room::<View>(&seat).await.unwrap_err();
    seat.password = Some(Secret::new("open sesame"));
    let bobs: Joined<View> = bob.join_room(&seat).await.unwrap();
    bob.chat("just between us").await.unwrap();
    let update = UpdateRoom { metadata: Default::default(), ..UpdateRoom::default() };
    ada.update_room(&update).await.unwrap();

    let by_token =
        Ask::get("/admin/api/overview").with("Authorization", &format!("Bearer {ADMIN}"));
    assert_eq!(by_token.of(program.address()).await.status, 200);
    let login = Ask::post("/admin/login", &json!({"token": ADMIN})).of(program.address()).await;
    let cookie = login.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let wrong = Ask::post("/admin/login", &json!({"token": "a-guess-at-the-token"}));
    assert_eq!(wrong.of(program.address()).await.status, 401);
    let notice = Ask::post("/admin/api/notice", &json!({"text": "a word to everyone"}));
    let notice = notice.with("Cookie", &format!("parlor_admin={cookie}"));
    assert_eq!(notice.of(program.address()).await.status, 200);

    program.signal("-TERM");
    let mut log = String::new();
    for line in program.end().1 {
        log += &format!("{line}\n");
    }
    assert!(log.lines().count() > 5 && log.contains("DEBUG"), "it was noisy: {log}");
    for secret in [
        adas.session_token.unwrap().expose(),
        bobs.session_token.unwrap().expose(),
        &token,
        token.rsplit('.').next().unwrap(),
        &cookie,
        ADMIN,
        SIGNS,
        "a-token-that-says-nothing",
        "a-guess-at-the-token",
        "open sesame",
        "a wrong guess",
        "just between us",
        "a word to everyone",
    ] {
        let told: Vec<_> = log.lines().filter(|line| line.contains(secret)).collect();
        assert!(told.is_empty(), "{secret} is in {told:#?}");
    }
}
