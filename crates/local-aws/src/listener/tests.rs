use axum::routing::{get, post};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::*;

const HALF: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n";
const HALF_BODY: &str = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc";

struct Service {
    address: SocketAddr,
    stopping: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn start(limits: Limits) -> Service {
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/", post(|body: Bytes| async move { body }));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let stopping = CancellationToken::new();
    let task = tokio::spawn(serve(listener, router, limits, stopping.clone()));
    Service {
        address,
        stopping,
        task,
    }
}

impl Service {
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(text.as_bytes()).await.expect("sent");
        stream
    }

    async fn get(&self) -> String {
        let request = format!("{HALF}connection: close\r\n\r\n");
        read(self.send(&request).await).await
    }
}

/// Reads until the service closes the connection.
async fn read(mut stream: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    // A connection that is reset is closed as well.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn idle_and_half_sent_requests_are_closed() {
    let short = Limits {
        head_timeout: Duration::from_millis(50),
        stall_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let service = start(short).await;

    let idle = read(service.send("").await).await;
    let half_head = read(service.send(HALF).await).await;
    let stalled = read(service.send(HALF_BODY).await).await;
    let kept = read(service.send(&format!("{HALF}\r\n")).await).await;

    assert_eq!(idle, "");
    assert!(!half_head.contains("200 OK"), "{half_head}");
    assert!(!stalled.contains("200 OK"), "{stalled}");
    assert!(kept.ends_with("here"), "{kept}");
}

#[tokio::test]
async fn however_many_connections_are_idle_a_new_one_is_served() {
    let few = Limits {
        connections: 16,
        ..Limits::default()
    };
    let service = start(few).await;
    let mut idle = Vec::new();
    for number in 0..100 {
        idle.push(service.send(if number % 2 == 0 { "" } else { HALF }).await);
    }

    let answer = service.get().await;

    assert!(answer.ends_with("here"), "{answer}");
    let first = idle.swap_remove(0);
    assert_eq!(read(first).await, "");
}

#[tokio::test]
async fn however_many_bodies_are_half_sent_a_new_request_is_served() {
    let few_and_patient = Limits {
        connections: 16,
        stall_timeout: Duration::from_secs(3_600),
        ..Limits::default()
    };
    let service = start(few_and_patient).await;
    let mut half_sent = Vec::new();
    for _ in 0..40 {
        half_sent.push(service.send(HALF_BODY).await);
    }

    let answer = timeout(Duration::from_secs(120), service.get()).await;
    let first = timeout(Duration::from_secs(120), read(half_sent.swap_remove(0))).await;

    let answer = answer.expect("it does not wait for the bodies");
    assert!(answer.ends_with("here"), "{answer}");
    assert_eq!(first.as_deref(), Ok(""), "it has made room");
}

/// Returns whether a connection is to close, and whether it is given up.
fn ends(place: &PlaceTaken) -> (bool, bool) {
    let state = &place.state;
    (state.closing.is_cancelled(), state.given_up.is_cancelled())
}

#[tokio::test(start_paused = true)]
async fn idle_connections_make_room_first_then_bodies_that_stand_still_and_handlers_never() {
    let places = Arc::new(Places::default());
    let [stalled, handled, idle] = [(); 3].map(|()| places.try_take(3).expect("a place"));
    let _requests = [&stalled, &handled].map(|place| Busy::new(place.state.clone()));
    stalled.state.waits(Instant::now());
    let ended = || [&stalled, &handled, &idle].map(ends);

    places.free_longest_waiting();
    let new = ended();
    tokio::time::sleep(Duration::from_millis(500)).await;
    places.free_longest_waiting();
    places.free_longest_waiting();
    let soon = ended();
    tokio::time::sleep(Duration::from_secs(2)).await;
    places.free_longest_waiting();
    places.free_longest_waiting();
    let late = ended();

    let (stays, closes, is_given_up) = ((false, false), (true, false), (false, true));
    assert_eq!(new, [stays, stays, stays]);
    assert_eq!(soon, [stays, stays, closes], "half a second is no standstill");
    assert_eq!(late, [is_given_up, stays, closes]);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_goes_on_is_not_given_up_and_one_that_is_given_up_does_not_go_on() {
    let state = State::default();
    state.activity().requests = 1;
    tokio::time::sleep(STANDSTILL).await;
    let seen = state.spare(Instant::now()).expect("it stands still");

    let is_in_time = state.goes_on();
    let is_ended_late = state.end(seen);
    state.waits(Instant::now());
    tokio::time::sleep(STANDSTILL).await;
    let seen = state.spare(Instant::now()).expect("it stands still again");
    let is_ended = state.end(seen);

    assert!(is_in_time && !is_ended_late);
    assert!(is_ended && !state.goes_on());
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_not_waited_for_without_end() {
    let short = Limits {
        stall_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let service = start(short).await;
    let head = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000\r\n\r\n";
    let (reader, mut writer) = service.send(head).await.into_split();

    let sent = tokio::spawn(async move {
        for number in 0..2_000 {
            if writer.write_all(b"x").await.is_err() {
                return number;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        2_000
    });
    let answer = read(reader).await;

    assert!(!answer.contains("200 OK"), "{answer}");
    assert!(sent.await.expect("it sends") < 2_000);
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_a_second_for_each_kib_and_the_time_of_its_reader_is_its_own() {
    let state = Arc::new(State::default());
    let _busy = Busy::new(state.clone());
    let mut waiting = waiting::Waiting::new(Duration::from_secs(10), state.clone());
    let ended = std::future::poll_fn(|context| waiting.poll(context));
    let none = timeout(Duration::from_secs(6), ended).await;
    let waits = state.activity().waits_since.is_some();

    waiting.ends(2_048);
    let reads = state.activity().waits_since.is_none();
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    let begin = Instant::now();
    std::future::poll_fn(|context| waiting.poll(context)).await;

    assert!(none.is_err() && waits && reads);
    let waited = begin.elapsed().as_millis();
    assert!(
        (5_900..6_100).contains(&waited),
        "of ten seconds and two, six were over: {waited}"
    );
}

#[tokio::test]
async fn a_stop_waits_for_requests_and_not_for_connections() {
    let service = start(Limits::default()).await;
    let _idle = service.send(HALF).await;
    let mut busy = service
        .send("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n")
        .await;
    let mut go_on = [0; 25];
    busy.read_exact(&mut go_on).await.expect("100 Continue");

    service.stopping.cancel();
    busy.write_all(b"end").await.expect("sent");
    let answer = read(busy).await;

    assert!(answer.ends_with("end"), "{answer}");
    service.task.await.expect("it ends");
}
