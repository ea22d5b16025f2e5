//! Whether the server turns over, and whether it takes players.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use parlor_gateway::Gateway;
use serde::Serialize;
use tokio::time::timeout;

use super::{Answer, answer};

/// Answer of the addresses under `/health`.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Health {
    status: Status,
    /// The server and its version.
    server: &'static str,
    /// What it needs, by name. Only `/health` tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    dependencies: Option<BTreeMap<&'static str, Dependency>>,
}

/// In a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// All is well.
    Ok,
    /// It is going away and takes nobody new.
    Draining,
    /// Something that it needs does not answer.
    Down,
}

/// One thing that the server needs.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    status: Status,
    /// How long it took to answer, in milliseconds.
    latency_ms: f64,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Whether the process turns over: the runtime has got as far as this, and every task that minds rooms'
/// deadlines has its turn in time.
pub(super) async fn live(gateway: &Gateway) -> Answer {
    let driver = driver(gateway).await;
    told(driver.status, None)
}

/// Whether to send players here.
pub(super) async fn ready(gateway: &Gateway) -> Answer {
    let (status, _) = look(gateway).await;
    told(status, None)
}

/// The same, with what it is judged by.
pub(super) async fn health(gateway: &Gateway) -> Answer {
    let (status, dependencies) = look(gateway).await;
    told(status, Some(dependencies))
}

async fn look(gateway: &Gateway) -> (Status, BTreeMap<&'static str, Dependency>) {
    let (driver, sessions) = tokio::join!(driver(gateway), sessions(gateway));
    let mut dependencies = BTreeMap::from([("driver", driver), ("sessions", sessions)]);
    if let Some(has_lease) = gateway.has_lease() {
        let outcome =
            if has_lease { Ok(()) } else { Err("other nodes do not know that this one is there") };
        dependencies.insert("nodes", timed(std::future::ready(outcome)).await);
    }
    let all_answer = dependencies.values().all(|one| one.status == Status::Ok);
    let status = match (all_answer, gateway.is_draining()) {
        (false, _) => Status::Down,
        (true, true) => Status::Draining,
        (true, false) => Status::Ok,
    };
    (status, dependencies)
}

async fn driver(gateway: &Gateway) -> Dependency {
    timed(async {
        gateway.turn().await;
        Ok::<(), String>(())
    })
    .await
}

async fn sessions(gateway: &Gateway) -> Dependency {
    timed(gateway.check_store()).await
}

async fn timed<E: ToString>(answer: impl Future<Output = Result<(), E>>) -> Dependency {
    let began = Instant::now();
    let error = match timeout(ANSWER_TIME_MAX, answer).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {ANSWER_TIME_MAX:?}")),
    };
    Dependency {
        status: if error.is_none() { Status::Ok } else { Status::Down },
        latency_ms: began.elapsed().as_secs_f64() * 1000.0,
        error,
    }
}

fn told(status: Status, dependencies: Option<BTreeMap<&'static str, Dependency>>) -> Answer {
    let code = match status {
        Status::Ok => StatusCode::OK,
        Status::Draining | Status::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    answer::json(code, &Health { status, server: SERVER, dependencies })
}

pub(super) const SERVER: &str = concat!("parlor/", env!("CARGO_PKG_VERSION"));
/// Half of what Kubernetes and most balancers wait for.
const ANSWER_TIME_MAX: Duration = Duration::from_millis(500);
