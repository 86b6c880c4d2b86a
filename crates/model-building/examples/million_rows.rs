//! Assembles a dataset of a million rows and says how much memory that takes.
//!
//! `cargo run --release -p model-building --example million_rows -- 800000 200000`: initial rows and labelled
//! records. The local S3 is this process; a child process assembles twice and reports its peak.

use std::{env, error::Error, fs, io::Write, process::Command, time::Instant};

use active_learning_aws::bucket::Bucket;
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    labels::{
        human_loop::Answer,
        labelled::{LabelledRecord, object_key},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::{Client, primitives::ByteStream};
use chrono::Utc;
use local_aws::{LocalAws, s3::BucketSpec};
use model_building::assemble::{AssemblePolicy, MAX_HELD_OUT, assemble};

const BUCKET: &str = "training-123456789012";
const ROWS_A_LOOP: usize = 1_000;
const CLASSES: [&str; 4] = ["World", "Sports", "Business", "SciTech"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [url] => assemble_twice(url).await,
        [initial, labelled] => serve(initial.parse()?, labelled.parse()?).await,
        _ => Err("expected two numbers: initial rows and labelled records".into()),
    }
}

async fn serve(initial: usize, labelled: usize) -> Result<(), Box<dyn Error>> {
    let aws = LocalAws::in_memory();
    aws.s3.put_bucket(BucketSpec {
        name: BUCKET.into(),
        ..BucketSpec::default()
    })?;
    let s3 = Client::new(&aws.sdk_config());
    let mut file = tempfile::NamedTempFile::new()?;
    for row in 0..initial {
        writeln!(file, "{},\"{}\"", CLASSES[row % 4], text(row))?;
    }
    let body = ByteStream::from_path(file.path()).await?;
    let put = s3.put_object().bucket(BUCKET).key("initial/rows.csv");
    put.body(body).send().await?;
    for (number, start) in (0..labelled).step_by(ROWS_A_LOOP).enumerate() {
        let human_loop = format!("loop-{number:06}");
        let rows = start..labelled.min(start + ROWS_A_LOOP);
        let lines: String = rows.map(|row| line(initial + row, &human_loop)).collect();
        let put = s3.put_object().bucket(BUCKET).key(object_key(&human_loop));
        put.body(lines.into_bytes().into()).send().await?;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = aws.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let child = tokio::task::spawn_blocking(move || Command::new(env::current_exe()?).arg(url).status());
    let status = child.await??;
    server.abort();
    status
        .success()
        .then_some(())
        .ok_or_else(|| "the child failed".into())
}

async fn assemble_twice(url: &str) -> Result<(), Box<dyn Error>> {
    let config = LocalAws::in_memory().sdk_config();
    let s3 = Client::from_conf(
        aws_sdk_s3::config::Builder::new()
            .behavior_version_latest()
            .region(config.region().cloned())
            .credentials_provider(config.credentials_provider().ok_or("no credentials")?)
            .endpoint_url(url)
            .force_path_style(true)
            .build(),
    );
    let bucket = Bucket::new(s3, BUCKET);
    let policy = AssemblePolicy {
        test_share: 0.1,
        max_held_out: MAX_HELD_OUT,
        min_rows_per_class: 10,
        is_first_model: false,
        mode: None,
        several_labels: true,
        automated_labelling: None,
    };
    for _ in 0..2 {
        let start = Instant::now();
        let assembled = assemble(&bucket, &policy, Utc::now()).await?;
        let manifest = assembled.manifest;
        println!(
            "version {}: {} to train, {} to test, {} MB, left out {:?}; {} s, peak {} MB",
            manifest.version,
            manifest.train.summary.rows,
            manifest.test.summary.rows,
            manifest.train.summary.bytes >> 20,
            manifest.left_out,
            start.elapsed().as_secs(),
            peak_kilobytes()? >> 10
        );
    }
    Ok(())
}

fn peak_kilobytes() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(peak.ok_or("no peak")?.trim().trim_end_matches(" kB").parse()?)
}

/// About 220 characters of made-up words, different for each row.
fn text(row: usize) -> String {
    let mut state = row as u64 + 1;
    let mut words = Vec::new();
    for _ in 0..36 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let word = (state >> 33) % 20_000;
        words.push(format!("{:x}", word * 7_919 + 65_536));
    }
    words.join(" ")
}

fn line(row: usize, human_loop: &str) -> String {
    let text = text(row);
    let json = serde_json::json!({
        "id": record_id("news", &text), "classifier": "news", "utterance": text, "prediction": "World",
        "confidence": 0.4, "receivedAt": "2026-11-20T10:00:00.000Z",
    });
    let record = FeedbackRecord::parse(json.to_string().as_bytes()).expect("a record");
    let vote = |worker: &str| Vote {
        worker: worker.to_owned(),
        answer: Answer::labels([CLASSES[row % 4]]),
        source: VoteSource::HumanReview,
        at: "2026-11-20T11:00:00.000Z".into(),
        seconds: Some(3.0),
        note: Default::default(),
    };
    let votes = vec![
        vote(["ada", "bob"][row % 2]),
        vote(["eve", "joe", "kim"][row % 3]),
    ];
    LabelledRecord::new(record, votes, human_loop, "arn:flow").to_line()
}
