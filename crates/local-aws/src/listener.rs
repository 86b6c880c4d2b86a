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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

/// After which time it is looked again whether a connection can make room, and after which an idle one can: the request of
/// a new one is on its way.
const ROOM_DELAY: Duration = Duration::from_millis(200);

/// After which time without a byte of its request's body a connection can make room.
const STANDSTILL: Duration = Duration::from_secs(2);

/// What a connection may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time until the head of a request has arrived; the longest a connection may be idle.
    pub head_timeout: Duration,
    /// Longest time without a byte, of a request's body or taken of an answer. In all a body may be waited for as long, and
    /// a second more for each KiB that has come.
    pub stall_timeout: Duration,
    /// Most connections at once. The longest idle one makes room for a new one; where none is idle, that whose request's
    /// body has stood still the longest, for two seconds at least.
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
    activity: Mutex<Activity>,
    /// It ends, once its requests are answered.
    closing: CancellationToken,
    /// It ends, whatever it does.
    given_up: CancellationToken,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Activity {
    requests: usize,
    /// Since when its client is waited for: for a request, or for more of one.
    waits_since: Option<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            activity: Mutex::new(Activity {
                requests: 0,
                waits_since: Some(Instant::now()),
            }),
            closing: CancellationToken::new(),
            given_up: CancellationToken::new(),
        }
    }
}

impl State {
    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that its client is waited for.
    fn waits(&self, since: Instant) {
        self.activity().waits_since = Some(since);
    }

    /// Notes that its client has sent what was waited for. Returns whether that is not too late.
    fn goes_on(&self) -> bool {
        let mut activity = self.activity();
        if activity.requests > 0 {
            activity.waits_since = None;
        }
        !self.given_up.is_cancelled()
    }

    fn has_request(&self) -> bool {
        self.activity().requests > 0
    }

    /// Returns what it does, if it can make room.
    fn spare(&self, now: Instant) -> Option<Activity> {
        let activity = *self.activity();
        let is_idle = activity.requests == 0;
        // It ends without anything more that anybody does.
        let is_going = self.given_up.is_cancelled() || (self.closing.is_cancelled() && is_idle);
        let waited = now.saturating_duration_since(activity.waits_since?);
        let least = if is_idle { ROOM_DELAY } else { STANDSTILL };
        (!is_going && waited >= least).then_some(activity)
    }

    /// Ends it if it still does what was seen of it; returns whether it does. Where more of a body comes at the same time,
    /// its reader gets an error, and no handler works on what is given up.
    fn end(&self, seen: Activity) -> bool {
        let activity = self.activity();
        let is_same = *activity == seen;
        match seen.requests {
            _ if !is_same => {}
            0 => self.closing.cancel(),
            _ => self.given_up.cancel(),
        }
        is_same
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

    /// Ends the connection that has waited longest for its client; one that waits for more of a request only where none is
    /// idle.
    fn free_longest_waiting(&self) {
        let (taken, now) = (self.locked(), Instant::now());
        let open = taken.1.values();
        let mut spare: Vec<_> = open
            .filter_map(|state| Some((state.spare(now)?, state)))
            .collect();
        spare.sort_by_key(|(seen, _)| (seen.requests > 0, seen.waits_since));
        // What has gone on meanwhile makes no room.
        let _ = spare.into_iter().any(|(seen, state)| state.end(seen));
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
        {
            let mut activity = state.activity();
            activity.requests += 1;
            activity.waits_since = None;
        }
        Self(state)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.requests -= 1;
        if activity.requests == 0 {
            activity.waits_since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
