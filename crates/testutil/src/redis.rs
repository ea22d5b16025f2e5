//! Redis as a process of the test's own, on a free port, with nothing kept on disk: one server, a cluster, Sentinels.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// A running server. Ends when dropped.
#[derive(Debug)]
pub struct RedisServer {
    process: Child,
    /// Where it listens, at 127.0.0.1.
    pub port: u16,
    /// Where it speaks TLS, if it does.
    pub tls_port: Option<u16>,
    arguments: Vec<String>,
    /// Where it would write, if it wrote anything.
    _directory: TempDir,
}

impl RedisServer {
    /// Starts one with further arguments, and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub async fn start(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        Self::start_with(arguments.collect(), None).await
    }

    /// Starts one that speaks TLS besides.
    ///
    /// # Panics
    ///
    /// When it does not listen.
    pub async fn start_tls(arguments: &[&str], certificate: &Certificate) -> Self {
        let port = free_port();
        let mut all: Vec<String> = certificate.settings(port).map(dashed).into();
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        Self::start_with(
            all.iter().flat_map(|text| text.split(' ')).map(str::to_owned).collect(),
            Some(port),
        )
        .await
    }

    async fn start_with(arguments: Vec<String>, tls_port: Option<u16>) -> Self {
        let directory = TempDir::new().expect("a directory can be made");
        let port = free_port();
        let mut all: Vec<String> = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        all.extend(["--port".to_owned(), port.to_string(), "--dir".to_owned()]);
        all.push(directory.path().to_str().expect("its name is text").to_owned());
        all.extend(arguments);
        let process = spawn(&all);
        let server = Self { process, port, tls_port, arguments: all, _directory: directory };
        server.until_it_listens().await;
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it, as a power failure would: nothing it held is left.
    pub fn kill(&mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it can be waited for");
    }

    /// Starts it again, empty, at the same address.
    pub async fn start_again(&mut self) {
        self.process = spawn(&self.arguments);
        self.until_it_listens().await;
    }

    /// Stops it from doing anything, or lets it go on.
    pub fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal can be sent");
    }

    /// What a command answers, as `redis-cli` prints it.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let port = self.port.to_string();
        let output = Command::new("redis-cli")
            .args(["-p", &port])
            .args(arguments)
            .output()
            .expect("redis-cli is there");
        String::from_utf8(output.stdout).expect("it answers in text").trim().to_owned()
    }

    async fn until_it_listens(&self) {
        let listens = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), listens).await.expect("redis-server starts");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A Sentinel that watches `master` under the name `parlor`, and puts a replica in its place soon after it is gone.
pub async fn sentinel(master: &RedisServer) -> RedisServer {
    sentinel_with(master.port, None, "").await
}

/// The same over TLS.
pub async fn sentinel_tls(master: &RedisServer, certificate: &Certificate) -> RedisServer {
    let port = free_port();
    let settings = certificate.settings(port).join("\n") + "\ntls-replication yes";
    let master = master.tls_port.expect("the master speaks TLS");
    sentinel_with(master, Some(port), &settings).await
}

async fn sentinel_with(master: u16, tls_port: Option<u16>, settings: &str) -> RedisServer {
    let directory = TempDir::new().expect("a directory can be made");
    let (port, file) = (free_port(), directory.path().join("sentinel.conf"));
    let watches = format!(
        "port {port}\nbind 127.0.0.1\n{settings}\nsentinel monitor parlor 127.0.0.1 {master} 1\n\
         sentinel down-after-milliseconds parlor 300\nsentinel failover-timeout parlor 3000\n"
    );
    std::fs::write(&file, watches).expect("a file can be written");
    let arguments =
        vec![file.to_str().expect("its name is text").to_owned(), "--sentinel".to_owned()];
    let process = spawn(&arguments);
    let sentinel = RedisServer { process, port, tls_port, arguments, _directory: directory };
    sentinel.until_it_listens().await;
    sentinel
}

/// Three masters that are a cluster.
pub async fn cluster() -> Vec<RedisServer> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(RedisServer::start(&cluster_settings(&free_port().to_string())).await);
    }
    let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
    until_they_are_a_cluster(&nodes, &ports, &[]).await;
    nodes
}

/// The same over TLS, also among them.
pub async fn cluster_tls(certificate: &Certificate) -> Vec<RedisServer> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let bus = free_port().to_string();
        let settings = [&cluster_settings(&bus)[..], &["--tls-cluster", "yes"]].concat();
        nodes.push(RedisServer::start_tls(&settings, certificate).await);
    }
    let ports: Vec<u16> = nodes.iter().filter_map(|node| node.tls_port).collect();
    until_they_are_a_cluster(&nodes, &ports, &["--tls", "--cacert", &certificate.file("pem")])
        .await;
    nodes
}

/// The bus of a cluster has a port of its own, by default too high for ports that the system gives out.
fn cluster_settings(bus: &str) -> [&str; 4] {
    ["--cluster-enabled", "yes", "--cluster-port", bus]
}

async fn until_they_are_a_cluster(nodes: &[RedisServer], ports: &[u16], settings: &[&str]) {
    let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let made = Command::new("redis-cli")
        .args(settings)
        .args(["--cluster", "create"])
        .args(&addresses)
        .arg("--cluster-yes")
        .output()
        .expect("redis-cli is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let agreed = async {
        while !nodes.iter().all(|node| node.ask(&["cluster", "info"]).contains("cluster_state:ok"))
        {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), agreed).await.expect("the nodes agree");
}

/// A certificate for 127.0.0.1 that only itself vouches for. Its files are gone when it is dropped.
#[derive(Debug)]
pub struct Certificate {
    directory: TempDir,
    /// Itself, as text.
    pub pem: String,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Panics
    ///
    /// When no files can be written.
    pub fn make() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
        let made = made.expect("its name is an address");
        let directory = TempDir::new().expect("a directory can be made");
        let certificate = Self { directory, pem: made.cert.pem() };
        for (kind, text) in [("pem", &certificate.pem), ("key", &made.signing_key.serialize_pem())]
        {
            std::fs::write(certificate.file(kind), text).expect("a file can be written");
        }
        certificate
    }

    fn file(&self, kind: &str) -> String {
        let file = self.directory.path().join("redis").with_extension(kind);
        file.to_str().expect("its name is text").to_owned()
    }

    /// As a file of settings has them.
    fn settings(&self, port: u16) -> [String; 5] {
        let (certificate, key) = (self.file("pem"), self.file("key"));
        [
            format!("tls-port {port}"),
            format!("tls-cert-file {certificate}"),
            format!("tls-key-file {key}"),
            format!("tls-ca-cert-file {certificate}"),
            "tls-auth-clients no".to_owned(),
        ]
    }
}

fn dashed(setting: String) -> String {
    format!("--{setting}")
}

fn spawn(arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server starts (Debian's package has its name)")
}

/// A port that nobody has now.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("some port is free");
    listener.local_addr().expect("it has an address").port()
}
