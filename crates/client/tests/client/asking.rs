//! Requests and their answers.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use parlor_client::protocol::limits::UNANSWERED_REQUESTS_MAX;
use parlor_client::protocol::{Codec, ErrorCode, Pong};
use parlor_client::{Closed, Options, RequestError};
use serde_json::json;
use tokio::time::timeout;

use crate::script::Script;

#[tokio::test]
async fn each_answer_finds_its_request_in_either_codec() {
    for codec in Codec::ALL {
        let (mut script, client, _events) =
            Script::connect(Options { codec, ..Options::default() }).await;
        let serve = async {
            let first = script.hear().await;
            let second = script.hear().await;
            assert_eq!([&first["id"], &second["id"]], [1, 2], "ids rise in the order of asking");
            script.answer(&second, json!({"serverTime": 2})).await;
            script.answer(&first, json!({"serverTime": 1})).await;
        };
        let (first, second, ()) = tokio::join!(client.ping(), client.ping(), serve);
        assert_eq!(first.unwrap(), Pong { server_time: 1 }, "{codec:?}");
        assert_eq!(second.unwrap(), Pong { server_time: 2 }, "{codec:?}");
    }
}

#[tokio::test]
async fn refusal_carries_the_server_s_error() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let serve = async {
        let request = script.hear().await;
        assert_eq!(request, json!({"type": "game_action", "id": 1, "data": {"row": 9}}));
        script
            .say(&json!({"type": "game_action_result", "id": 1, "success": false, "error":
                {"code": "CELL_TAKEN", "message": "the cell is taken", "retryable": false}}))
            .await;
    };
    let action = json!({"row": 9});
    let (outcome, ()) = tokio::join!(client.act(&action), serve);
    assert_eq!(outcome.unwrap_err().code(), Some(&ErrorCode::new("CELL_TAKEN")));
}

#[tokio::test]
async fn what_the_server_cannot_read_is_the_oldest_request_refused() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let serve = async {
        script.hear().await;
        let second = script.hear().await;
        script
            .say(&json!({"type": "error", "success": false, "error":
                {"code": "BAD_REQUEST", "message": "nested too deeply", "retryable": false}}))
            .await;
        script.answer(&second, json!({"serverTime": 2})).await;
    };
    let (first, second, ()) = tokio::join!(client.ping(), client.ping(), serve);
    assert_eq!(first.unwrap_err().code(), Some(&ErrorCode::BAD_REQUEST));
    assert_eq!(second.unwrap().server_time, 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_than_allowed_are_unanswered() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let asked = UNANSWERED_REQUESTS_MAX + 1;
    let serve = async {
        let mut held = Vec::new();
        for _ in 0..UNANSWERED_REQUESTS_MAX {
            held.push(script.hear().await);
        }
        // Paused time moves only when nobody has anything left to do.
        let next = timeout(Duration::from_millis(1), script.hear()).await;
        assert!(next.is_err(), "sent although {UNANSWERED_REQUESTS_MAX} wait: {next:?}");
        script.answer(&held[0], json!({"serverTime": 0})).await;
        held.push(script.hear().await);
        for request in &held[1..] {
            script.answer(request, json!({"serverTime": 0})).await;
        }
        held
    };
    let (answers, requests) = tokio::join!(join_all((0..asked).map(|_| client.ping())), serve);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let ids: BTreeSet<u64> =
        requests.iter().map(|request| request["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=asked as u64).collect());
}

#[tokio::test(start_paused = true)]
async fn request_that_is_not_answered_in_time_says_so_and_still_counts_as_unanswered() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let asking = join_all((0..UNANSWERED_REQUESTS_MAX).map(|_| client.ping()));
    let serving = async {
        let mut held = Vec::new();
        for _ in 0..UNANSWERED_REQUESTS_MAX {
            held.push(script.hear().await);
        }
        held
    };
    let (answers, held) = tokio::join!(asking, serving);
    assert!(answers.iter().all(|answer| matches!(answer, Err(RequestError::Timeout))));

    let outcome = client.ping().await;
    assert!(matches!(outcome, Err(RequestError::Timeout)), "there is no room for another");
    script.answer(&held[0], json!({"serverTime": 0})).await;
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"serverTime": 7})).await;
    };
    let (outcome, ()) = tokio::join!(client.ping(), serve);
    assert_eq!(outcome.unwrap().server_time, 7);
}

#[tokio::test]
async fn request_of_exactly_the_server_s_bound_is_sent_and_a_larger_one_is_not() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let envelope = r#"{"type":"chat","id":1,"data":{"text":""}}"#.len();
    let text = "x".repeat(256 - envelope);

    let error = client.chat(format!("{text}x")).await.unwrap_err();
    assert!(matches!(error, RequestError::TooLarge { bytes: 257, bytes_max: 256 }), "{error:?}");
    let serve = async {
        let request = script.hear().await;
        assert_eq!(request["id"], 1, "what was not sent took no number");
        script.answer(&request, json!({"seq": 1})).await;
    };
    let (outcome, ()) = tokio::join!(client.chat(text), serve);
    assert_eq!(outcome.unwrap().seq, 1);
}

#[tokio::test]
async fn answer_of_another_shape_is_told_from_a_refusal() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let serve = async {
        let request = script.hear().await;
        script.answer(&request, json!({"serverTime": "noon"})).await;
    };
    let (outcome, ()) = tokio::join!(client.ping(), serve);
    assert!(matches!(outcome, Err(RequestError::Unexpected(_))), "{outcome:?}");
}

#[tokio::test]
async fn end_of_the_connection_answers_what_waits_and_what_is_asked_later() {
    let (mut script, client, _events) = Script::connect(Options::default()).await;
    let serve = async {
        script.hear().await;
        script.close(4003, "kicked").await;
    };
    let (outcome, ()) = tokio::join!(client.ping(), serve);
    let expect = Closed::ByServer { code: 4003, reason: "kicked".to_owned() };
    for outcome in [outcome, client.ping().await] {
        assert!(matches!(outcome, Err(RequestError::Closed(closed)) if closed == expect));
    }
    assert_eq!(client.closed(), Some(expect));
}
