//! Where Redis is, as an address says it, and commands on their way there.
//!
//! An [`Address`] opens nothing. A [`Way`] connects when it is first used and comes back by itself; it has no bound of
//! its own on how many use it. Whoever listens has a connection apart: [`Address::subscribe`].

use std::sync::Arc;
use std::time::Duration;

use ::redis as client;
use client::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult,
    ServerErrorKind, TlsCertificates, TlsMode, Value,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    cluster::{ClusterClientBuilder, ClusterConfig},
    cluster_async::ClusterConnection,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::timeout;

use super::{RedisConfig, RedisUrlError};

/// What an address says, parsed.
pub(super) struct Address {
    kind: Kind,
    /// The server, some nodes of the cluster, or some Sentinels. Never empty.
    hosts: Vec<ConnectionInfo>,
    /// How to log in to a server that the Sentinels name.
    login: RedisConnectionInfo,
    is_tls: bool,
    /// Whom to trust other than those whom the system does.
    certificates: Option<TlsCertificates>,
}

enum Kind {
    Single,
    Cluster,
    /// Which master the Sentinels are asked for.
    Sentinel(String),
}

/// Where commands go.
pub(super) enum Way {
    /// Comes back by itself.
    Single(Box<ConnectionManager>),
    /// Follows the cluster by itself, and looks for it when it is used.
    Cluster(ClusterConnection),
    /// Asks the Sentinels anew when the master is lost.
    Sentinel(Arc<Sentinels>),
}

/// A master that Sentinels name.
pub(super) struct Sentinels {
    /// Only a search asks them.
    client: tokio::sync::Mutex<SentinelClient>,
    connection: AsyncConnectionConfig,
    found: parking_lot::Mutex<Found>,
}

/// The lock around it guards clones of handles and is never held while something is waited for.
#[derive(Default)]
struct Found {
    master: Option<MultiplexedConnection>,
    /// One for all who wait.
    search: Option<Search>,
}

type Search = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

impl Address {
    pub(super) fn parse(config: &RedisConfig) -> Result<Self, RedisUrlError> {
        let url = &*config.url;
        let refused = |error: RedisError| RedisUrlError { reason: error.to_string() };
        let unknown =
            || RedisUrlError { reason: format!("{:?} is no address of Redis", scheme(url)) };
        let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
        let is_tls = scheme.starts_with("rediss");
        let host_scheme = if is_tls { "rediss" } else { "redis" };
        let (kind, login, hosts) = match scheme {
            "redis" | "rediss" | "unix" => (Kind::Single, url.to_owned(), vec![url.to_owned()]),
            "redis-cluster" | "rediss-cluster" => {
                let (login, nodes) = login_and_hosts(rest);
                let nodes = nodes.split(',').map(|node| format!("{host_scheme}://{login}{node}"));
                (Kind::Cluster, format!("redis://{login}node"), nodes.collect())
            }
            "redis-sentinel" | "rediss-sentinel" => {
                let (hosts, name) = rest.split_once('/').ok_or_else(unknown)?;
                let (login, hosts) = login_and_hosts(hosts);
                // Who logs in to the master does not by that log in to the Sentinels.
                let hosts = hosts.split(',').map(|host| format!("{host_scheme}://{host}"));
                let kind = Kind::Sentinel(name.to_owned());
                (kind, format!("redis://{login}master"), hosts.collect())
            }
            _ => return Err(unknown()),
        };
        let login = login.into_connection_info().map_err(refused)?.redis_settings().clone();
        let certificates = match &config.ca {
            Some(pem) if is_tls => {
                Some(TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) })
            }
            Some(_) | None => None,
        };
        let host = |text: String| {
            let info = text.into_connection_info()?.set_tcp_settings(tcp_settings());
            match &certificates {
                // The only way to have an address that bears them.
                Some(certificates) => Client::build_with_tls(info, certificates.clone())
                    .map(|client| client.get_connection_info().clone()),
                None => Ok(info),
            }
        };
        let hosts =
            hosts.into_iter().map(host).collect::<RedisResult<Vec<_>>>().map_err(refused)?;
        if is_tls {
            // The client takes what the process has chosen; an earlier choice stays.
            let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        Ok(Self {
            kind,
            hosts,
            login: login.set_protocol(ProtocolVersion::RESP3),
            is_tls,
            certificates,
        })
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster)
    }

    /// A way on which nothing takes longer than `time_max`, and which in a cluster repeats a command this often.
    pub(super) fn way(&self, time_max: Duration, retries: u32) -> RedisResult<Way> {
        match &self.kind {
            Kind::Single => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(time_max))
                    .set_response_timeout(Some(time_max))
                    .set_number_of_retries(1)
                    .set_max_delay(RECONNECT_DELAY_MAX);
                let client = Client::open(self.hosts[0].clone())?;
                let manager = ConnectionManager::new_lazy_with_config(client, config)?;
                Ok(Way::Single(Box::new(manager)))
            }
            Kind::Cluster => {
                let mut builder = ClusterClientBuilder::new(self.hosts.clone())
                    .connection_timeout(time_max)
                    .response_timeout(time_max)
                    .tcp_settings(tcp_settings())
                    .retries(retries)
                    .use_protocol(ProtocolVersion::RESP3);
                if let Some(certificates) = &self.certificates {
                    builder = builder.certs(certificates.clone());
                }
                // One that looks for the cluster as long as it lives. Looking within a call would end with the call,
                // and begin anew with the next: with one node that does not answer it would never be done.
                let config = ClusterConfig::new()
                    .set_connection_timeout(time_max)
                    .set_response_timeout(time_max);
                let client = builder.build()?;
                Ok(Way::Cluster(client.get_pending_async_connection_with_config(config)))
            }
            Kind::Sentinel(name) => {
                let connection = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(time_max))
                    .set_response_timeout(Some(time_max));
                Ok(Way::Sentinel(Arc::new(Sentinels {
                    client: tokio::sync::Mutex::new(self.sentinels(name)?),
                    connection,
                    found: parking_lot::Mutex::default(),
                })))
            }
        }
    }

    /// Connects to where `command`, which subscribes, is answered, and has it answered there.
    pub(super) async fn subscribe(
        &self,
        command: &Cmd,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        match &self.kind {
            Kind::Single => subscribe_at(&self.hosts[0], command, config).await,
            Kind::Cluster => {
                let mut outcome = Err(no_node());
                for host in &self.hosts {
                    outcome = subscribe_from(host, command, config).await;
                    if outcome.is_ok() {
                        break;
                    }
                }
                outcome
            }
            Kind::Sentinel(name) => {
                let mut sentinels = self.sentinels(name)?;
                let mut connection = sentinels.get_async_connection_with_config(config).await?;
                command.query_async::<Value>(&mut connection).await?;
                Ok(connection)
            }
        }
    }

    fn sentinels(&self, name: &str) -> RedisResult<SentinelClient> {
        let hosts = self.hosts.iter().map(|host| host.addr().clone());
        let mut builder = SentinelClientBuilder::new(hosts, name, SentinelServerType::Master)?
            .set_client_to_sentinel_tcp_settings(tcp_settings())
            .set_client_to_redis_tcp_settings(tcp_settings())
            .set_client_to_redis_protocol(ProtocolVersion::RESP3)
            .set_client_to_redis_db(self.login.db());
        if let Some(user) = self.login.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = self.login.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if self.is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = &self.certificates {
            builder = builder.set_client_to_redis_certificates(certificates.clone());
        }
        builder.build()
    }
}

/// Subscribes at the node to which `host` and those it names lead.
async fn subscribe_from(
    host: &ConnectionInfo,
    command: &Cmd,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let mut host = host.clone();
    for _ in 0..REDIRECTIONS_MAX {
        match subscribe_at(&host, command, config).await {
            Err(error) => match error.redirect_node() {
                Some((node, _)) => host = moved(&host, node).ok_or(error)?,
                None => return Err(error),
            },
            done => return done,
        }
    }
    Err(no_node())
}

async fn subscribe_at(
    host: &ConnectionInfo,
    command: &Cmd,
    config: &AsyncConnectionConfig,
) -> RedisResult<MultiplexedConnection> {
    let settings = host.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let client = Client::open(host.clone().set_redis_settings(settings))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
    command.query_async::<Value>(&mut connection).await?;
    Ok(connection)
}

/// The node that `from` names, as `host:port` or, for one with its own name, `:port`.
fn moved(from: &ConnectionInfo, node: &str) -> Option<ConnectionInfo> {
    let (name, port) = node.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let named = |host: &String| if name.is_empty() { host.clone() } else { name.to_owned() };
    let address = match from.addr() {
        ConnectionAddr::Tcp(host, _) => ConnectionAddr::Tcp(named(host), port),
        ConnectionAddr::TcpTls { host, insecure, tls_params, .. } => ConnectionAddr::TcpTls {
            host: named(host),
            port,
            insecure: *insecure,
            tls_params: tls_params.clone(),
        },
        _ => return None,
    };
    Some(from.clone().set_addr(address))
}

impl Way {
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(manager) => {
                command.query_async(&mut ConnectionManager::clone(manager)).await
            }
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
            Self::Sentinel(sentinels) => {
                let mut master = sentinels.master().await?;
                let outcome = command.query_async(&mut master).await;
                if let Err(error) = &outcome
                    && (error.is_io_error() || error.is_connection_dropped() || is_readonly(error))
                {
                    sentinels.found.lock().master = None;
                }
                outcome
            }
        }
    }
}

impl Sentinels {
    /// The master, which is looked for unless it is known.
    ///
    /// The search is a task that ends with an answer, or after [`SEARCH_TIME_MAX`]: a caller whose time is over before
    /// that leaves it to the next one.
    async fn master(self: &Arc<Self>) -> RedisResult<MultiplexedConnection> {
        let search = {
            let mut found = self.found.lock();
            if let Some(master) = &found.master {
                return Ok(master.clone());
            }
            match &found.search {
                Some(search) => search.clone(),
                None => {
                    let search = Arc::clone(self).search().boxed().shared();
                    tokio::spawn(search.clone());
                    found.search.insert(search).clone()
                }
            }
        };
        search.await
    }

    async fn search(self: Arc<Self>) -> RedisResult<MultiplexedConnection> {
        let ask = async {
            let mut client = self.client.lock().await;
            client.get_async_connection_with_config(&self.connection).await
        };
        let outcome = timeout(SEARCH_TIME_MAX, ask).await.unwrap_or_else(|_| Err(no_node()));
        let mut found = self.found.lock();
        found.search = None;
        found.master = outcome.as_ref().ok().cloned();
        outcome
    }
}

/// The server is no master any more.
fn is_readonly(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
}

fn no_node() -> RedisError {
    (ErrorKind::Io, "no node leads to the one that is looked for").into()
}

/// The system gives up a connection whose other end has gone without a word, and does not wait to send little.
fn tcp_settings() -> TcpSettings {
    let settings = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(TcpKeepalive::new().with_time(SILENCE_MAX));
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(SILENCE_MAX);
    settings
}

/// `user:password@`, if it is there, and what follows.
fn login_and_hosts(text: &str) -> (&str, &str) {
    match text.rfind('@') {
        Some(at) => text.split_at(at + 1),
        None => ("", text),
    }
}

/// What comes before an address, which may hold a password.
fn scheme(url: &str) -> &str {
    url.split("://").next().unwrap_or_default()
}

/// Between two attempts to connect again.
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(200);
/// How long Sentinels are asked, one after the other, and the master they name is connected to.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);
/// For how long the system waits for the other end of a connection to confirm what was sent.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How often a node may name another. One that knows the cluster names the right one at once.
const REDIRECTIONS_MAX: usize = 4;
