//! Several servers that are one, for tests that ask for it by `PARLOR_TEST_NODES`.

use std::net::SocketAddr;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use parlor_server::store::{Redis, RedisConfig};
use parlor_server::{ClusterConfig, Running, Server};
use tokio::runtime::{Builder, Runtime};

use crate::balancer::Balancer;
use crate::process::Server as Process;
use crate::redis::RedisServer;
use crate::seat::WAIT_MAX;

/// The nodes beside the first, what they share, and what stands before all of them.
#[derive(Debug)]
pub(crate) struct Nodes {
    balancer: Balancer,
    running: Vec<Running>,
    _redis: RedisServer,
    /// The nodes' own, so that they get to know each other while the test's waits.
    runtime: Option<Runtime>,
}

/// How many nodes a server is to be, if it is to be several.
pub(crate) fn nodes_wanted() -> Option<usize> {
    let wanted = std::env::var("PARLOR_TEST_NODES").ok()?;
    Some(wanted.parse().expect("PARLOR_TEST_NODES is a number"))
}

impl Nodes {
    /// Starts `count` servers, and gives the first by itself.
    pub(crate) fn start(count: usize, new: impl Fn() -> Server) -> (Running, Self) {
        let runtime =
            Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let redis = start_redis();
        let url = redis.url();
        let mut running: Vec<Running> = {
            let _inside = runtime.enter();
            let node = |_| {
                let redis = Redis::new(&RedisConfig::new(url.clone())).expect("it is an address");
                let mut config = ClusterConfig::default();
                config.lease = LEASE;
                let server = new().on_redis(&redis, config);
                server.start().expect("some port is free")
            };
            (0..count).map(node).collect()
        };
        let began = Instant::now();
        while !running.iter().all(|node| node.gateway().other_nodes() == count - 1) {
            assert!(began.elapsed() < WAIT_MAX, "the nodes get to know each other");
            sleep(Duration::from_millis(5));
        }
        let addresses: Vec<SocketAddr> = running.iter().map(Running::address).collect();
        addresses.iter().for_each(|address| until_settled(*address));
        let balancer = Balancer::before(&addresses);
        let first = running.remove(0);
        (first, Self { balancer, running, _redis: redis, runtime: Some(runtime) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.balancer.address()
    }

    pub(crate) async fn stop(mut self) {
        for node in self.running.drain(..) {
            node.stop().await;
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.running.clear();
        // In a test's own runtime nobody may wait for another.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Several programs that are one server.
#[derive(Debug)]
pub(crate) struct Processes {
    balancer: Balancer,
    _nodes: Vec<Process>,
    _redis: RedisServer,
}

impl Processes {
    /// Starts `count` of them.
    pub(crate) fn start(binary: &str, count: usize) -> Self {
        let redis = start_redis();
        let arguments = ["--redis", &redis.url(), "--node-lease", "4s"].map(str::to_owned);
        let nodes: Vec<Process> = (0..count).map(|_| Process::alone(binary, &arguments)).collect();
        let addresses: Vec<SocketAddr> = nodes.iter().map(Process::address).collect();
        for address in &addresses {
            until_acquainted(*address, count - 1);
            until_settled(*address);
        }
        Self { balancer: Balancer::before(&addresses), _nodes: nodes, _redis: redis }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.balancer.address()
    }
}

/// Waits until a server knows so many others.
pub(crate) fn until_acquainted(address: SocketAddr, others: usize) {
    let wanted = format!("parlor_cluster_nodes {others}");
    let began = Instant::now();
    loop {
        let metrics = crate::http::get_blocking(address, "/metrics");
        if metrics.lines().any(|line| line == wanted) {
            return;
        }
        assert!(began.elapsed() < WAIT_MAX, "the node at {address} knows {others} others");
        sleep(Duration::from_millis(10));
    }
}

/// Waits until a server is sure of what is not there: that a new Redis has nothing to be reminded of.
pub(crate) fn until_settled(address: SocketAddr) {
    let began = Instant::now();
    while !crate::http::get_blocking(address, "/api/v1/rooms/XXXXXXXX").starts_with("HTTP/1.1 404")
    {
        assert!(began.elapsed() < WAIT_MAX, "the node at {address} has settled");
        sleep(Duration::from_millis(50));
    }
}

/// Of the nodes. Short, for that is how long they take to settle.
const LEASE: Duration = Duration::from_secs(4);

/// In a runtime of its own, for whoever is in one that may not wait.
fn start_redis() -> RedisServer {
    let start = || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(RedisServer::start(&[]))
    };
    thread::spawn(start).join().expect("redis-server starts")
}
