//! What the server answers to an HTTP request.
//!
//! A [`Site`] is a table of addresses and the pages behind them. It owns routing, the pages'
//! headers and the shape of errors. Sockets are not its business: where `GET /ws` passes the
//! checks, it hands out an [`Opening`] and the listener does the rest.

mod admin;
mod answer;
mod api;
mod body;
mod cors;
mod health;
mod metrics;
mod openapi;
mod pages;

use std::{borrow::Cow, collections::HashMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CONNECTION, HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use matchit::Router;
use parlor_gateway::{AddressCounts, Caller, Identity};
use parlor_protocol::{ErrorCode, ErrorDetail};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use self::{admin::Samples, api::Api};
use self::{
    admin::{AdminRoute, Asking},
    pages::Page,
};
use crate::{
    live::Live,
    transport::{
        Endpoint,
        handshake::{Refusal, access_token, check},
    },
    visitor::Visitor,
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
    faces: Vec<Face>,
    api: Option<Api>,
}

/// Whom an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// Players: the socket, the pages, the API.
    Players,
    /// Operators: health and figures.
    Operators,
}

/// What has to be known to answer a request for a socket.
pub(crate) struct Door {
    /// One permit per WebSocket connection.
    pub(crate) places: Arc<Semaphore>,
    /// How many each address has.
    pub(crate) of_addresses: Arc<AddressCounts>,
}

/// A WebSocket that is being opened: its 101 is on its way.
pub(crate) struct Opening {
    pub(crate) upgrade: UpgradeFut,
    pub(crate) subprotocol: Option<&'static str>,
    pub(crate) place: OwnedSemaphorePermit,
    pub(crate) caller: Caller,
    /// Where the client is.
    pub(crate) client: IpAddr,
}

#[derive(Clone, Copy, Debug)]
enum Route {
    Socket,
    Rooms,
    Room,
    Read(Read),
    Admin(AdminRoute),
}

/// What can only be read.
#[derive(Clone, Copy, Debug)]
enum Read {
    Games,
    OpenApi,
    Health,
    Live,
    Ready,
    Metrics,
}

impl Route {
    const PLAYERS: [(&str, Self); 5] = [
        ("/ws", Self::Socket),
        ("/api/v1/games", Self::Read(Read::Games)),
        ("/api/v1/rooms", Self::Rooms),
        ("/api/v1/rooms/{room}", Self::Room),
        ("/api/v1/openapi.json", Self::Read(Read::OpenApi)),
    ];
    const OPERATORS: [(&str, Self); 4] = [
        ("/health", Self::Read(Read::Health)),
        ("/health/live", Self::Read(Read::Live)),
        ("/health/ready", Self::Read(Read::Ready)),
        ("/metrics", Self::Read(Read::Metrics)),
    ];
}

impl<E: Endpoint> Site<E> {
    /// The built-in pages in front of `endpoint`.
    pub fn new(endpoint: E) -> Self {
        Self::facing(endpoint, &[Face::Players, Face::Operators])
    }

    /// The addresses for these people only.
    pub(crate) fn facing(endpoint: E, faces: &[Face]) -> Self {
        let mut routes = Router::new();
        for face in faces {
            let paths: &[_] = match face {
                Face::Players => &Route::PLAYERS,
                Face::Operators => &Route::OPERATORS,
            };
            for (path, route) in paths {
                routes.insert(*path, *route).expect("these paths do not conflict");
            }
            if *face == Face::Operators {
                for (path, route) in AdminRoute::ALL {
                    routes.insert(path, Route::Admin(route)).expect("nor do these");
                }
            }
        }
        Self { endpoint, routes, pages: HashMap::new(), faces: faces.to_vec(), api: None }
    }

    /// Answers under `/api`, `/admin`, `/health` and `/metrics`.
    pub(crate) fn with_api(mut self, api: Api) -> Self {
        self.api = Some(api);
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
    pub(crate) fn connect(&self, subprotocol: Option<&'static str>, caller: Caller) -> E::Session {
        self.endpoint.connect(subprotocol, caller)
    }

    /// Answers `request`, and opens a socket if that is what it asked for.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        visitor: &Visitor,
        live: &Live,
        door: &Door,
    ) -> (Answer, Option<Opening>) {
        let path = request.uri().path().to_owned();
        let matched = self.routes.at(&path);
        let route = matched.as_ref().ok().map(|matched| *matched.value);
        let origin = cors::origin(request.headers(), live);
        let answer = match (route, &self.api) {
            (Some(Route::Socket), _) => return self.open(request, visitor, live, door).await,
            (Some(_), Some(_)) if cors::is_preflight(&request, &path) => cors::preflight(),
            (Some(Route::Rooms), Some(api)) => api.rooms(request, visitor).await,
            (Some(Route::Room), Some(api)) => {
                let code = matched.as_ref().ok().and_then(|matched| matched.params.get("room"));
                let (method, headers) = (request.method().clone(), request.headers().clone());
                api.room(&method, &headers, code.unwrap_or_default(), live, visitor).await
            }
            (Some(Route::Admin(route)), Some(api)) => {
                let params = matched.as_ref().ok().map(|matched| &matched.params);
                let name = params
                    .and_then(|params| params.get("room").or_else(|| params.get("connection")));
                let asking = Asking { visitor, live, name: name.unwrap_or_default() };
                api.admin(route, request, asking).await
            }
            (Some(Route::Read(read)), Some(api)) => self.read(read, &request, api).await,
            (Some(_), None) | (None, _) => self.page(&request, live),
        };
        (cors::allow(answer, &path, origin), None)
    }

    async fn open(
        &self,
        mut request: Request<Incoming>,
        visitor: &Visitor,
        live: &Live,
        door: &Door,
    ) -> (Answer, Option<Opening>) {
        if request.method() != Method::GET {
            return (wrong_method("GET"), None);
        }
        let subprotocol = match check(&request, E::SUBPROTOCOLS, &live.allowed_origins) {
            Ok(subprotocol) => subprotocol,
            Err(refusal) => return (refused(refusal), None),
        };
        let identity = match self.identify(request.headers(), visitor).await {
            Ok(identity) => identity,
            Err(error) => return (api::unauthorized(error), None),
        };
        let Some(of_address) = door.of_addresses.enter(visitor.key) else {
            self.note_limited("connections_per_address");
            return (answer::refusal(too_many_connections()), None);
        };
        let Ok(place) = Arc::clone(&door.places).try_acquire_owned() else {
            self.note_limited("connections");
            let error = ErrorDetail::new(ErrorCode::SERVER_FULL, "the server is full");
            return (answer::refusal(error), None);
        };
        match upgrade(&mut request) {
            Ok((response, upgrade)) => {
                let mut answer = response.map(|_| Full::default());
                if let Some(subprotocol) = subprotocol {
                    let value = HeaderValue::from_static(subprotocol);
                    answer.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, value);
                }
                let caller = Caller { place: Some(of_address), identity };
                (
                    answer,
                    Some(Opening { upgrade, subprotocol, place, caller, client: visitor.address }),
                )
            }
            // What it checks has been checked.
            Err(_) => (refused(Refusal::Key), None),
        }
    }

    /// Who asks, as far as an access token says so.
    async fn identify(
        &self,
        headers: &HeaderMap,
        visitor: &Visitor,
    ) -> Result<Option<Arc<Identity>>, ErrorDetail> {
        let Some(api) = self.api.as_ref().filter(|api| api.gateway.takes_access_tokens()) else {
            return Ok(None);
        };
        match access_token(headers) {
            Some(token) => api.gateway.authenticate(&token, visitor.key).await.map(Some),
            None => Ok(None),
        }
    }

    /// Counts that someone was kept from going beyond a limit.
    pub(crate) fn note_limited(&self, limit: &'static str) {
        if let Some(api) = &self.api {
            api.gateway.note_limited(limit);
        }
    }

    async fn read(&self, what: Read, request: &Request<Incoming>, api: &Api) -> Answer {
        if !is_read(request.method()) {
            return wrong_method(READ_METHODS);
        }
        match what {
            Read::Games => api.games(),
            Read::OpenApi => openapi::answer(),
            Read::Health => health::health(&api.gateway).await,
            Read::Live => health::live(&api.gateway).await,
            Read::Ready => health::ready(&api.gateway).await,
            Read::Metrics => metrics::metrics(&api.metrics, request.headers()),
        }
    }

    /// The page at the request's path: the program's own, or a built-in one.
    fn page(&self, request: &Request<Incoming>, live: &Live) -> Answer {
        let path = request.uri().path();
        let built_in;
        let page = match self.pages.get(path) {
            Some(page) => Some(page),
            None => {
                built_in = Page::built_in(path).filter(|page| self.shows(path, page, live));
                built_in.as_ref()
            }
        };
        match page {
            None => answer::error(StatusCode::NOT_FOUND, NOT_FOUND, "nothing is at this address"),
            Some(page) if is_read(request.method()) => {
                page.answer(request.headers(), &live.other_nodes)
            }
            Some(_) => wrong_method(READ_METHODS),
        }
    }

    /// Whether a built-in page is for those who ask here. Operators need no more than their own, and the
    /// scripts and styles that it shares with the players'.
    fn shows(&self, path: &str, page: &Page, live: &Live) -> bool {
        let is_for_operators = path.starts_with("/admin");
        let operators = self.faces.contains(&Face::Operators) && live.has_admin();
        if is_for_operators {
            return operators;
        }
        self.faces.contains(&Face::Players) || (operators && !page.is_html())
    }
}

fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn wrong_method(allowed: &'static str) -> Answer {
    let mut answer =
        answer::error(StatusCode::METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED, "not with this method");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
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

fn too_many_connections() -> ErrorDetail {
    let wait_ms = 5000;
    let mut error = ErrorDetail::rate_limited(wait_ms);
    error.message = "this address has as many connections as it may".into();
    error
}

const NOT_FOUND: ErrorCode = ErrorCode::new("NOT_FOUND");
const METHOD_NOT_ALLOWED: ErrorCode = ErrorCode::new("METHOD_NOT_ALLOWED");
const READ_METHODS: &str = "GET, HEAD";
