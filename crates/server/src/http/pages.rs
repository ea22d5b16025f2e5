//! Pages: what browsers are shown, and under which rules.
//!
//! The built-in ones are embedded in release builds and read from disk in debug builds, so that
//! they can be edited while the server runs.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, HeaderMap, HeaderValue,
        IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::Answer;
use crate::config::{NodeOrigin, is_host_byte};

/// One file, ready to be sent.
#[derive(Debug)]
pub(super) struct Page {
    content_type: Cow<'static, str>,
    body: Bytes,
    /// Quoted, as the header wants it.
    etag: String,
}

#[derive(RustEmbed)]
#[folder = "src/web/"]
struct BuiltIn;

impl Page {
    pub(super) fn new(content_type: Cow<'static, str>, body: Bytes) -> Self {
        let hash = Sha256::digest(&body);
        Self { content_type, etag: etag(&hash), body }
    }

    /// The built-in page at `path`, where `/play/farkle` stands for `/play/farkle.html`.
    pub(super) fn built_in(path: &str) -> Option<Self> {
        let path = match path.strip_prefix('/')? {
            "" => "index",
            path => path,
        };
        Self::embedded(path).or_else(|| Self::embedded(&format!("{path}.html")))
    }

    fn embedded(file_path: &str) -> Option<Self> {
        let file = BuiltIn::get(file_path)?;
        let mime = mime_guess::from_path(file_path).first_or_octet_stream();
        let charset = if mime.type_() == mime_guess::mime::TEXT { "; charset=utf-8" } else { "" };
        let body = match file.data {
            Cow::Borrowed(embedded) => Bytes::from_static(embedded),
            Cow::Owned(read) => Bytes::from(read),
        };
        Some(Self {
            content_type: Cow::Owned(format!("{mime}{charset}")),
            etag: etag(&file.metadata.sha256_hash()),
            body,
        })
    }

    pub(super) fn is_html(&self) -> bool {
        self.content_type.starts_with("text/html")
    }

    /// The page, or 304 if the client has it.
    pub(super) fn answer(&self, request: &HeaderMap, other_nodes: &[NodeOrigin]) -> Answer {
        let mut answer = if self.is_known_to(request) {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            Response::new(self.body.clone().into())
        };
        let headers = answer.headers_mut();
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(CONTENT_TYPE, &self.content_type);
        set(ETAG, &self.etag);
        // Asked for again each time, and mostly answered with 304: a new version of the server
        // never meets half a page of the old one.
        set(CACHE_CONTROL, "no-cache");
        set(CONTENT_SECURITY_POLICY, &content_security_policy(request, other_nodes));
        set(REFERRER_POLICY, "no-referrer");
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
        answer
    }

    fn is_known_to(&self, request: &HeaderMap) -> bool {
        request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim())
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}

/// Everything from here, nothing inline, nobody's frame; sockets also to nodes that are known.
fn content_security_policy(request: &HeaderMap, other_nodes: &[NodeOrigin]) -> String {
    let mut policy = String::from(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'",
    );
    // Not every browser lets 'self' stand for the same host over ws. What a client calls our host
    // goes into its own policy only, and only if it can be nothing but a host.
    let host = request.get(HOST).and_then(|host| host.to_str().ok());
    if let Some(host) = host.filter(|host| !host.is_empty() && host.bytes().all(is_host_byte)) {
        policy.push_str(&format!(" ws://{host} wss://{host}"));
    }
    for node in other_nodes {
        policy.push_str(&format!(" {node}"));
    }
    policy
}

fn etag(hash: &[u8]) -> String {
    let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}
