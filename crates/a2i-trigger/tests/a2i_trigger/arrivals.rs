//! What came for review by day, as the console shows it.

use active_learning_core::keys::ARRIVALS;
use serde_json::{Value, json};

use crate::harness::*;

async fn arrivals(services: &Services) -> Value {
    serde_json::from_str(&services.get(ARRIVALS).await).expect("JSON")
}

#[tokio::test]
async fn what_comes_for_review_counts_once_on_its_day_however_often_it_is_delivered() {
    let services = Services::start();
    let first = services.deliver("feedback/a", DELIVERED).await;
    let mut other = services.deliver("feedback/b", DELIVERED).await;
    other["Records"][0]["eventTime"] = "2026-11-21T00:00:00.000Z".into();

    for event in [&first, &first, &other, &first] {
        services.work_off(event).await;
    }

    let arrivals = arrivals(&services).await;
    let day = &arrivals["days"]["2026-11-20"];
    let asked = day["asked"].as_object().expect("counts");
    let texts: u64 = asked.values().filter_map(Value::as_u64).sum();
    assert_eq!(texts, 4, "{arrivals}");
    assert_eq!((&day["doubtful"], &day["audited"]), (&json!(1), &json!(1)));
    assert_eq!(day["trusted"], 100.0);
    assert_eq!(arrivals["since"], "2026-11-20T10:00:00Z");
    let again = &arrivals["days"]["2026-11-21"];
    assert_eq!(again["asked"], json!({}), "these were asked before");
    assert_eq!(again["audited"], 1, "the API has predicted again");
}

#[tokio::test]
async fn what_waits_for_the_review_budget_has_come_and_likes_have_not() {
    let services = Services::start();
    let event = services.deliver("feedback/a", DELIVERED).await;
    let like = DELIVERED.lines().nth(1).expect("a like");
    let likes = services.deliver("feedback/likes", like).await;

    for event in [event, likes] {
        let function = services.function_with_budget(&starting(), "1");
        function.handle(event).await.expect("worked off");
    }

    let arrivals = arrivals(&services).await;
    let asked = arrivals["days"]["2026-11-20"]["asked"]
        .as_object()
        .expect("counts");
    assert_eq!(
        asked.values().filter_map(Value::as_u64).sum::<u64>(),
        4,
        "{arrivals}"
    );
    assert_eq!(arrivals["deliveries"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn sums_that_cannot_be_read_are_begun_anew_and_hold_up_nothing() {
    let services = Services::start();
    services.deliver(ARRIVALS, "no sums").await;
    let event = services.deliver("feedback/a", DELIVERED).await;

    let script = services.work_off(&event).await;

    assert_eq!(loops(&script).len(), 2);
    assert_eq!(arrivals(&services).await["days"]["2026-11-20"]["audited"], 1);
}
