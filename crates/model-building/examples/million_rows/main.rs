//! Builds from a million rows and says what that takes: time, processor, memory and requests.
//!
//! `cargo run --release -p model-building --example million_rows -- 800000 200000 10 /tmp/rows`: initial rows, labelled
//! records, records of a human loop (1,000 unless it is said), and a folder for the dataset's files. The local S3 is this
//! process; a child process assembles thrice, the third time with a tenth of new labels, and reports its peak. With a folder
//! another child does the rest of the build: see `rest.rs`.

mod rest;

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::Write,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use active_learning_aws::bucket::Bucket;
use active_learning_core::{
    feedback::{FeedbackRecord, record_id},
    labels::{
        human_loop::Answer,
        labelled::{LabelledRecord, object_key},
        vote::{Vote, VoteSource},
    },
};
use aws_sdk_s3::{
    Client,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
    primitives::ByteStream,
};
use chrono::Utc;
use futures::{StreamExt, stream};
use local_aws::{LocalAws, s3::BucketSpec};
use model_building::assemble::{AssemblePolicy, MAX_HELD_OUT, assemble};

const BUCKET: &str = "training-123456789012";
const RECORDS_A_LOOP: &str = "1000";
/// One label in so many comes in before the third time.
const ROWS_PER_NEW_LABEL: usize = 10;
const WRITES_AT_ONCE: usize = 16;
const CLASSES: [&str; 4] = ["World", "Sports", "Business", "SciTech"];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["child", url, rows, a_loop, folder] => {
            assemble_thrice(url, rows.parse()?, a_loop.parse()?, folder).await
        }
        ["rest", folder] => rest::of_the_build(folder),
        [initial, labelled] => serve(initial.parse()?, labelled.parse()?, RECORDS_A_LOOP, "").await,
        [initial, labelled, a_loop] => serve(initial.parse()?, labelled.parse()?, a_loop, "").await,
        [initial, labelled, a_loop, folder] => {
            serve(initial.parse()?, labelled.parse()?, a_loop, folder).await
        }
        _ => Err("expected numbers: initial rows, labelled records and records of a human loop".into()),
    }
}

async fn serve(initial: usize, labelled: usize, a_loop: &str, folder: &str) -> Result<(), Box<dyn Error>> {
    let records_a_loop: usize = a_loop.parse()?;
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
    let end = initial + labelled;
    put_loops(&s3, initial..end, records_a_loop).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = aws.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let arguments = ["child", &url, &end.to_string(), a_loop, folder].map(str::to_owned);
    child(arguments.to_vec()).await?;
    server.abort();
    match folder.is_empty() {
        true => Ok(()),
        false => child(["rest", folder].map(str::to_owned).to_vec()).await,
    }
}

/// Runs this program again, so that its memory is its own.
async fn child(arguments: Vec<String>) -> Result<(), Box<dyn Error>> {
    let child = move || Command::new(env::current_exe()?).args(arguments).status();
    let status = tokio::task::spawn_blocking(child).await??;
    status
        .success()
        .then_some(())
        .ok_or_else(|| "the child failed".into())
}

/// Puts human loops with these rows; the numbers of their names go over those of rows.
async fn put_loops(s3: &Client, rows: std::ops::Range<usize>, records_a_loop: usize) {
    let end = rows.end;
    stream::iter(rows.step_by(records_a_loop))
        .for_each_concurrent(WRITES_AT_ONCE, async |start| {
            // As of hashes: new ones lie between old ones.
            let human_loop = format!("loop-{:016x}", (start as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let rows = start..end.min(start + records_a_loop);
            let lines: String = rows.map(|row| line(row, &human_loop)).collect();
            let put = s3.put_object().bucket(BUCKET).key(object_key(&human_loop));
            let put = put.body(lines.into_bytes().into()).send().await;
            put.map(drop).expect("the local S3 works");
        })
        .await;
}

/// Counts the requests by method and folder.
#[derive(Clone, Debug, Default)]
struct Requests(Arc<Mutex<BTreeMap<String, usize>>>);

impl Requests {
    fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for Requests {
    fn name(&self) -> &'static str {
        "Requests"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let path = request.uri().split('?').next().unwrap_or_default();
        let key = path
            .split_once(BUCKET)
            .map_or("", |(_, key)| key.trim_start_matches('/'));
        let folder = key.split_inclusive('/').next().unwrap_or_default();
        let request = format!("{} {folder}", request.method());
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(request).or_default() += 1;
        Ok(())
    }
}

async fn assemble_thrice(
    url: &str,
    rows: usize,
    records_a_loop: usize,
    folder: &str,
) -> Result<(), Box<dyn Error>> {
    let requests = Requests::default();
    let config = LocalAws::in_memory().sdk_config();
    let s3 = Client::from_conf(
        aws_sdk_s3::config::Builder::new()
            .behavior_version_latest()
            .region(config.region().cloned())
            .credentials_provider(config.credentials_provider().ok_or("no credentials")?)
            .endpoint_url(url)
            .force_path_style(true)
            .interceptor(requests.clone())
            .build(),
    );
    let bucket = Bucket::new(s3.clone(), BUCKET);
    let policy = AssemblePolicy {
        test_share: 0.1,
        max_held_out: MAX_HELD_OUT,
        min_rows_per_class: 10,
        is_first_model: false,
        mode: None,
        several_labels: true,
        automated_labelling: None,
        is_hosted: false,
    };
    for time in 0..3 {
        if time == 2 {
            put_loops(&s3, rows..rows + rows / ROWS_PER_NEW_LABEL, records_a_loop).await;
            requests.take();
        }
        let (start, processor) = (Instant::now(), processor_seconds()?);
        let assembled = assemble(&bucket, &policy, Utc::now()).await?;
        let manifest = assembled.manifest;
        println!(
            "version {}: {} to train, {} to test, {} MB, left out {:?}; {:.1} s, {:.1} s of the processor, \
             peak {} MB, requests {:?}",
            manifest.version,
            manifest.train.summary.rows,
            manifest.test.summary.rows,
            manifest.train.summary.bytes >> 20,
            manifest.left_out,
            start.elapsed().as_secs_f64(),
            processor_seconds()? - processor,
            peak_kilobytes()? >> 10,
            requests.take()
        );
        if !folder.is_empty() {
            fs::create_dir_all(folder)?;
            for (name, key) in [
                ("train.csv", &manifest.train.key),
                ("test.csv", &manifest.test.key),
            ] {
                let object = s3.get_object().bucket(BUCKET).key(key).send().await?;
                let mut body = object.body.into_async_read();
                let mut file = tokio::fs::File::create(format!("{folder}/{name}")).await?;
                tokio::io::copy(&mut body, &mut file).await?;
            }
            requests.take();
        }
    }
    Ok(())
}

fn peak_kilobytes() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(peak.ok_or("no peak")?.trim().trim_end_matches(" kB").parse()?)
}

/// Seconds of user and system time, from Linux, in hundredths.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no times")?;
    let ticks = after_name.split_whitespace().skip(11).take(2);
    let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
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
