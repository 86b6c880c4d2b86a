use aws_sdk_s3::Client;
use futures::future::join_all;
use local_aws::{LocalAws, s3::BucketSpec};

use super::*;

const AT: &str = "2026-11-28T10:00:00.000Z";
const BUCKET: &str = "training";

fn bucket() -> Bucket {
    let aws = LocalAws::in_memory();
    let spec = BucketSpec {
        name: BUCKET.to_owned(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(spec).expect("the index works");
    Bucket::new(Client::new(&aws.sdk_config()), BUCKET)
}

#[tokio::test]
async fn changes_that_several_make_at_once_are_all_made_each_with_a_version_of_its_own() {
    let bucket = bucket();
    let writers: Vec<LabelSets> = (0..5).map(|_| LabelSets::new(bucket.clone())).collect();
    writers[0]
        .current_or_seed(&["World".to_owned()], AT)
        .await
        .expect("a set");

    let changes = writers.iter().enumerate().map(async |(number, sets)| {
        let name = format!("Label {number}");
        match number {
            0 => sets.take_data(&[name], false, AT).await.expect("taken"),
            _ => sets.edit(AT, |set| set.add(&name, "")).await.expect("added"),
        }
    });
    let sets = join_all(changes).await;

    let mut versions: Vec<u64> = sets.iter().map(LabelSet::version).collect();
    versions.sort_unstable();
    assert_eq!(versions, [2, 3, 4, 5, 6]);
    let newest = LabelSets::new(bucket.clone())
        .current()
        .await
        .expect("read")
        .expect("a set");
    for number in 1..5 {
        assert!(newest.find(&format!("Label {number}")).is_some(), "{number}");
    }
    for set in &sets {
        let kept: Option<LabelSet> = bucket
            .read_document(&version_key(set.version()))
            .await
            .expect("read");
        assert_eq!(kept.as_ref(), Some(set), "{}", set.version());
    }
}

#[tokio::test]
async fn of_two_who_add_the_same_label_at_once_one_is_told_that_it_is_there() {
    let bucket = bucket();
    let sets = LabelSets::new(bucket.clone());
    sets.current_or_seed(&["World".to_owned()], AT)
        .await
        .expect("a set");

    let add = |name: &'static str| {
        let sets = LabelSets::new(bucket.clone());
        async move { sets.edit(AT, |set| set.add(name, "")).await }
    };
    let (one, other) = tokio::join!(add("Weather"), add("WEATHER "));

    let refused = [one, other].into_iter().filter_map(Result::err);
    let refused: Vec<String> = refused.map(|error| error.to_string()).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("is a name of the label"), "{refused:?}");
    let newest = LabelSets::new(bucket)
        .current()
        .await
        .expect("read")
        .expect("a set");
    assert_eq!((newest.version(), newest.active().count()), (2, 2));
}

#[tokio::test]
async fn a_change_that_was_counted_is_refused_where_somebody_else_has_changed_the_set_since() {
    let bucket = bucket();
    let sets = LabelSets::new(bucket.clone());
    let names = ["Billing", "Invoice", "Login"].map(str::to_owned);
    let counted = sets.current_or_seed(&names, AT).await.expect("a set");
    let split = |set: &mut LabelSet| set.split("Billing", &["Refund", "Payment"]);
    let merge = |set: &mut LabelSet| set.merge("Invoice", "Billing");
    let (earlier, later) = ("2026-11-28T10:01:00.000Z", "2026-11-28T10:02:00.000Z");

    // The rows of the merged label would be left out by the split, and no one would be asked about them.
    let other = LabelSets::new(bucket.clone());
    other.edit(earlier, merge).await.expect("merged");
    let refused = sets.edit_counted(&counted, later, split).await;
    let now = other.newest().await.expect("read").expect("a set");
    let made = sets.edit_counted(&now, later, split).await.expect("split");
    let again = sets.edit_counted(&now, later, split).await.expect("known");

    let refused = refused.expect_err("the set is another one").to_string();
    assert!(refused.contains("it was version 1, and is 2 now"), "{refused}");
    assert_eq!((now.version(), made.version(), again.version()), (2, 3, 3));
}

#[tokio::test]
async fn of_two_changes_of_one_instant_the_second_is_refused_and_not_taken_for_made() {
    let bucket = bucket();
    let sets = LabelSets::new(bucket.clone());
    let names = ["Billing", "Login"].map(str::to_owned);
    let counted = sets.current_or_seed(&names, AT).await.expect("a set");
    let at = "2026-11-28T10:02:00.000Z";
    let rename = |new: &'static str| move |set: &mut LabelSet| set.rename("Billing", new);

    let first = sets.edit_counted(&counted, at, rename("Invoices")).await;
    let second = sets.edit_counted(&counted, at, rename("Payments")).await;
    let repeated = sets.edit_counted(&counted, at, rename("Invoices")).await;

    assert_eq!(first.expect("made").version(), 2);
    let refused = second.expect_err("another one was made").to_string();
    assert!(refused.contains("it was version 1, and is 2 now"), "{refused}");
    let kept = repeated.expect("known");
    assert_eq!((kept.version(), kept.active().next()), (2, Some("Invoices")));
}

#[test]
fn a_change_is_made_after_the_one_before_it_whatever_the_clock_says() {
    let set = LabelSet::seed(["World"], Origin::Edited, "2026-11-28T10:00:05.000Z");

    assert_eq!(
        time_of_change(&set, "2026-11-28T10:00:06.000Z"),
        "2026-11-28T10:00:06.000Z"
    );
    for behind in ["2026-11-28T10:00:05.000Z", "2026-11-28T09:55:00.000Z"] {
        assert_eq!(
            time_of_change(&set, behind),
            "2026-11-28T10:00:05.001Z",
            "{behind}"
        );
    }
    let now = "2026-11-28T09:55:00.000Z";
    assert_eq!(time_of_change(&LabelSet::none(), now), now);
}
