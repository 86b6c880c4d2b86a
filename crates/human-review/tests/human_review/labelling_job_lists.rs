//! Lists of labelling jobs: what they cost, and what a version before has left.

use std::sync::atomic::Ordering;

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{FEEDBACK_BUCKET, Review};
use crate::labelling_jobs::{
    TEAM, answer_all, call, create, describe, drive, label, put, request, sources, started,
};

#[tokio::test]
async fn a_page_of_a_listing_reads_no_more_jobs_than_it_shows() {
    let review = Review::new();
    for number in 0..40 {
        let mut request = request(&format!("job-{number:02}"), json!({}));
        // Twenty are open at most; a manifest that is not there ends a job.
        request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"] =
            json!(format!("s3://{FEEDBACK_BUCKET}/none"));
        create(&review, &request).await;
        drive(&review).await;
        review.wait(Duration::seconds(1));
    }
    let before = review.reads.load(Ordering::Relaxed);

    let newest = json!({ "MaxResults": 2, "SortOrder": "Descending" });
    let page = call(&review, "ListLabelingJobs", &newest).await.json();

    let read = review.reads.load(Ordering::Relaxed) - before;
    let jobs = page["LabelingJobSummaryList"].as_array().expect("jobs");
    assert_eq!(jobs[0]["LabelingJobName"], "job-39");
    assert_eq!((jobs.len(), page["NextToken"].is_string()), (2, true), "{page}");
    assert!(read <= 8, "{read} reads");
}

#[tokio::test]
async fn jobs_that_a_version_before_made_are_listed() {
    let review = Review::new();
    for name in ["old", "new"] {
        create(&review, &request(name, json!({}))).await;
        review.wait(Duration::seconds(1));
    }
    let marks = review.keys("human-review/labelling-jobs-by-time/").await;
    let old = marks
        .iter()
        .find(|mark| mark.ends_with("-old"))
        .expect("its mark");
    review.remove(old).await;

    for mark in review.keys("human-review/labelling-jobs-newest-first/").await {
        review.remove(&mark).await;
    }

    let mut names = Vec::new();
    for _ in 0..2 {
        let all = call(&review, "ListLabelingJobs", &json!({ "SortBy": "CreationTime" }))
            .await
            .json();
        let jobs = all["LabelingJobSummaryList"].as_array().expect("jobs").clone();
        names.push(
            jobs.iter()
                .map(|job| job["LabelingJobName"].clone())
                .collect::<Vec<_>>(),
        );
    }

    assert_eq!(names, [["old", "new"], ["old", "new"]]);
    let mut again = review.keys("human-review/labelling-jobs-by-time/").await;
    again.retain(|mark| !mark.ends_with("/0-~"));
    assert_eq!(again, marks, "it has its mark again");
}

#[tokio::test]
async fn a_mark_of_a_creation_that_came_to_nothing_lists_its_job_no_second_time() {
    let review = Review::new();
    for name in ["a", "b"] {
        create(&review, &request(name, json!({}))).await;
        review.wait(Duration::seconds(1));
    }
    // The name of `a` was wanted by somebody else, who was stopped before the marks were taken back.
    let time = review.now().timestamp_micros();
    let newest_first = 9_999_999_999_999_999 - time;
    review.put_marks([
        format!("human-review/labelling-jobs-by-time/{time:016}-a"),
        format!("human-review/labelling-jobs-newest-first/{newest_first:016}-a"),
    ]);

    for (order, expected) in [("Descending", ["b", "a"]), ("Ascending", ["a", "b"])] {
        let (mut names, mut token) = (Vec::new(), Value::Null);
        for _ in 0..6 {
            let mut asked = json!({ "MaxResults": 1, "SortBy": "CreationTime", "SortOrder": order });
            if token.is_string() {
                asked["NextToken"] = token;
            }
            let page = call(&review, "ListLabelingJobs", &asked).await.json();
            let jobs = page["LabelingJobSummaryList"].as_array().expect("jobs");
            names.extend(jobs.iter().map(|job| job["LabelingJobName"].clone()));
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(
            (names, token),
            (expected.map(Value::from).to_vec(), Value::Null),
            "{order}"
        );
    }
}

#[tokio::test]
async fn a_listing_costs_what_it_shows_where_thousands_of_jobs_were_made_before() {
    let review = Review::new();
    put(&review, "in.manifest", "").await;
    create(&review, &request("broken", json!({}))).await;
    drive(&review).await;
    // Jobs of later, of which nothing but the marks is read.
    review.put_marks((0..2_100_u64).map(|number| {
        let time = 9_999_999_999_999_999 - (1_800_000_000_000_000 + number);
        format!("human-review/labelling-jobs-newest-first/{time:016}-done-{number}~Completed")
    }));
    review.wait(Duration::days(3_000));
    started(&review, &sources(&["One"]), &request("newest", json!({}))).await;
    call(&review, "ListLabelingJobs", &json!({})).await;
    let lists = || review.lists.load(Ordering::Relaxed);
    let mut pages = Vec::new();

    for asked in [
        json!({ "MaxResults": 1, "SortOrder": "Descending" }),
        json!({ "StatusEquals": "InProgress" }),
        json!({ "StatusEquals": "Failed", "SortOrder": "Descending" }),
    ] {
        let before = lists();
        let page = call(&review, "ListLabelingJobs", &asked).await.json();
        pages.push((page, lists() - before));
    }
    let ada = review.sign_in_admin("ada").await;
    let before = lists();
    let audits = ada.get("audits.json").await;
    let for_audits = lists() - before;
    let token = &pages[2].0["NextToken"];
    let rest = json!({ "StatusEquals": "Failed", "SortOrder": "Descending", "NextToken": token });
    let rest = call(&review, "ListLabelingJobs", &rest).await.json();

    let name = |page: &Value| page["LabelingJobSummaryList"][0]["LabelingJobName"].clone();
    assert_eq!(
        (name(&pages[0].0), name(&pages[1].0)),
        (json!("newest"), json!("newest"))
    );
    assert_eq!(
        (name(&pages[2].0), token.is_string()),
        (Value::Null, true),
        "two thousand marks are looked at, and the page says that there may be more"
    );
    assert_eq!(name(&rest), "broken");
    assert_eq!(audits.json()["audits"], json!([]));
    let counts: Vec<usize> = pages.iter().map(|(_, lists)| *lists).collect();
    assert!(
        counts.iter().all(|count| *count <= 3) && for_audits <= 3,
        "{counts:?} {for_audits}"
    );
}

#[tokio::test]
async fn jobs_of_a_status_are_found_without_reading_those_of_others() {
    let review = Review::new();
    // Twelve that have ended, of which a version before has left no mark of the end.
    for number in 0..12 {
        let name = format!("done-{number}");
        started(&review, &sources(&["One"]), &request(&name, json!({}))).await;
        answer_all(&review.sign_in("ada").await, |_| label("World")).await;
        drive(&review).await;
    }
    for mark in review.keys("human-review/labelling-jobs-by-time/").await {
        let before = mark.trim_end_matches("~Completed");
        review.put(before, "").await;
        review.remove(&mark).await;
    }
    put(&review, "in.manifest", "").await;
    create(&review, &request("broken", json!({}))).await;
    drive(&review).await;
    started(&review, &sources(&["One"]), &request("open", json!({}))).await;
    call(&review, "ListLabelingJobs", &json!({})).await;
    let mut found = Vec::new();

    for status in ["InProgress", "Failed"] {
        let before = review.reads.load(Ordering::Relaxed);
        let page = call(&review, "ListLabelingJobs", &json!({ "StatusEquals": status }))
            .await
            .json();
        let read = review.reads.load(Ordering::Relaxed) - before;
        assert!(read <= 2, "{status}: {read} reads");
        found.push(page["LabelingJobSummaryList"][0]["LabelingJobName"].clone());
        assert_eq!(page["LabelingJobSummaryList"][1], Value::Null, "{page}");
    }

    assert_eq!(found, ["open", "broken"]);
    let all = call(
        &review,
        "ListLabelingJobs",
        &json!({ "StatusEquals": "Completed" }),
    )
    .await;
    let all = all.json();
    assert_eq!(all["LabelingJobSummaryList"].as_array().map(Vec::len), Some(12));
}

#[tokio::test]
async fn jobs_are_sorted_by_their_statuses_over_any_pages() {
    let review = Review::new();
    for name in ["done-1", "done-2"] {
        started(&review, &sources(&["One"]), &request(name, json!({}))).await;
        answer_all(&review.sign_in("ada").await, |_| label("World")).await;
        drive(&review).await;
        review.wait(Duration::seconds(1));
    }
    started(&review, &sources(&["One"]), &request("open", json!({}))).await;
    put(&review, "in.manifest", "").await;
    create(&review, &request("broken", json!({}))).await;
    drive(&review).await;

    for (order, most, expected) in [
        ("Ascending", 100, ["done-1", "done-2", "broken", "open"]),
        ("Ascending", 1, ["done-1", "done-2", "broken", "open"]),
        ("Descending", 3, ["open", "broken", "done-2", "done-1"]),
    ] {
        let (mut names, mut token) = (Vec::new(), Value::Null);
        for _ in 0..8 {
            let mut asked = json!({ "SortBy": "Status", "SortOrder": order, "MaxResults": most });
            if token.is_string() {
                asked["NextToken"] = token;
            }
            let page = call(&review, "ListLabelingJobs", &asked).await.json();
            let jobs = page["LabelingJobSummaryList"].as_array().expect("jobs");
            assert!(jobs.len() <= most, "{page}");
            names.extend(jobs.iter().map(|job| job["LabelingJobName"].clone()));
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(
            (names, token),
            (expected.map(Value::from).to_vec(), Value::Null),
            "{order} {most}"
        );
    }
    let wrong = call(
        &review,
        "ListLabelingJobs",
        &json!({ "SortBy": "Status", "NextToken": "x" }),
    )
    .await;
    assert_eq!(wrong.status(), 400, "{wrong:?}");
}

#[tokio::test]
async fn a_work_team_is_told_of_its_own_jobs_and_how_much_of_them_waits() {
    let review = Review::new();
    let made = call(
        &review,
        "CreateWorkteam",
        &json!({ "WorkteamName": "mail", "Description": "Mail", "MemberDefinitions":
            [{ "OidcMemberDefinition": { "Groups": ["mail"] } }] }),
    )
    .await
    .json();
    started(&review, &sources(&["One", "Two"]), &request("of-all", json!({}))).await;
    let of_mail = json!({ "HumanTaskConfig.WorkteamArn": made["WorkteamArn"] });
    started(&review, &sources(&["One", "Two"]), &request("of-mail", of_mail)).await;
    let list = async |changes: Value| {
        let mut request = json!({ "WorkteamArn": TEAM });
        for (member, value) in changes.as_object().expect("an object") {
            request[member] = value.clone();
        }
        call(&review, "ListLabelingJobsForWorkteam", &request).await
    };

    let all = list(json!({})).await.json();
    let mail = list(json!({ "WorkteamArn": made["WorkteamArn"] })).await.json();
    let coded = list(json!({ "JobReferenceCodeContains": "no such code" }))
        .await
        .json();
    let unknown = list(json!({ "WorkteamArn": format!("{TEAM}-gone") })).await;

    let described = describe(&review, "of-all").await;
    assert_eq!(
        all["LabelingJobSummaryList"],
        json!([{
            "LabelingJobName": "of-all",
            "JobReferenceCode": described["JobReferenceCode"],
            "WorkRequesterAccountId": "123456789012",
            "CreationTime": described["CreationTime"],
            "LabelCounters": { "HumanLabeled": 0, "PendingHuman": 2, "Total": 2 },
            "NumberOfHumanWorkersPerDataObject": 1,
        }])
    );
    let names = mail["LabelingJobSummaryList"].as_array().expect("jobs").iter();
    let names: Vec<&Value> = names.map(|job| &job["LabelingJobName"]).collect();
    assert_eq!(names, ["of-mail"]);
    assert_eq!(coded["LabelingJobSummaryList"], json!([]));
    assert_eq!(unknown.header("x-amzn-errortype"), "ResourceNotFound");
}

#[tokio::test]
async fn a_job_that_cannot_be_read_keeps_no_other_from_the_lists() {
    let review = Review::new();
    started(&review, &sources(&["Rates rise"]), &request("good", json!({}))).await;
    create(&review, &request("damaged", json!({}))).await;
    review.put("human-review/labelling-jobs/damaged.json", "{").await;

    for asked in [
        json!({}),
        json!({ "StatusEquals": "InProgress" }),
        json!({ "SortBy": "Name" }),
    ] {
        let page = call(&review, "ListLabelingJobs", &asked).await.json();

        let listed = page["LabelingJobSummaryList"].as_array().expect("a list");
        let names: Vec<&Value> = listed.iter().map(|job| &job["LabelingJobName"]).collect();
        assert_eq!(names, ["good"], "{asked}");
    }
}
