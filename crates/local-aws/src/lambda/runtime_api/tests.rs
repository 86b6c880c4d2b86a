use http::Request;
use tower::ServiceExt;

use super::*;

async fn call(shared: &Arc<Shared>, request: http::request::Builder, body: &str) -> Response {
    let body = Body::from(body.to_owned());
    let request = request.body(body).expect("the request is well formed");
    let response = router(shared.clone()).oneshot(request).await;
    response.unwrap_or_else(|never| match never {})
}

fn path(rest: &str) -> String {
    format!("/2018-06-01/runtime/{rest}")
}

/// Lets the process take an event with the request id `id`; returns what `next` answered.
async fn take_event(
    shared: &Arc<Shared>,
    deliveries: &mpsc::Sender<Delivery>,
) -> (Response, oneshot::Receiver<Reply>) {
    let (reply, answer) = oneshot::channel();
    let delivery = Delivery {
        request_id: "id".to_owned(),
        deadline_ms: 1,
        payload: Bytes::from_static(b"{}"),
        reply,
    };
    deliveries.send(delivery).await.expect("the API is open");
    let next = call(shared, Request::get(path("invocation/next")), "").await;
    (next, answer)
}

#[tokio::test]
async fn an_answer_counts_once_and_only_for_the_event_in_progress() {
    let (shared, _, deliveries) = Shared::new("arn");
    let (next, answer) = take_event(&shared, &deliveries).await;
    let post = |id: &str| Request::post(path(&format!("invocation/{id}/response")));

    let other = call(&shared, post("other"), "1").await;
    let stale = post("id").header("lambda-runtime-invocation-id", "stale");
    let stale = call(&shared, stale, "2").await;
    let invocation_id = &next.headers()["lambda-runtime-invocation-id"];
    let right = post("id").header("lambda-runtime-invocation-id", invocation_id);
    let right = call(&shared, right, "3").await;
    let again = call(&shared, post("id"), "4").await;

    let statuses = [&other, &stale, &right, &again].map(|it| it.status().as_u16());
    assert_eq!(statuses, [400, 400, 202, 400]);
    let reply = answer.await.expect("it was answered");
    assert!(matches!(reply, Reply::Response(body) if body == "3"));
}

#[tokio::test]
async fn a_process_that_asks_for_a_second_event_before_it_answered_is_refused() {
    let (shared, _, deliveries) = Shared::new("arn");
    let (_, _answer) = take_event(&shared, &deliveries).await;

    let second = call(&shared, Request::get(path("invocation/next")), "").await;

    assert_eq!(second.status(), StatusCode::FORBIDDEN);
}

#[tokio::test(start_paused = true)]
async fn a_second_poller_is_refused_and_the_first_gets_the_event() {
    let (shared, _, deliveries) = Shared::new("arn");
    let polling = tokio::spawn({
        let shared = shared.clone();
        async move { call(&shared, Request::get(path("invocation/next")), "").await }
    });
    tokio::task::yield_now().await;

    let second = call(&shared, Request::get(path("invocation/next")), "").await;
    let (reply, _answer) = oneshot::channel();
    let delivery = Delivery {
        request_id: "id".to_owned(),
        deadline_ms: 1,
        payload: Bytes::from_static(b"{}"),
        reply,
    };
    deliveries.send(delivery).await.expect("the API is open");
    let first = polling.await.expect("it was answered");

    assert_eq!(
        [second.status(), first.status()],
        [StatusCode::FORBIDDEN, StatusCode::OK]
    );
}

#[tokio::test]
async fn pages_and_other_hosts_are_turned_away() {
    let (shared, _, deliveries) = Shared::new("arn");
    let (_, mut answer) = take_event(&shared, &deliveries).await;
    let intruders = [
        ("host", "evil.example:4567"),
        ("origin", "http://127.0.0.1:4567"),
        ("sec-fetch-site", "same-origin"),
    ];

    for (name, value) in intruders {
        let post = Request::post(path("invocation/id/response")).header(name, value);
        let answer = call(&shared, post, "\"stolen\"").await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
    }

    assert!(answer.try_recv().is_err());
}

#[tokio::test]
async fn a_connection_of_another_process_is_closed_without_an_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let api = RuntimeApi::open("arn").await.expect("a free port");
    let child = tokio::process::Command::new("sleep")
        .arg("60")
        .kill_on_drop(true)
        .spawn();
    let child = child.expect("it starts");
    let mut thief = TcpStream::connect(api.address).await.expect("it listens");
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        path("invocation/next")
    );
    thief.write_all(request.as_bytes()).await.expect("sent");

    api.serve(child.id());
    let mut answer = Vec::new();
    let read = thief.read_to_end(&mut answer).await;

    assert!(answer.is_empty(), "{read:?}");
    assert!(matches!(*api.init.borrow(), Init::Running));
}

#[tokio::test]
async fn a_start_can_fail_only_before_the_first_event() {
    let (failing, init, _) = Shared::new("arn");
    let (running, _, deliveries) = Shared::new("arn");
    let (_, _answer) = take_event(&running, &deliveries).await;

    let failed = call(&failing, Request::post(path("init/error")), "{}").await;
    let too_late = call(&running, Request::post(path("init/error")), "{}").await;

    assert_eq!(failed.status(), StatusCode::ACCEPTED);
    assert!(matches!(&*init.borrow(), Init::Failed(document) if document == "{}"));
    assert_eq!(too_late.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_streamed_answer_is_not_taken_for_a_whole_one() {
    let (shared, _, deliveries) = Shared::new("arn");
    let (_, answer) = take_event(&shared, &deliveries).await;

    let post = Request::post(path("invocation/id/response"))
        .header("lambda-runtime-function-response-mode", "streaming");
    call(&shared, post, "{}").await;

    assert!(matches!(answer.await, Ok(Reply::Streaming)));
}
