//! One HTTP request at a time, written out and read to the end.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::seat::WAIT_MAX;

/// What a server answers to `GET`, where nothing else may run meanwhile; empty when it answers nothing.
pub(crate) fn get_blocking(address: SocketAddr, path: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut answer = String::new();
    let asked = std::net::TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(WAIT_MAX))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    if asked.is_err() {
        answer.clear();
    }
    answer
}

/// A request to be.
#[derive(Clone, Debug)]
pub struct Ask {
    head: String,
    body: Vec<u8>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// What followed.
    pub body: String,
}

impl Ask {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: play.example\r\nConnection: close\r\n");
        Self { head, body: Vec::new() }
    }

    /// `GET`.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// `POST` of JSON.
    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path)
            .with("Content-Type", "application/json")
            .body(body.to_string().into_bytes())
    }

    /// One more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// A body, with its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.with("Content-Length", &length)
    }

    /// Asks a server over a connection of its own.
    ///
    /// # Panics
    ///
    /// When nothing is answered in time.
    pub async fn of(self, address: SocketAddr) -> Answered {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        self.over(stream).await
    }

    /// Asks over this connection, which is used up.
    ///
    /// # Panics
    ///
    /// When nothing is answered in time.
    pub async fn over(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Answered {
        let request = [self.head.as_bytes(), b"\r\n", &self.body].concat();
        // The server may have refused before it has all.
        let _ = stream.write_all(&request).await;
        let mut answer = Vec::new();
        let read = timeout(WAIT_MAX, stream.read_to_end(&mut answer)).await;
        // A connection that is cut after the answer has answered all the same.
        let _cut = read.expect("the server answers in time");
        let answer = String::from_utf8(answer).expect("the answer is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("the answer has a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answered {
            status: status.expect("the answer has a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl Answered {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON; null when there is none.
    ///
    /// # Panics
    ///
    /// When it is something else.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// The code of the error in it.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}
