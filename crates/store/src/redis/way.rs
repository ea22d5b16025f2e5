//! Where Redis is, as an address says it, and commands on their way there.
//!
//! An [`Address`] opens nothing. A [`Way`] connects when it is first used and comes back by itself; it has no bound of
//! its own on how many use it. Whoever listens has a connection apart: [`Address::subscribe`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ::redis as client;
use client::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, TlsCertificates, TlsMode, Value,
    aio::MultiplexedConnection,
    cluster::{ClusterClientBuilder, ClusterConfig},
    cluster_async::ClusterConnection,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
    sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType},
};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
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
    Master(Arc<Master>),
    /// Follows the cluster by itself, and looks for it when it is used.
    Cluster(ClusterConnection),
}

/// The one server that has everything. It is looked for when a command comes and there is no connection to it, which is
/// given up when a command has no answer in time: one that leads nowhere looks like a server that thinks.
pub(super) struct Master {
    seeker: Seeker,
    config: AsyncConnectionConfig,
    found: Mutex<Found>,
}

enum Seeker {
    /// It is where it always was.
    Fixed(Client),
    /// Only a search asks them.
    Sentinels(tokio::sync::Mutex<SentinelClient>),
}

/// The lock around it guards clones of handles and is never held while something is waited for.
#[derive(Default)]
struct Found {
    connection: Option<MultiplexedConnection>,
    /// Which connection that is: a command that another one has failed says nothing about it.
    number: u64,
    /// One for all who wait.
    search: Option<Search>,
}

type Search = Shared<BoxFuture<'static, RedisResult<(u64, MultiplexedConnection)>>>;

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
            Some(pem) => Some(trusted(pem, is_tls)?),
            None => None,
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
        // Shorter than what the caller waits, who would otherwise be gone before it is known.
        let answer_time_max = time_max * 4 / 5;
        let master = |seeker| {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_TIME_MAX))
                .set_response_timeout(Some(answer_time_max));
            Way::Master(Arc::new(Master { seeker, config, found: Mutex::default() }))
        };
        match &self.kind {
            Kind::Single => Ok(master(Seeker::Fixed(Client::open(resp3(&self.hosts[0]))?))),
            Kind::Sentinel(name) => {
                Ok(master(Seeker::Sentinels(tokio::sync::Mutex::new(self.sentinels(name)?))))
            }
            Kind::Cluster => {
                let mut builder = ClusterClientBuilder::new(self.hosts.clone())
                    .connection_timeout(CONNECT_TIME_MAX)
                    .response_timeout(answer_time_max)
                    .tcp_settings(tcp_settings())
                    .retries(retries)
                    .use_protocol(ProtocolVersion::RESP3);
                if let Some(certificates) = &self.certificates {
                    builder = builder.certs(certificates.clone());
                }
                // One that looks for the cluster as long as it lives. Looking within a call would end with the call,
                // and begin anew with the next: with one node that does not answer it would never be done.
                let connection =
                    builder.build()?.get_pending_async_connection_with_config(ClusterConfig::new());
                Ok(Way::Cluster(connection))
            }
        }
    }

    /// Connects to where `command`, which subscribes, is answered, and has it answered there.
    ///
    /// Of a cluster's nodes another one is asked first with each `attempt`, since some that do not answer may take all
    /// the time there is.
    pub(super) async fn subscribe(
        &self,
        command: &Cmd,
        config: &AsyncConnectionConfig,
        attempt: usize,
    ) -> RedisResult<MultiplexedConnection> {
        match &self.kind {
            Kind::Single => subscribe_at(&self.hosts[0], command, config).await,
            Kind::Cluster => {
                let mut outcome = Err(no_node());
                let first = attempt % self.hosts.len();
                for host in self.hosts.iter().cycle().skip(first).take(self.hosts.len()) {
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

/// Those who vouch for servers that speak TLS.
fn trusted(pem: &[u8], is_tls: bool) -> Result<TlsCertificates, RedisUrlError> {
    let refused = |reason: &str| Err(RedisUrlError { reason: reason.to_owned() });
    if !is_tls {
        return refused("there is somebody to trust, but no TLS");
    }
    if CertificateDer::pem_slice_iter(pem).next().is_none() {
        return refused("there is nobody to trust");
    }
    Ok(TlsCertificates { client_tls: None, root_cert: Some(pem.to_vec()) })
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
    let client = Client::open(resp3(host))?;
    let mut connection = client.get_multiplexed_async_connection_with_config(config).await?;
    command.query_async::<Value>(&mut connection).await?;
    Ok(connection)
}

/// In this protocol a server also says what it was not asked, and the client when a connection is lost.
fn resp3(host: &ConnectionInfo) -> ConnectionInfo {
    let settings = host.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    host.clone().set_redis_settings(settings)
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
            Self::Cluster(connection) => command.query_async(&mut connection.clone()).await,
            Self::Master(master) => {
                let (number, mut connection) = master.connection().await?;
                let outcome = command.query_async(&mut connection).await;
                if let Err(error) = &outcome
                    && (error.is_io_error() || error.is_unrecoverable_error() || is_readonly(error))
                {
                    master.found.lock().lose(number);
                }
                outcome
            }
        }
    }
}

impl Master {
    /// The connection, which is looked for unless there is one.
    ///
    /// The search is a task that ends with what it has found, or after [`SEARCH_TIME_MAX`]: a caller whose time is over
    /// before that leaves it to the next one.
    async fn connection(self: &Arc<Self>) -> RedisResult<(u64, MultiplexedConnection)> {
        let search = {
            let mut found = self.found.lock();
            if let Some(connection) = &found.connection {
                return Ok((found.number, connection.clone()));
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

    async fn search(self: Arc<Self>) -> RedisResult<(u64, MultiplexedConnection)> {
        // Nobody else searches, so nobody else counts.
        let number = self.found.lock().number + 1;
        let this = Arc::downgrade(&self);
        // Known at once, and not from a command that it fails: one that must not be run twice would be in doubt.
        let lost = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection
                && let Some(this) = this.upgrade()
            {
                this.found.lock().lose(number);
            }
            Ok::<(), Infallible>(())
        };
        let config = self.config.clone().set_push_sender(lost);
        let connect = async {
            match &self.seeker {
                Seeker::Fixed(client) => {
                    client.get_multiplexed_async_connection_with_config(&config).await
                }
                Seeker::Sentinels(client) => {
                    client.lock().await.get_async_connection_with_config(&config).await
                }
            }
        };
        let outcome = timeout(SEARCH_TIME_MAX, connect).await.unwrap_or_else(|_| Err(no_node()));
        let mut found = self.found.lock();
        found.search = None;
        let connection = outcome?;
        found.number = number;
        found.connection = Some(connection.clone());
        Ok((number, connection))
    }
}

impl Found {
    fn lose(&mut self, number: u64) {
        if self.number == number {
            self.connection = None;
        }
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

/// How long connecting may take, with logging in: longer than a call, which then leaves it to the next one.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long Sentinels are asked, one after the other, and the master they name is connected to.
const SEARCH_TIME_MAX: Duration = Duration::from_secs(5);
/// For how long the system waits for the other end of a connection to confirm what was sent.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How often a node may name another. One that knows the cluster names the right one at once.
const REDIRECTIONS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, node: &str, expect: Option<&str>) {
        let from = from.into_connection_info().unwrap();
        let address = moved(&from, node).map(|info| info.addr().to_string());
        assert_eq!(address.as_deref(), expect);
    }

    #[test]
    fn a_node_is_followed_to_where_another_says_that_it_is() {
        check("redis://one:6379", "two:6380", Some("two:6380"));
        check("redis://one:6379", "::1:6380", Some("::1:6380"));
        check("rediss://one:6379", "two:6380", Some("two:6380"));
        check("redis://one:6379", ":6380", Some("one:6380"));
        check("redis://one:6379", "two", None);
        check("redis://one:6379", "two:many", None);
    }

    #[test]
    fn a_password_may_hold_what_separates_hosts_from_it() {
        assert_eq!(login_and_hosts("me:p@ss@one,two"), ("me:p@ss@", "one,two"));
        assert_eq!(login_and_hosts("one,two"), ("", "one,two"));
    }
}
