//! The listener of the one port: connections that are idle, half sent or stalled end by themselves, and however many
//! there are, a new one is served.

mod stream;
mod waiting;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use stream::{Held, Timed, Unstalled};
use waiting::Waiting;

/// How long to wait before the next connection when the system has no room for one.
const NO_ROOM_DELAY: Duration = Duration::from_millis(50);

/// After which time it is looked again whether a connection can make room.
const ROOM_DELAY: Duration = Duration::from_millis(200);

/// What a connection may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time until the head of a request has arrived; the longest a connection may be idle.
    pub head_timeout: Duration,
    /// Longest time without a byte, of a request's body or taken of an answer. In all a body may be waited for as long, and
    /// a second more for each KiB that has come.
    pub stall_timeout: Duration,
    /// Most connections at once. That which has waited longest for its client makes room for a new one: for a request, or for
    /// the rest of one.
    pub connections: usize,
}

impl Default for Limits {
    /// As S3 has them; and half of the files that most systems let a process have open.
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_secs(60),
            connections: 512,
        }
    }
}

/// Serves a router until `stopping`, and then until the requests that have begun are answered. Dropping the future
/// closes all connections.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stopping: CancellationToken) {
    let places = Arc::new(Places::default());
    let mut connections = JoinSet::new();
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                after_error(&error, &places).await;
                continue;
            }
        };
        let place = places.clone().take(limits.connections, &stopping);
        let Some(place) = place.await else { break };
        let router = router.clone();
        let stopping = stopping.clone();
        connections.spawn(connection((stream, peer), router, limits, place, stopping));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// A connection that broke before it was taken is nobody's loss; without files left, one of ours has to go.
async fn after_error(error: &io::Error, places: &Places) {
    let is_of_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !is_of_connection {
        tracing::error!(%error, "a connection cannot be taken");
        places.free_longest_waiting();
        tokio::time::sleep(NO_ROOM_DELAY).await;
    }
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    limits: Limits,
    place: PlaceTaken,
    stopping: CancellationToken,
) {
    let state = place.state.clone();
    let requests = state.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let busy = Busy::new(requests.clone());
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request, peer, limits, busy).await) }
    });
    let stream = TokioIo::new(Unstalled::new(stream, limits.stall_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = state.closing.cancelled() => None,
        () = state.given_up.cancelled() => None,
        () = stopping.cancelled() => None,
    };
    if ended.is_none() && state.has_request() {
        connection.as_mut().graceful_shutdown();
        // Its client learns how it ended by the answer, unless it does not send what is to be answered.
        let _ = state.given_up.run_until_cancelled(connection).await;
    }
}

async fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    limits: Limits,
    busy: Busy,
) -> hyper::Response<Held> {
    let mut request = request.map(|body| {
        Body::new(Timed {
            body,
            waiting: Waiting::new(limits.stall_timeout, busy.0.clone()),
        })
    });
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.oneshot(request).await;
    let response = response.unwrap_or_else(|never| match never {});
    response.map(|body| Held { body, _busy: busy })
}

/// The connections there are, the oldest first.
#[derive(Debug, Default)]
struct Places {
    taken: Mutex<(u64, BTreeMap<u64, Arc<State>>)>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    requests: AtomicUsize,
    /// Since when its client is waited for: for a request, or for more of one.
    waits_since: Mutex<Option<Instant>>,
    /// It ends, once its requests are answered.
    closing: CancellationToken,
    /// It ends, whatever it does.
    given_up: CancellationToken,
}

impl Default for State {
    fn default() -> Self {
        Self {
            requests: AtomicUsize::default(),
            waits_since: Mutex::new(Some(Instant::now())),
            closing: CancellationToken::new(),
            given_up: CancellationToken::new(),
        }
    }
}

impl State {
    fn waits_since(&self) -> Option<Instant> {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_waits_since(&self, since: Option<Instant>) {
        *self.waits_since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Notes that its client has sent what was waited for.
    fn goes_on(&self) {
        if self.has_request() {
            self.set_waits_since(None);
        }
    }

    fn has_request(&self) -> bool {
        self.requests.load(Ordering::SeqCst) > 0
    }

    /// Returns whether it ends without anything more that anybody does.
    fn is_going(&self) -> bool {
        self.given_up.is_cancelled() || (self.closing.is_cancelled() && !self.has_request())
    }
}

/// The place of one connection; it is free again when this is dropped.
struct PlaceTaken {
    id: u64,
    state: Arc<State>,
    places: Arc<Places>,
}

impl Places {
    /// Waits for a place; `None` if the service stops.
    async fn take(self: Arc<Self>, most: usize, stopping: &CancellationToken) -> Option<PlaceTaken> {
        loop {
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = self.try_take(most) {
                return Some(place);
            }
            self.free_longest_waiting();
            // A body may have come to a stand meanwhile.
            let freed = timeout(ROOM_DELAY, freed);
            let _ = stopping.run_until_cancelled(freed).await?;
        }
    }

    fn try_take(self: &Arc<Self>, most: usize) -> Option<PlaceTaken> {
        let mut taken = self.locked();
        if taken.1.len() >= most {
            return None;
        }
        taken.0 += 1;
        let id = taken.0;
        let state = Arc::new(State::default());
        taken.1.insert(id, state.clone());
        Some(PlaceTaken {
            id,
            state,
            places: self.clone(),
        })
    }

    /// Ends the connection that has waited longest for its client.
    fn free_longest_waiting(&self) {
        let taken = self.locked();
        let open = taken.1.values().filter(|state| !state.is_going());
        let waiting = open.filter_map(|state| Some((state.waits_since()?, state)));
        let Some((_, state)) = waiting.min_by_key(|(since, _)| *since) else {
            return;
        };
        match state.has_request() {
            true => state.given_up.cancel(),
            false => state.closing.cancel(),
        }
    }

    fn locked(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Arc<State>>)> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PlaceTaken {
    fn drop(&mut self) {
        self.places.locked().1.remove(&self.id);
        self.places.freed.notify_one();
    }
}

/// Counts a request of a connection until its answer has been handed over.
struct Busy(Arc<State>);

impl Busy {
    fn new(state: Arc<State>) -> Self {
        state.requests.fetch_add(1, Ordering::SeqCst);
        state.set_waits_since(None);
        Self(state)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
        self.0.set_waits_since(Some(Instant::now()));
    }
}

#[cfg(test)]
mod tests;
