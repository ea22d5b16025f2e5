//! Many nodes while something goes wrong, as real processes: who notices what, and for how long. Each test prints its part
//! of a table; `scripts/faults` shows it whole.
#![cfg(feature = "redis")]
#![expect(clippy::print_stdout, reason = "the table is what people read")]

mod table;

use std::time::Duration;

use table::{LEASE, Nodes, PATIENCE, Table, Talked};
use tokio::time::{Instant, sleep, timeout};

/// Ada is at her room's node, Bob and Cyd come by way of the two others.
const WAYS: &[(&str, usize)] = &[("Bob", 1), ("Cyd", 2)];
/// A code that no room has.
pub(crate) const NO_ROOM: &str = "/api/v1/rooms/XXXXXXXX";
/// What one notices who is not concerned: nothing that is longer than a busy machine's hiccup.
const HICCUP: Duration = Duration::from_millis(1500);

async fn a_while() {
    sleep(Duration::from_secs(1)).await;
}

fn is_calm(talked: &Talked) -> bool {
    talked.longest < HICCUP
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_node_that_only_relays_is_killed_its_players_go_on_elsewhere_and_lose_nothing() {
    let mut nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, WAYS).await;
    a_while().await;
    nodes.kill(1);
    a_while().await;
    a_while().await;
    let all = table.end("a node that only relays is killed").await;
    for (who, talked, heard) in &all {
        assert!(matches!(heard.ended, Some(parlor_client::Ended::ByClient)), "{who} plays on");
        assert_eq!(heard.lines.iter().filter(|line| line.is_none()).count(), 1, "{who}");
        assert!(is_calm(talked) || *who == "Bob", "{who} notices nothing: {talked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_rooms_node_is_killed_its_players_are_told_within_a_lease_and_others_notice_nothing()
{
    let mut nodes = Nodes::start().await;
    let lost = Table::on(&nodes, 0, WAYS).await;
    let others = Table::on(&nodes, 1, &[("Cyd", 2), ("Dan", 1)]).await;
    nodes.until(2, "/api/v1/rooms", |body| body.contains(&lost.room)).await;
    a_while().await;
    nodes.kill(0);
    let began = Instant::now();
    while nodes.listed(2).await.contains(&lost.room) {
        assert!(began.elapsed() < LEASE * 2, "its rooms are listed no more within the lease");
        sleep(Duration::from_millis(100)).await;
    }
    let unlisted = began.elapsed();
    println!(
        "| a room's node is killed | lists | its room is listed for {} ms more | | |",
        unlisted.as_millis()
    );
    sleep(LEASE * 2).await;
    for (who, _, heard) in lost.end("a room's node is killed").await {
        let ended = format!("{:?}", heard.ended);
        assert!(ended.contains("ROOM_CLOSED"), "{who} is told plainly: {ended}");
    }
    for (who, talked, heard) in others.end("another room's node is killed").await {
        assert!(matches!(heard.ended, Some(parlor_client::Ended::ByClient)), "{who} plays on");
        assert!(is_calm(&talked), "{who} notices nothing: {talked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_sleeps_for_longer_than_its_lease_has_its_rooms_still_and_nobody_else_has_them()
{
    let nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, &[("Bob", 0), ("Cyd", 2)]).await;
    let room = format!("parlor:room:{{{}}}", table.room);
    let fence = |nodes: &Nodes| nodes.redis.ask(&["hget", &room, "fence"]);
    let owner = nodes.redis.ask(&["hget", &room, "node"]);
    let before: u64 = fence(&nodes).parse().expect("it is owned");
    a_while().await;
    nodes.signal(0, "-STOP");
    let page = format!("/api/v1/rooms/{}", table.room);
    nodes.until(2, &page, |body| body.contains("ROOM_UNAVAILABLE")).await;
    nodes.until(2, &page, |body| body.contains("ROOM_NOT_FOUND")).await;
    assert_eq!(nodes.redis.ask(&["hget", &room, "node"]), owner, "nobody else claims it");
    nodes.signal(0, "-CONT");
    let claimed = async {
        while fence(&nodes).parse::<u64>().is_ok_and(|fence| fence <= before) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, claimed).await.expect("it claims its room again, under a higher fence");
    assert_eq!(nodes.redis.ask(&["hget", &room, "node"]), owner);
    nodes.until(2, "/api/v1/rooms", |body| body.contains(&table.room)).await;
    let all = table.end("a room's node sleeps for two leases").await;
    for (who, _, heard) in &all {
        let ended = format!("{:?}", heard.ended);
        // By way of another node one is told, after the lease, that the room is gone; or waits at its own node for it.
        let is_told = *who == "Cyd" && ended.contains("ROOM_CLOSED");
        assert!(is_told || ended.contains("ByClient"), "{who}: {ended}");
    }
}

/// Everyone is there to the end and has missed nothing.
async fn survives(nodes: Nodes, table: Table, what: &str) -> Nodes {
    for (who, _, heard) in table.end(what).await {
        assert!(
            matches!(heard.ended, Some(parlor_client::Ended::ByClient)),
            "{who}: {:?}",
            heard.ended
        );
    }
    nodes
}

async fn until_redis_is_noticed(nodes: &Nodes) {
    for node in 0..3 {
        nodes.until(node, "/health/ready", |body| body.contains("\"ok\"")).await;
        nodes.until(node, "/metrics", |body| body.contains("parlor_cluster_nodes 2")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_pauses_for_a_second_and_everyone_waits_for_it() {
    let nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, WAYS).await;
    a_while().await;
    nodes.redis.signal("-STOP");
    sleep(Duration::from_secs(1)).await;
    nodes.redis.signal("-CONT");
    until_redis_is_noticed(&nodes).await;
    a_while().await;
    survives(nodes, table, "Redis pauses for 1 s").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_pauses_for_longer_than_a_lease_and_no_room_ends_and_no_second_owner_is_there() {
    let is_long = std::env::var_os("PARLOR_FAULTS_LONG").is_some();
    let pause = if is_long { Duration::from_secs(30) } else { LEASE * 3 };
    let nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, WAYS).await;
    let room = format!("parlor:room:{{{}}}", table.room);
    let owner = nodes.redis.ask(&["hget", &room, "node"]);
    a_while().await;
    nodes.redis.signal("-STOP");
    nodes.until(0, "/health/ready", |body| body.contains("\"down\"")).await;
    let created = nodes.get(1, NO_ROOM).await.unwrap_or_default();
    assert!(created.contains("STORE_UNAVAILABLE"), "what needs it says so quickly: {created}");
    sleep(pause).await;
    nodes.redis.signal("-CONT");
    until_redis_is_noticed(&nodes).await;
    sleep(LEASE).await;
    assert_eq!(nodes.redis.ask(&["hget", &room, "node"]), owner);
    let what = format!("Redis pauses for {} s", pause.as_secs());
    let nodes = survives(nodes, table, &what).await;
    assert_eq!(nodes.figure(0, "parlor_rooms_lost_total").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_comes_back_empty_and_everything_is_registered_again() {
    let mut nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, WAYS).await;
    a_while().await;
    nodes.redis.kill();
    sleep(Duration::from_secs(3)).await;
    nodes.redis.start_again().await;
    until_redis_is_noticed(&nodes).await;
    sleep(LEASE).await;
    let room = format!("parlor:room:{{{}}}", table.room);
    assert_ne!(nodes.redis.ask(&["hget", &room, "fence"]), "", "the room is registered");
    let nodes = survives(nodes, table, "Redis is killed and comes back empty").await;
    let sessions = nodes.redis.ask(&["--scan", "--pattern", "parlor:session:*"]);
    assert!(sessions.lines().count() >= 3, "and so are its seats: {sessions}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_comes_back_with_all_it_knew() {
    let redis = parlor_testutil::redis::RedisServer::start(&["--appendonly", "yes"]).await;
    let mut nodes = Nodes::on(redis).await;
    let table = Table::on(&nodes, 0, WAYS).await;
    a_while().await;
    nodes.redis.kill();
    sleep(Duration::from_secs(1)).await;
    nodes.redis.start_again().await;
    until_redis_is_noticed(&nodes).await;
    survives(nodes, table, "Redis is killed and comes back with its data").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_cut_off_from_redis_plays_on_with_its_own_players() {
    let nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, &[("Bob", 0), ("Cyd", 2)]).await;
    a_while().await;
    nodes.wires[0].cut();
    sleep(LEASE / 2 + Duration::from_secs(1)).await;
    nodes.wires[0].mend();
    until_redis_is_noticed(&nodes).await;
    sleep(LEASE).await;
    for (who, talked, heard) in table.end("the room's node is cut off from Redis for 3 s").await {
        assert!(
            matches!(heard.ended, Some(parlor_client::Ended::ByClient)),
            "{who}: {:?}",
            heard.ended
        );
        assert!(is_calm(&talked) || who == "Cyd", "{who} notices nothing: {talked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_the_bus_that_are_lost_are_noticed_and_their_players_come_back() {
    let nodes = Nodes::start().await;
    let table = Table::on(&nodes, 0, WAYS).await;
    a_while().await;
    for _ in 0..3 {
        // Redis itself loses what it has for those who listen.
        nodes.redis.ask(&["client", "kill", "type", "pubsub"]);
        a_while().await;
        a_while().await;
    }
    until_redis_is_noticed(&nodes).await;
    a_while().await;
    let nodes = survives(nodes, table, "messages on the bus are lost, three times").await;
    let mut breaks = 0;
    for node in 0..3 {
        breaks += nodes.figure(node, "parlor_relay_breaks_total").await;
    }
    assert!(breaks > 0, "something was lost");
}
