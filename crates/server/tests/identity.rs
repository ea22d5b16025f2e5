//! Who a player is beyond a room: shown by an access token, believed by its signature, kept to its seat.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parlor_client::protocol::{Codec, ErrorCode, Joined, Secret};
use parlor_client::{Client, ConnectError, Events, Options, RequestError, new_room, seat_in};
use parlor_core::{About, Ctx, Game, GameError, PlayerId, Rules, Viewer};
use parlor_server::Jwt;
use parlor_testutil::http::Ask;
use parlor_testutil::seat::name;
use parlor_testutil::server::TestServer;
use serde_json::{Value, json};

/// A club: only members may come in, and everyone sees whom the club knows them as.
#[derive(Clone, Copy, Debug)]
struct Club;

impl Game for Club {
    const GAME_TYPE: &'static str = "club";
    type Options = Value;
    type State = Vec<String>;
    type Action = Value;
    type Event = Value;
    type View = Vec<String>;
    type Timer = ();
    type Outcome = ();

    fn about(&self) -> About {
        About::new("Club", 2, 2)
    }

    fn rules(&self, options: &Value) -> Rules {
        let mut rules = Rules::seats(2, 2);
        rules.accounts_only = options.get("open").is_none();
        rules
    }

    fn setup(&self, _: &Value, _: &mut Ctx<'_, Self>) -> Result<Vec<String>, GameError> {
        Ok(Vec::new())
    }

    fn on_join(
        &self,
        members: &mut Vec<String>,
        player: PlayerId,
        ctx: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        let seat = ctx.players().find(|seat| seat.id() == player);
        members.push(seat.and_then(|seat| seat.subject()).unwrap_or("a stranger").to_owned());
        Ok(())
    }

    fn on_action(
        &self,
        _: &mut Vec<String>,
        _: PlayerId,
        _: Value,
        _: &mut Ctx<'_, Self>,
    ) -> Result<(), GameError> {
        Ok(())
    }

    fn view(&self, members: &Vec<String>, _: Viewer) -> Vec<String> {
        members.clone()
    }
}

fn server(jwt: Jwt) -> TestServer {
    let jwt = Arc::new(jwt);
    TestServer::start(|server| server.game(Club).authenticator(Arc::clone(&jwt)))
}

fn keys(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(file)
}

fn secret() -> Secret {
    Secret::new("a secret of thirty-two characters")
}

fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

fn signed(claims: &Value) -> Secret {
    let key = EncodingKey::from_secret(secret().expose().as_bytes());
    Secret::new(encode(&Header::new(Algorithm::HS256), claims, &key).unwrap())
}

fn member(subject: &str, name: &str) -> Secret {
    signed(&json!({"sub": subject, "name": name, "exp": in_seconds(600)}))
}

async fn connect(
    server: &TestServer,
    codec: Codec,
    access_token: Option<Secret>,
) -> Result<(Client, Events), ConnectError> {
    let options = Options { codec, access_token, ..Options::default() };
    Client::connect(&server.socket_url(), options).await
}

#[track_caller]
fn assert_unauthorized<T: std::fmt::Debug>(outcome: Result<T, RequestError>) {
    assert_eq!(outcome.unwrap_err().code(), Some(&ErrorCode::UNAUTHORIZED));
}

#[tokio::test]
async fn a_game_for_members_takes_who_has_shown_who_they_are_and_nobody_else() {
    let server = server(Jwt::with_secret(&secret()));
    for codec in Codec::ALL {
        let (stranger, _events) = connect(&server, codec, None).await.unwrap();
        let room = new_room("club", name("Ada"));
        assert_unauthorized(stranger.create_room::<Value>(&room).await);

        let ada = connect(&server, codec, Some(member("account 7", "Ada L."))).await;
        let (ada, _ada_events) = ada.unwrap();
        let joined: Joined<Vec<String>> = ada.create_room(&room).await.unwrap();
        assert_eq!((joined.state, &*joined.players[0].name), (vec!["account 7".into()], "Ada L."));

        let seat = seat_in(joined.room_id, name("Bob"));
        assert_unauthorized(stranger.join_room::<Value>(&seat).await);
        let shown = stranger.authenticate(member("account 8", "")).await.unwrap();
        assert_eq!(shown.player_name, None, "an empty name is no player's");
        let joined: Joined<Vec<String>> = stranger.join_room(&seat).await.unwrap();
        assert_eq!(joined.state, ["account 7", "account 8"]);
        assert_eq!(joined.players[1].name, "Bob");
        let text = serde_json::to_string(&joined.players).unwrap();
        assert!(!text.contains("account"), "whom the club knows is nobody's to read");
    }
}

#[tokio::test]
async fn a_browser_shows_its_token_among_the_subprotocols() {
    let server = server(Jwt::with_secret(&secret()));
    let offer = |token: &str| {
        Ask::get("/ws")
            .with("Upgrade", "websocket")
            .with("Connection", "Upgrade")
            .with("Sec-WebSocket-Version", "13")
            .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .with("Sec-WebSocket-Protocol", &format!("parlor.v1.json, access_token, {token}"))
    };
    let answer = offer("no.token.atall").of(server.address()).await;
    assert_eq!((answer.status, &*answer.code()), (401, "UNAUTHORIZED"));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn tokens_that_say_nothing_are_refused_with_the_reason() {
    let jwt = Jwt::with_secret(&secret()).of_issuer("the club").for_audience("parlor");
    let server = server(jwt);
    let good = json!({"sub": "7", "exp": in_seconds(60), "iss": "the club", "aud": "parlor"});
    let but = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        claims
    };
    let (client, _events) = connect(&server, Codec::MsgPack, None).await.unwrap();
    client.authenticate(signed(&good)).await.unwrap();

    let other_key = EncodingKey::from_secret(b"another secret of thirty-two chars");
    let forged = encode(&Header::new(Algorithm::HS256), &good, &other_key).unwrap();
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiI3IiwiZXhwIjo0MTAyNDQ0ODAwfQ.";
    for (token, reason) in [
        (signed(&but("exp", json!(in_seconds(-60)))), "expired"),
        (signed(&but("nbf", json!(in_seconds(60)))), "not valid yet"),
        (signed(&but("iss", json!("others"))), "issuer"),
        (signed(&but("aud", json!("others"))), "someone else"),
        (signed(&without("exp")), "claim"),
        (signed(&without("sub")), "not valid"),
        (signed(&without("iss")), "claim"),
        (signed(&without("aud")), "claim"),
        (Secret::new(forged), "signed"),
        (Secret::new(none), "not a JSON Web Token"),
        (Secret::new("nonsense"), "not a JSON Web Token"),
    ] {
        let error = client.authenticate(token.clone()).await.unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::UNAUTHORIZED));
        assert!(error.to_string().contains(reason), "{error} should say {reason}");
        let refused = connect(&server, Codec::Json, Some(token)).await;
        assert!(refused.unwrap_err().to_string().contains("401"));
    }
}

/// One who knows the public key must not pass it off as a shared secret.
#[tokio::test]
async fn public_keys_are_for_their_own_algorithms_alone() {
    let server = server(Jwt::with_jwks(keys("jwks.json")).unwrap());
    let (client, _events) = connect(&server, Codec::Json, None).await.unwrap();
    let claims = json!({"sub": "7", "exp": in_seconds(60)});
    let pem = |file| std::fs::read(keys(file)).unwrap();
    let ed25519 = EncodingKey::from_ed_pem(&pem("ed25519.pem")).unwrap();
    let rsa = EncodingKey::from_rsa_pem(&pem("rsa.pem")).unwrap();
    let sign = |algorithm, kid: Option<&str>, key: &EncodingKey| {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        Secret::new(encode(&header, &claims, key).unwrap())
    };
    for token in [
        sign(Algorithm::EdDSA, Some("one"), &ed25519),
        sign(Algorithm::EdDSA, None, &ed25519),
        sign(Algorithm::RS256, Some("two"), &rsa),
    ] {
        client.authenticate(token).await.unwrap();
    }
    let public = EncodingKey::from_secret(&pem("jwks.json"));
    for token in [
        sign(Algorithm::EdDSA, Some("two"), &ed25519),
        sign(Algorithm::RS512, Some("two"), &rsa),
        sign(Algorithm::HS256, Some("two"), &public),
        sign(Algorithm::HS256, None, &public),
    ] {
        assert_unauthorized(client.authenticate(token).await);
    }
}

#[tokio::test]
async fn a_seat_taken_with_an_identity_is_resumed_by_nobody_else() {
    let server = server(Jwt::with_secret(&secret()));
    let ada = || connect(&server, Codec::Json, Some(member("7", "Ada")));
    let (client, events) = ada().await.unwrap();
    client.create_room::<Value>(&new_room("club", name("Ada"))).await.unwrap();
    let mut session = client.session().unwrap();
    drop((client, events));

    let (thief, _events) = connect(&server, Codec::Json, None).await.unwrap();
    assert_unauthorized(thief.reconnect::<Value>(&mut session).await);
    thief.authenticate(member("8", "Bob")).await.unwrap();
    assert_unauthorized(thief.reconnect::<Value>(&mut session).await);

    let (client, _events) = ada().await.unwrap();
    client.reconnect::<Value>(&mut session).await.unwrap();
}

#[tokio::test]
async fn a_server_without_accounts_takes_no_tokens_and_minds_none() {
    let server = TestServer::start(|server| server.game(Club));
    let (client, _events) = connect(&server, Codec::Json, Some(member("7", "Ada"))).await.unwrap();
    assert_unauthorized(client.authenticate(member("7", "Ada")).await);
    let mut open = new_room("club", name("Ada"));
    open.options = json!({"open": true}).as_object().unwrap().clone();
    let joined: Joined<Vec<String>> = client.create_room(&open).await.unwrap();
    assert_eq!(joined.state, ["a stranger"]);
}
