//! What the `parlor` program can be told, and by whom.
//!
//! Each setting has one name: `rooms_max` in a file, `PARLOR_ROOMS_MAX` in the environment, `--rooms-max` as a
//! flag. What is given as a flag goes before the environment, that before the file, that before the default. All
//! of it is read and checked before anything is opened.

mod values;

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::{Path, PathBuf},
};

use clap::{Args, Parser};
use ipnet::IpNet;
use parlor_server::{
    ClusterConfig, Jwt, JwtError, NodeOrigin, Origin, ProxyHeader, ServerConfig, TlsFiles,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

pub(crate) use self::values::{Hidden, LogFormat};
use self::values::{List, Maybe, Span, Text};

/// Declares each setting once: its meaning, name, type and default, and whether it may change while the server
/// runs.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $when:ident;)+) => {
        /// What someone gave: a file, the environment or flags.
        #[derive(Args, Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(title = "Settings of parlor")]
        pub(crate) struct Given {
            $($(#[doc = $doc])+
            #[arg(long, value_name = "VALUE")]
            pub(crate) $name: Option<$type>,)+
        }

        /// What holds.
        #[derive(Clone, Debug)]
        pub(crate) struct Settings {
            $(pub(crate) $name: $type,)+
        }

        /// The names of all settings.
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        impl Given {
            /// Takes over what `other` has given.
            fn take_over(&mut self, other: Self) {
                $(if other.$name.is_some() {
                    self.$name = other.$name;
                })+
            }
        }

        impl Settings {
            /// The settings that differ from these and cannot be changed while the server runs.
            pub(crate) fn wait_for_a_start(&self, before: &Self) -> Vec<&'static str> {
                let mut waiting = Vec::new();
                $(if When::$when == When::AtStart && self.$name != before.$name {
                    waiting.push(stringify!($name));
                })+
                waiting
            }

            /// What holds when `layers`, the strongest first, have given what they have.
            fn of(layers: Vec<(Source, Given)>) -> (Self, Vec<Effective>) {
                let mut effective = Vec::new();
                let settings = Self {
                    $($name: {
                        let given = layers.iter().find_map(|(source, given)| {
                            Some((source.clone(), given.$name.clone()?))
                        });
                        let (source, value) = given.unwrap_or((Source::Default, $default));
                        effective.push(Effective {
                            name: stringify!($name),
                            value: toml::Value::try_from(&value).ok(),
                            source,
                            changes: When::$when,
                        });
                        value
                    },)+
                };
                (settings, effective)
            }
        }
    };
}

settings! {
    /// Where to listen. Port 0 takes any free port; 0.0.0.0 lets other machines in.
    listen: SocketAddr = defaults().listen, AtStart;
    /// Another address for /metrics, /health and /admin, which then are not at `listen`.
    ops_listen: Maybe<SocketAddr> = Maybe(None), AtStart;
    /// Where players find this server, as in `https://games.example`, for links to rooms.
    public_url: Maybe<Text<Origin>> = Maybe(None), AtStart;
    /// Sites whose pages may connect and use the API, beside the server's own.
    allowed_origins: List<Text<Origin>> = List(Vec::new()), Live;
    /// Sockets of other nodes that pages may connect to, as in wss://node-2.games.example or wss://*.games.example.
    other_nodes: List<Text<NodeOrigin>> = List(Vec::new()), Live;
    /// What one must know to end rooms by HTTP and to see the operators' page. Without one nobody may.
    admin_token: Maybe<Hidden> = Maybe(None), Live;
    /// Networks of proxies whose word is taken for the addresses of clients, as in 10.0.0.0/8.
    trusted_proxies: List<Text<IpNet>> = List(Vec::new()), Live;
    /// The header in which they give it: x-forwarded-for or forwarded.
    proxy_header: ProxyHeader = ProxyHeader::default(), Live;
    /// Whether trusted proxies begin each connection by the PROXY protocol, version 2.
    proxy_protocol: bool = defaults().proxy_protocol, AtStart;
    /// Whether limits by address hold for clients on this machine as well.
    loopback_limited: bool = defaults().loopback_limited, Live;
    /// The certificate for TLS and those behind it, in PEM. Read again at SIGHUP.
    tls_certificate: Maybe<PathBuf> = Maybe(None), AtStart;
    /// Its private key, in PEM.
    tls_key: Maybe<PathBuf> = Maybe(None), AtStart;

    /// The secret with which a service signs access tokens by HS256. Games may ask who someone is then.
    jwt_secret: Maybe<Hidden> = Maybe(None), AtStart;
    /// A file with the public keys of such a service, for EdDSA or RS256: a JWK set. Read again at SIGHUP.
    jwt_jwks: Maybe<PathBuf> = Maybe(None), AtStart;
    /// Only tokens of this issuer are believed.
    jwt_issuer: Maybe<String> = Maybe(None), AtStart;
    /// Only tokens for this audience are.
    jwt_audience: Maybe<String> = Maybe(None), AtStart;

    /// Redis or Valkey 7, where nodes find each other: redis://host:6379, redis-sentinel://one,two/name or
    /// redis-cluster://one,two; with TLS rediss://. Without it this server is alone.
    redis: Maybe<Hidden> = Maybe(None), AtStart;
    /// What all keys and channels there begin with.
    redis_prefix: String = "parlor".to_owned(), AtStart;
    /// Whom to believe that it is that Redis, in PEM; else those whom this machine believes.
    redis_ca: Maybe<PathBuf> = Maybe(None), AtStart;
    /// Where this node alone is reached, as in `wss://node-1.games.example/ws`. Clients whose room is here and whose
    /// connection is elsewhere move to it.
    node_url: Maybe<String> = Maybe(None), AtStart;
    /// What all nodes know, to sign what they tell each other.
    node_secret: Maybe<Hidden> = Maybe(None), AtStart;
    /// How long a node that is not heard of still counts as there.
    node_lease: Span = Span(ClusterConfig::default().lease), AtStart;

    /// What to log: error, warn, info, debug, or more finely, as in info,parlor_server=debug.
    log: String = "info".to_owned(), Live;
    /// Where to send spans, by OTLP over HTTP: http://127.0.0.1:4318/v1/traces. For programs built with the feature
    /// `otlp`.
    otlp_endpoint: Maybe<String> = Maybe(None), AtStart;
    /// How to log it: text for people, json for programs.
    log_format: LogFormat = LogFormat::Text, AtStart;

    /// Clients at a time. One more is told to come back later.
    connections_max: NonZeroUsize = at_least_one(defaults().connections_max), AtStart;
    /// Clients of one address at a time.
    connections_per_address_max: NonZeroU32 = few(defaults().connections_per_address_max), AtStart;
    /// Connections at a time that are no WebSockets (yet). More wait.
    http_connections_max: NonZeroUsize = at_least_one(defaults().http_connections_max), AtStart;
    /// Those of one address. More are cut.
    http_connections_per_address_max: NonZeroU32 = few(defaults().http_connections_per_address_max), AtStart;
    /// Rooms at a time.
    rooms_max: NonZeroUsize = at_least_one(defaults().gateway.rooms_max), AtStart;
    /// Rooms that an address may open at once.
    rooms_opened_burst: NonZeroU32 = few(defaults().gateway.rooms_opened.burst), AtStart;
    /// After how long it may open one more.
    rooms_opened_every: Span = Span(defaults().gateway.rooms_opened.every), AtStart;
    /// Wrong passwords, room codes and tokens that an address may try at once.
    wrong_guesses_burst: NonZeroU32 = few(defaults().gateway.wrong_guesses.burst), AtStart;
    /// After how long it may try one more.
    wrong_guesses_every: Span = Span(defaults().gateway.wrong_guesses.every), AtStart;
    /// Requests a second that a client may send for long.
    requests_per_second: NonZeroU32 = few(defaults().gateway.requests_per_second), AtStart;
    /// Requests that it may send at once after a silence.
    requests_burst: NonZeroU32 = few(defaults().gateway.requests_burst), AtStart;
    /// Bytes of a client's message, and of a request's body.
    message_bytes_max: NonZeroUsize = at_least_one(defaults().gateway.frame.message_bytes_max), AtStart;
    /// Messages that may wait for one client before it is closed as too slow.
    outbox_messages_max: NonZeroUsize = at_least_one(defaults().gateway.outbox.messages_max), AtStart;
    /// Bytes that may.
    outbox_bytes_max: NonZeroUsize = at_least_one(defaults().gateway.outbox.bytes_max), AtStart;
    /// Events that each room keeps for players who come back.
    history_events_max: NonZeroUsize = at_least_one(defaults().gateway.history.events_max), AtStart;
    /// Bytes of them.
    history_bytes_max: NonZeroUsize = at_least_one(defaults().gateway.history.bytes_max), AtStart;

    /// How long a client may take to send the headers of a request or to begin TLS.
    handshake_time_max: Span = Span(defaults().handshake_time_max), AtStart;
    /// How long a connection may be used for HTTP requests.
    http_time_max: Span = Span(defaults().http_time_max), AtStart;
    /// Silence after which a client is pinged; after twice that it is closed.
    heartbeat: Span = Span(defaults().gateway.heartbeat), AtStart;
    /// How long a client may be in no room and ask nothing.
    unattached_idle_max: Span = Span(defaults().gateway.unattached_idle_max), AtStart;
    /// How long a lost session is remembered after its room has closed.
    session_ttl: Span = Span(defaults().gateway.session_ttl), AtStart;
    /// How long stopping waits for games to end.
    games_drain_time_max: Span = Span(defaults().games_drain_time_max), AtStart;
    /// How long it then waits for connections to be closed in good order.
    drain_time_max: Span = Span(defaults().drain_time_max), AtStart;
}

/// Who gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody.
    Default,
    /// This file.
    File(PathBuf),
    /// The environment.
    Environment,
    /// A flag.
    Flag,
}

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At SIGHUP.
    Live,
    /// When the server is started again.
    AtStart,
}

/// One setting as it holds.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    name: &'static str,
    /// As in a file; nothing where nothing is set.
    value: Option<toml::Value>,
    source: Source,
    changes: When,
}

/// Why settings cannot be used. Names the setting, who gave it, and what would be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: PathBuf, reason: std::io::Error },
    #[error("in {path}, line {line}: {reason}")]
    File { path: PathBuf, line: usize, reason: String },
    #[error("in the environment: {0}")]
    Environment(String),
    #[error("{0}")]
    Together(&'static str),
}

/// Everything that holds, and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) settings: Settings,
    pub(crate) effective: Vec<Effective>,
}

/// Reads all settings: flags, which are read already, the environment and the file.
pub(crate) fn read(flags: Given, file: Option<&Path>) -> Result<Read, SettingsError> {
    let mut layers =
        vec![(Source::Flag, flags), (Source::Environment, from_environment(env::vars_os())?)];
    if let Some(path) = file {
        layers.push((Source::File(path.to_owned()), from_file(path)?));
    }
    let (settings, effective) = Settings::of(layers);
    settings.check()?;
    Ok(Read { settings, effective })
}

/// JSON Schema of a settings file.
pub(crate) fn schema() -> Schema {
    SchemaGenerator::default().into_root_schema_for::<Given>()
}

fn from_file(path: &Path) -> Result<Given, SettingsError> {
    let text = fs::read_to_string(path)
        .map_err(|reason| SettingsError::Unreadable { path: path.to_owned(), reason })?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count();
        // Of the line only the name, for its value may be a secret.
        let (name, _) = text.lines().nth(line).and_then(|text| text.split_once('=')).unzip();
        let name = name.map(|name| format!("{}: ", name.trim())).unwrap_or_default();
        let reason = format!("{name}{}", error.message());
        SettingsError::File { path: path.to_owned(), line: line + 1, reason }
    })
}

/// The variables that begin with `PARLOR_`, read as the flags that they stand for.
fn from_environment(
    variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> Result<Given, SettingsError> {
    #[derive(Parser)]
    #[command(no_binary_name = true, disable_help_flag = true)]
    struct Variables {
        #[command(flatten)]
        given: Given,
    }

    let mut given = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        if name == "CONFIG" || is_of_kubernetes(name) {
            continue;
        }
        let key = name.to_ascii_lowercase();
        if !NAMES.contains(&key.as_str()) {
            return Err(SettingsError::Environment(unknown(name, &key)));
        }
        let Some(value) = value.to_str() else {
            return Err(SettingsError::Environment(format!("{PREFIX}{name} is no text")));
        };
        given.insert(key, value.to_owned());
    }
    let mut all = Given::default();
    for (key, value) in given {
        let variable = format!("{PREFIX}{}", key.to_ascii_uppercase());
        let flag = format!("--{}={value}", key.replace('_', "-"));
        // One at a time, so that what is wrong can be told by its own name.
        let one = Variables::try_parse_from([flag]).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let flag = format!("--{} <VALUE>", key.replace('_', "-"));
            SettingsError::Environment(reason.replace(&flag, &variable))
        })?;
        all.take_over(one.given);
    }
    Ok(all)
}

fn unknown(name: &str, key: &str) -> String {
    let nearest = NAMES.iter().map(|known| (strsim::jaro_winkler(known, key), known));
    match nearest.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        Some((likeness, known)) if likeness > 0.85 => {
            format!(
                "no setting is called {PREFIX}{name}; perhaps {PREFIX}{}",
                known.to_ascii_uppercase()
            )
        }
        Some(_) | None => {
            format!("no setting is called {PREFIX}{name}; `parlor config` shows all there are")
        }
    }
}

/// What Kubernetes puts into every container beside a service that is called parlor.
fn is_of_kubernetes(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

impl Settings {
    fn check(&self) -> Result<(), SettingsError> {
        if self.tls_certificate.0.is_some() != self.tls_key.0.is_some() {
            let reason = "tls_certificate and tls_key are given together or not at all";
            return Err(SettingsError::Together(reason));
        }
        if self.jwt_secret.0.is_some() && self.jwt_jwks.0.is_some() {
            return Err(SettingsError::Together(
                "either jwt_secret or jwt_jwks is given, not both",
            ));
        }
        let is_for_tokens = self.jwt_issuer.0.is_some() || self.jwt_audience.0.is_some();
        if is_for_tokens && self.jwt_secret.0.is_none() && self.jwt_jwks.0.is_none() {
            let reason = "jwt_issuer and jwt_audience need jwt_secret or jwt_jwks";
            return Err(SettingsError::Together(reason));
        }
        if self.redis.0.is_none() {
            let needs = self.redis_ca.0.is_some()
                || self.node_url.0.is_some()
                || self.node_secret.0.is_some();
            if needs {
                let reason =
                    "redis_ca, node_url and node_secret need redis, where the other nodes are";
                return Err(SettingsError::Together(reason));
            }
        }
        if self.node_url.0.as_deref().is_some_and(|url| !is_websocket_url(url)) {
            return Err(SettingsError::Together("node_url is an address as in wss://host/ws"));
        }
        if self.node_lease.0 < NODE_LEASE_MIN {
            return Err(SettingsError::Together("node_lease is 2s at least"));
        }
        if self.proxy_protocol && self.trusted_proxies.0.is_empty() {
            let reason = "proxy_protocol needs trusted_proxies: the networks of those who speak it";
            return Err(SettingsError::Together(reason));
        }
        Ok(())
    }

    /// Who is believed who someone is, if anyone.
    pub(crate) fn authenticator(&self) -> Result<Option<Jwt>, JwtError> {
        let jwt = match (&self.jwt_secret.0, &self.jwt_jwks.0) {
            (Some(Hidden(secret)), _) => Jwt::with_secret(secret),
            (None, Some(path)) => Jwt::with_jwks(path)?,
            (None, None) => return Ok(None),
        };
        let jwt = match &self.jwt_issuer.0 {
            Some(issuer) => jwt.of_issuer(issuer),
            None => jwt,
        };
        Ok(Some(match &self.jwt_audience.0 {
            Some(audience) => jwt.for_audience(audience),
            None => jwt,
        }))
    }

    /// What works and is not wise.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let is_short = |hidden: &Hidden| hidden.0.expose().chars().count() < SECRET_CHARS_MIN;
        let mut warnings = Vec::new();
        if self.admin_token.0.as_ref().is_some_and(is_short) {
            warnings.push("the admin token is so short that it can be guessed: 16 characters or more are safe");
        }
        if self.jwt_secret.0.as_ref().is_some_and(is_short) {
            warnings.push("the secret for access tokens is so short that it can be guessed");
        }
        if self.node_secret.0.as_ref().is_some_and(is_short) {
            warnings.push("the secret of the nodes is so short that it can be guessed");
        }
        warnings
    }

    /// What the server is started with.
    pub(crate) fn config(&self) -> ServerConfig {
        let mut config = ServerConfig::default();
        config.listen = self.listen;
        config.ops_listen = self.ops_listen.0;
        config.public_url = self.public_url.0.as_ref().map(ToString::to_string);
        config.allowed_origins = self.allowed_origins.texts();
        config.other_nodes = self.other_nodes.texts();
        config.admin_token = self.admin_token.0.as_ref().map(|hidden| hidden.0.clone());
        config.trusted_proxies = self.trusted_proxies.texts();
        config.proxy_header = self.proxy_header;
        config.proxy_protocol = self.proxy_protocol;
        config.loopback_limited = self.loopback_limited;
        let files = self.tls_certificate.0.clone().zip(self.tls_key.0.clone());
        config.tls = files.map(|(certificate, key)| TlsFiles { certificate, key });
        config.connections_max = self.connections_max.get();
        config.connections_per_address_max = self.connections_per_address_max.get();
        config.http_connections_max = self.http_connections_max.get();
        config.http_connections_per_address_max = self.http_connections_per_address_max.get();
        config.handshake_time_max = self.handshake_time_max.0;
        config.http_time_max = self.http_time_max.0;
        config.games_drain_time_max = self.games_drain_time_max.0;
        config.drain_time_max = self.drain_time_max.0;
        let gateway = &mut config.gateway;
        gateway.rooms_max = self.rooms_max.get();
        gateway.rooms_opened.burst = self.rooms_opened_burst.get();
        gateway.rooms_opened.every = self.rooms_opened_every.0;
        gateway.wrong_guesses.burst = self.wrong_guesses_burst.get();
        gateway.wrong_guesses.every = self.wrong_guesses_every.0;
        gateway.requests_per_second = self.requests_per_second.get();
        gateway.requests_burst = self.requests_burst.get();
        gateway.frame.message_bytes_max = self.message_bytes_max.get();
        gateway.outbox.messages_max = self.outbox_messages_max.get();
        gateway.outbox.bytes_max = self.outbox_bytes_max.get();
        gateway.history.events_max = self.history_events_max.get();
        gateway.history.bytes_max = self.history_bytes_max.get();
        gateway.heartbeat = self.heartbeat.0;
        gateway.unattached_idle_max = self.unattached_idle_max.0;
        gateway.session_ttl = self.session_ttl.0;
        config
    }
}

/// A line of a settings file, with who gave it.
impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} = {value}", self.name)?,
            None => write!(f, "# {} is not set", self.name)?,
        }
        let live = if self.changes == When::Live { ", live" } else { "" };
        write!(f, "  # {}{live}", self.source)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

fn defaults() -> ServerConfig {
    ServerConfig::default()
}

fn at_least_one(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}

fn few(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN)
}

fn is_websocket_url(url: &str) -> bool {
    let is_plain = |url: &url::Url| matches!(url.scheme(), "ws" | "wss") && url.has_host();
    url.len() <= 200 && url::Url::parse(url).as_ref().is_ok_and(is_plain)
}

/// Below that a pause of the machine would look like the end of a node.
const NODE_LEASE_MIN: std::time::Duration = std::time::Duration::from_secs(2);
const PREFIX: &str = "PARLOR_";
/// What nobody guesses within the limit on wrong guesses.
const SECRET_CHARS_MIN: usize = 16;
