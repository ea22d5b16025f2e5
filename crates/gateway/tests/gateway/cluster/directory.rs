//! A directory that is away, hangs, forgets, or says that another has a room.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parlor_gateway::Gateway;
use parlor_protocol::Codec;
use parlor_store::{Claim, RoomDirectory};
use serde_json::{Value, json};

use super::cloud::{Cloud, SOON};
use super::{code_of, refusal, table, token_of, wide};
use crate::support::{Client, pass};

async fn create(node: &Arc<Gateway>) -> Value {
    let data = json!({"gameType": "probe", "playerName": "X", "options": {"max": 7}});
    Client::connect(node, Codec::Json).ask("create_room", data).await
}

async fn join_unknown(node: &Arc<Gateway>) -> Value {
    let data = json!({"roomId": "VJEAEV6E", "playerName": "X"});
    Client::connect(node, Codec::Json).refused("join_room", data).await["code"].clone()
}

#[tokio::test(start_paused = true)]
async fn while_the_directory_is_away_games_go_on_and_what_needs_it_says_so() {
    for hangs in [false, true] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
        if hangs {
            cloud.directory.hangs(true)
        } else {
            cloud.directory.is_away(true)
        }
        // Less than the lease, so that nothing is in doubt afterwards.
        for n in 0..3 {
            pass(Duration::from_secs(1)).await;
            ada.must("chat", json!({"text": format!("{n}")})).await;
            bob.must("chat", json!({"text": format!("{n}")})).await;
        }
        assert_eq!(join_unknown(&one).await, "STORE_UNAVAILABLE");
        assert_eq!(join_unknown(&two).await, "STORE_UNAVAILABLE");
        let refused = create(&one).await;
        assert_eq!(refused["error"]["code"], "STORE_UNAVAILABLE");
        // A public room is known without it.
        let (_carol, _) = Client::guest(&two, Codec::Json, &joined["roomId"], "Carol").await;
        drop(bob);
        let mut bob = Client::connect(&one, Codec::Json);
        bob.must("reconnect", token_of(&joined)).await;
        if hangs {
            cloud.directory.hangs(false)
        } else {
            cloud.directory.is_away(false)
        }
        pass(Duration::from_secs(4)).await;
        assert_eq!(create(&one).await["success"], true);
        assert_eq!((ada.close_code(), bob.close_code()), (None, None));
        // It may have been away for long enough to make another's lease end.
        pass(cloud.config.lease).await;
        assert_eq!(join_unknown(&two).await, "ROOM_NOT_FOUND");
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_directory_was_away_for_longer_than_a_lease_no_room_ends_and_each_is_claimed_anew()
{
    for hangs in [false, true] {
        let cloud = Cloud::default();
        let [one, two] = cloud.nodes().await;
        let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
        let before = cloud.directory.owner(&code_of(&joined)).await.unwrap();
        if hangs {
            cloud.directory.hangs(true)
        } else {
            cloud.directory.is_away(true)
        }
        pass(cloud.config.lease * 6).await;
        assert_eq!((one.has_lease(), two.has_lease()), (Some(false), Some(false)));
        ada.must("chat", json!({"text": "x"})).await;
        bob.must("chat", json!({"text": "x"})).await;
        if hangs {
            cloud.directory.hangs(false)
        } else {
            cloud.directory.is_away(false)
        }
        pass(Duration::from_secs(5)).await;
        let after = cloud.directory.owner(&code_of(&joined)).await.unwrap();
        assert_eq!(before.node, after.node);
        assert!(after.fence > before.fence, "{before:?} {after:?}");
        ada.must("chat", json!({"text": "y"})).await;
        bob.must("chat", json!({"text": "y"})).await;
        assert_eq!((ada.close_code(), bob.close_code()), (None, None), "they never lost touch");
        drop(bob);
        let mut bob = Client::connect(&two, Codec::Json);
        bob.must("reconnect", token_of(&joined)).await;
        assert_eq!((one.has_lease(), two.has_lease()), (Some(true), Some(true)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_directory_and_a_store_have_forgotten_is_registered_again_and_meanwhile_unavailable()
{
    let cloud = Cloud::default();
    let [one, two, three] = cloud.nodes().await;
    let (mut ada, mut bob, _) = table(&one, &two, Codec::Json, json!({})).await;
    let mut private = Client::connect(&one, Codec::Json);
    let hidden = json!({"gameType": "probe", "playerName": "P", "private": true});
    let hidden = private.must("create_room", hidden).await;
    let before = cloud.directory.owner(&code_of(&hidden)).await.unwrap();
    for round in 0..5 {
        pass(Duration::from_millis(1700)).await;
        cloud.directory.directory.forget();
        cloud.store.forget_all();
        // One that has just begun knows nothing of what was before.
        let fresh = (round == 4).then(|| cloud.node());
        pass(Duration::from_millis(1)).await;
        let mut refused = 0;
        'back: loop {
            for node in [Some(&two), Some(&three), fresh.as_ref()].into_iter().flatten() {
                let mut back = Client::connect(node, Codec::Json);
                let answer = back.ask("reconnect", token_of(&hidden)).await;
                if answer["success"] == true {
                    private = back;
                    break 'back;
                }
                assert_eq!(answer["error"]["code"], "ROOM_UNAVAILABLE", "round {round}");
                refused += 1;
            }
            assert!(refused < 100, "it is registered again soon");
            pass(Duration::from_millis(200)).await;
        }
        assert!(refused > 0);
        pass(cloud.config.lease * 2).await;
    }
    let after = cloud.directory.owner(&code_of(&hidden)).await.unwrap();
    assert!(after.node == before.node && after.fence >= before.fence + 5, "{after:?}");
    private.must("chat", json!({"text": "x"})).await;
    // Those who were there all the time have noticed nothing.
    ada.must("chat", json!({"text": "x"})).await;
    bob.must("chat", json!({"text": "x"})).await;
    assert_eq!((ada.close_code(), bob.close_code()), (None, None));
    let unknown = json!({"sessionToken": "of nobody"});
    assert_eq!(refusal(&two, &unknown).await, "SESSION_INVALID");
}

#[tokio::test(start_paused = true)]
async fn a_room_that_another_node_has_claimed_meanwhile_is_let_go_of() {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    let code = code_of(&joined);
    cloud.directory.is_away(true);
    cloud.directory.directory.forget();
    let ttl = Duration::from_secs(60);
    let claim = RoomDirectory::claim(&cloud.directory.directory, &code, "stranger", 7, ttl).await;
    assert_eq!(claim, Ok(Claim::Granted { fence: 8 }));
    cloud.directory.is_away(false);
    pass(Duration::from_secs(5)).await;
    assert_eq!((ada.close_code(), bob.close_code()), (Some(4006), Some(4006)));
    assert_eq!((one.room_count(), two.room_count()), (0, 0));
    let owner = cloud.directory.owner(&code).await.unwrap();
    assert_eq!((&*owner.node, owner.fence), ("stranger", 8), "its record is left alone");
    let mut watcher = Client::connect(&two, Codec::Json);
    assert_eq!(watcher.must("list_rooms", json!({})).await["rooms"], json!([]));
    pass(cloud.config.lease * 2).await;
    assert_eq!(refusal(&two, &joined).await, "ROOM_CLOSED", "no such node");
}

#[tokio::test(start_paused = true)]
async fn a_closed_rooms_record_is_released_and_open_ones_outlive_their_time() {
    let mut cloud = Cloud::default();
    cloud.config.record_ttl = Duration::from_secs(40);
    let [one, two] = cloud.nodes().await;
    let (mut ada, mut bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    for _ in 0..10 {
        pass(Duration::from_secs(20)).await;
        ada.receive();
        bob.receive();
    }
    let code = code_of(&joined);
    let owner = cloud.directory.owner(&code).await.expect("it was renewed");
    assert_eq!(Some(&*owner.node), one.node());
    let renewed = cloud.directory.state.lock().unwrap().renewed.clone();
    assert!(
        renewed.iter().all(|renewal| *renewal == (code.clone(), owner.node.clone(), owner.fence))
    );
    assert!(renewed.len() >= 10);
    let parsed = parlor_protocol::RoomCode::parse(&code).unwrap();
    assert!(one.close_room(parsed, parlor_core::CloseReason::Admin));
    pass(SOON).await;
    assert_eq!(cloud.directory.owner(&code).await, None);
}

/// The session store is the one that is away: what needs it waits no longer than for the directory.
#[tokio::test(start_paused = true)]
async fn players_of_other_nodes_cannot_sit_down_while_the_session_store_is_away_and_nothing_is_left()
 {
    let cloud = Cloud::default();
    let [one, two] = cloud.nodes().await;
    let (_ada, _bob, joined) = table(&one, &two, Codec::Json, wide()).await;
    cloud.store.is_away.store(true, Ordering::Relaxed);
    let data = json!({"roomId": joined["roomId"], "playerName": "Carol"});
    let mut carol = Client::connect(&two, Codec::Json);
    assert_eq!(carol.refused("join_room", data.clone()).await["code"], "STORE_UNAVAILABLE");
    cloud.store.is_away.store(false, Ordering::Relaxed);
    let seat = carol.must("join_room", data).await;
    assert_eq!(seat["players"].as_array().unwrap().len(), 3);
}

/// A connection is lost while its room is being claimed: there is no such room, nor a record of one for long.
#[tokio::test(start_paused = true)]
async fn a_room_whose_creator_is_lost_while_it_is_claimed_leaves_no_record() {
    let cloud = Cloud::default();
    let [one] = cloud.nodes().await;
    cloud.store.hangs.store(true, Ordering::Relaxed);
    let mut ada = Client::connect(&one, Codec::Json);
    let request = json!({"type": "create_room", "data": {"gameType": "probe", "playerName": "A"}});
    let asked = tokio::time::timeout(Duration::from_millis(100), ada.send(&request)).await;
    assert!(asked.is_err(), "it waits for the store");
    drop(ada);
    cloud.store.hangs.store(false, Ordering::Relaxed);
    pass(SOON).await;
    let granted = cloud.directory.state.lock().unwrap().granted.clone();
    assert_eq!(granted.len(), 1);
    assert_eq!(cloud.directory.owner(&granted[0].0).await, None);
    assert_eq!(one.room_count(), 0);
}

/// The directory is away for a little less than a lease. Whose lease ends in that time and whose does not depends on when
/// each was last heard.
#[tokio::test(start_paused = true)]
async fn a_node_whose_lease_has_held_does_not_take_for_gone_whose_has_not() {
    for percent in 80..110 {
        let cloud = Cloud::default();
        let one = cloud.node();
        pass(Duration::from_millis(1900)).await;
        let two = cloud.node();
        pass(super::cloud::ACQUAINTED).await;
        let mut ada = Client::connect(&one, Codec::Json);
        let create = json!({
            "gameType": "probe", "playerName": "A", "private": true, "options": {"lobby_grace": 100},
        });
        let joined = ada.must("create_room", create).await;
        drop(ada);
        // Nor do they hear each other meanwhile.
        cloud.bus.part(&one, &two, true);
        cloud.directory.is_away(true);
        pass(cloud.config.lease * percent / 100).await;
        cloud.directory.is_away(false);
        cloud.bus.part(&one, &two, false);
        let answer = refusal_if_any(&two, &joined).await;
        assert!(
            answer.is_none_or(|code| code == "ROOM_UNAVAILABLE"),
            "after {percent} % of a lease"
        );
        pass(Duration::from_secs(5)).await;
        assert_eq!(refusal_if_any(&two, &joined).await, None, "it is back");
    }
}

async fn refusal_if_any(node: &Arc<Gateway>, joined: &Value) -> Option<String> {
    let answer = Client::connect(node, Codec::Json).ask("reconnect", token_of(joined)).await;
    answer["error"]["code"].as_str().map(str::to_owned)
}
