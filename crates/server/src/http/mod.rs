//! What the server answers to an HTTP request.
//!
//! A [`Site`] is a table of addresses and the pages behind them. It owns routing, the pages'
//! headers and the shape of errors. Sockets are not its business: where `GET /ws` passes the
//! checks, it hands out an [`Opening`] and the listener does the rest.

mod answer;
mod metrics;
mod pages;

use std::{borrow::Cow, collections::HashMap, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CONNECTION, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        UPGRADE,
    },
};
use matchit::Router;
use parlor_protocol::{ErrorCode, ErrorDetail};
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::pages::Page;
use crate::{
    config::Origin,
    transport::{
        Endpoint,
        handshake::{Refusal, check},
    },
};

/// A response, always in one piece.
pub(crate) type Answer = Response<Full<Bytes>>;

/// What a server shows, and the endpoint behind its `/ws`.
#[derive(Debug)]
pub struct Site<E> {
    endpoint: E,
    routes: Router<Route>,
    /// Pages of the program's own, by path. They go before the built-in ones.
    pages: HashMap<String, Page>,
    metrics: Registry,
}

/// What has to be known to answer a request for a socket.
pub(crate) struct Door {
    pub(crate) allowed_origins: Vec<Origin>,
    /// One permit per WebSocket connection.
    pub(crate) places: Arc<Semaphore>,
}

/// A WebSocket that is being opened: its 101 is on its way.
pub(crate) struct Opening {
    pub(crate) upgrade: UpgradeFut,
    pub(crate) subprotocol: Option<&'static str>,
    pub(crate) place: OwnedSemaphorePermit,
}

#[derive(Clone, Copy, Debug)]
enum Route {
    Socket,
    Live,
    Metrics,
}

impl<E: Endpoint> Site<E> {
    /// The built-in pages in front of `endpoint`.
    pub fn new(endpoint: E) -> Self {
        let mut routes = Router::new();
        let paths =
            [("/ws", Route::Socket), ("/health/live", Route::Live), ("/metrics", Route::Metrics)];
        for (path, route) in paths {
            routes.insert(path, route).expect("these paths do not conflict");
        }
        Self { endpoint, routes, pages: HashMap::new(), metrics: Registry::default() }
    }

    /// Shows what is registered at `/metrics`.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Registry) -> Self {
        self.metrics = metrics;
        self
    }

    /// Shows `body` at `path`, in place of what was there.
    ///
    /// A page lives under the same strict content security policy as the built-in ones: scripts
    /// and styles are files of their own, served from here.
    #[must_use]
    pub fn with_page(
        mut self,
        path: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        self.pages.insert(path.into(), Page::new(Cow::Borrowed(content_type), body.into()));
        self
    }

    /// The session behind a socket that has just been opened.
    pub(crate) fn connect(
        &self,
        subprotocol: Option<&'static str>,
        peer: SocketAddr,
    ) -> E::Session {
        self.endpoint.connect(subprotocol, peer)
    }

    /// Answers `request`, and opens a socket if that is what it asked for.
    pub(crate) fn answer(
        &self,
        request: Request<Incoming>,
        door: &Door,
    ) -> (Answer, Option<Opening>) {
        let path = request.uri().path();
        let answer = match self.routes.at(path).map(|matched| *matched.value) {
            Ok(Route::Socket) => return open::<E>(request, door),
            Ok(Route::Live) => with_read_methods(&request, || {
                answer::json(StatusCode::OK, &serde_json::json!({ "status": "ok" }))
            }),
            Ok(Route::Metrics) => {
                with_read_methods(&request, || metrics::metrics(&self.metrics, request.headers()))
            }
            Err(_) => self.page(&request),
        };
        (answer, None)
    }

    /// The page at the request's path: the program's own, or a built-in one.
    fn page(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let built_in;
        let page = match self.pages.get(path) {
            Some(page) => page,
            None => match Page::built_in(path) {
                Some(page) => {
                    built_in = page;
                    &built_in
                }
                None => return answer::error(StatusCode::NOT_FOUND, NOT_FOUND, "no such page"),
            },
        };
        with_read_methods(request, || page.answer(request.headers()))
    }
}

fn with_read_methods<B>(request: &Request<B>, answer: impl FnOnce() -> Answer) -> Answer {
    match *request.method() {
        Method::GET | Method::HEAD => answer(),
        _ => wrong_method("GET, HEAD"),
    }
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer =
        answer::error(StatusCode::METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED, "not with this method");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

fn open<E: Endpoint>(mut request: Request<Incoming>, door: &Door) -> (Answer, Option<Opening>) {
    if request.method() != Method::GET {
        return (wrong_method("GET"), None);
    }
    let subprotocol = match check(&request, E::SUBPROTOCOLS, &door.allowed_origins) {
        Ok(subprotocol) => subprotocol,
        Err(refusal) => return (refused(refusal), None),
    };
    let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else {
        let detail = ErrorDetail::new(ErrorCode::SERVER_FULL, "the server is full");
        let mut answer = answer::detail(StatusCode::SERVICE_UNAVAILABLE, detail);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        return (answer, None);
    };
    match upgrade(&mut request) {
        Ok((response, upgrade)) => {
            let mut answer = response.map(|_| Full::default());
            if let Some(subprotocol) = subprotocol {
                let value = HeaderValue::from_static(subprotocol);
                answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
            }
            (answer, Some(Opening { upgrade, subprotocol, place }))
        }
        // What it checks has been checked.
        Err(_) => (refused(Refusal::Key), None),
    }
}

fn refused(refusal: Refusal) -> Answer {
    let status = refusal.status();
    let code = match refusal {
        Refusal::Origin => ErrorCode::FORBIDDEN,
        Refusal::HttpVersion
        | Refusal::NotAnUpgrade
        | Refusal::WebSocketVersion
        | Refusal::Key
        | Refusal::Subprotocol => ErrorCode::BAD_REQUEST,
    };
    let mut answer = answer::detail(status, ErrorDetail::new(code, refusal.to_string()));
    if status == StatusCode::UPGRADE_REQUIRED {
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    answer
}

const NOT_FOUND: ErrorCode = ErrorCode::new("NOT_FOUND");
const METHOD_NOT_ALLOWED: ErrorCode = ErrorCode::new("METHOD_NOT_ALLOWED");
/// When a client that found the server full may try again.
const RETRY_AFTER_SECONDS: &str = "5";
