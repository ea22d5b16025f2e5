//! The bounds of the configuration, at the bound and one above it.

use parlor_protocol::Codec;
use serde_json::{Value, json};

use crate::probe::Probe;
use crate::support::{Client, gateway_with, pass, roomy};

#[tokio::test(start_paused = true)]
async fn one_room_more_than_the_bound_is_refused_until_one_closes() {
    let mut config = roomy();
    config.rooms_max = 3;
    let gateway = gateway_with(&Probe::default(), config);
    let mut hosts = Vec::new();
    for _ in 0..3 {
        hosts.push(Client::host(&gateway, Codec::Json, json!({})).await.0);
    }
    let mut late = Client::connect(&gateway, Codec::MsgPack);
    let create = json!({"gameType": "probe", "playerName": "Late"});
    let mut quick = create.clone();
    quick["options"] = json!({"max": 3});
    for (kind, data) in [("create_room", &create), ("quick_match", &quick)] {
        let error = late.refused(kind, data.clone()).await;
        assert_eq!((&error["code"], &error["retryable"]), (&json!("SERVER_FULL"), &json!(true)));
    }
    assert_eq!(gateway.room_count(), 3);
    hosts[0].must("leave_room", json!({})).await;
    pass(std::time::Duration::from_secs(11)).await;
    late.must("create_room", create).await;
    assert_eq!(gateway.room_count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_exactly_the_bound_is_read_and_one_byte_more_is_not() {
    let mut config = roomy();
    config.frame.message_bytes_max = 300;
    let gateway = gateway_with(&Probe::default(), config);
    let client = gateway.connect(Codec::Json);
    let mut taken = Vec::new();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let _ready = client.outbox().poll_take(&mut cx, 8, &mut taken);
    let welcome: Value = serde_json::from_slice(&taken[0].payload).unwrap();
    assert_eq!(welcome["data"]["limits"]["maxMessageBytes"], 300);
    assert_eq!(welcome["data"]["limits"]["messagesPerSecond"], 1_000_000);
    drop(client);

    let mut ada = Client::connect(&gateway, Codec::Json);
    for (bytes, kind) in [(300, "ping_result"), (301, "error")] {
        let mut frame = br#"{"type":"ping"}"#.to_vec();
        frame.resize(bytes, b' ');
        ada.send_bytes(&frame).await;
        assert_eq!(ada.next_message()["type"], kind);
    }
}

#[tokio::test(start_paused = true)]
async fn nesting_of_exactly_the_bound_is_read_and_one_level_more_is_not() {
    let mut config = roomy();
    config.frame.nesting_max = 4;
    let gateway = gateway_with(&Probe::default(), config);
    for codec in Codec::ALL {
        let mut ada = Client::connect(&gateway, codec);
        for (data, kind) in [(json!({"x": [[1]]}), "ping_result"), (json!({"x": [[[1]]]}), "error")]
        {
            ada.send(&json!({"type": "ping", "data": data})).await;
            assert_eq!(ada.next_message()["type"], kind, "{data}");
            ada.send(&json!([{"type": "ping", "data": data}])).await;
            assert_eq!(ada.next_message()["type"], kind, "in a batch: {data}");
        }
    }
}
