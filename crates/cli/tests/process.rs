//! The program as a user runs it: the shipped template, the shipped functions, one process and its children.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use active_learning_cli::{http_client, outputs::StackOutputs};
use local_stack::user;

const PROGRAM: &str = env!("CARGO_BIN_EXE_active-learning");
const DEADLINE: Duration = Duration::from_secs(120);

/// A running stack, ended by force if a test fails.
struct Stack(Child);

impl Drop for Stack {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stack {
    fn start(state_dir: &Path) -> Self {
        Self::start_with(state_dir, &[""; 0])
    }

    fn start_with(state_dir: &Path, options: &[impl AsRef<OsStr>]) -> Self {
        // That of the process before would be taken for this one's.
        let _ = std::fs::remove_file(state_dir.join("outputs.json"));
        let child = program(state_dir)
            .args(["--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn();
        Self(child.expect("the program starts"))
    }

    fn ready(&mut self, state_dir: &Path) -> StackOutputs {
        let begin = Instant::now();
        loop {
            if let Ok(outputs) = StackOutputs::read(state_dir) {
                return outputs;
            }
            let ended = self.0.try_wait().expect("the program is ours");
            assert!(
                ended.is_none() && begin.elapsed() < DEADLINE,
                "not ready: {ended:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Reads what it writes until a line holds these words; returns all of it.
    fn says(&mut self, words: &str) -> String {
        let stdout = self.0.stdout.take().expect("it is a pipe");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut said = String::new();
        while !said.contains(words) {
            match lines.recv_timeout(DEADLINE) {
                Ok(line) => said = said + &line + "\n",
                Err(_) => panic!("not said: {words}; but: {said}"),
            }
        }
        said
    }

    /// Asks it to stop, as Ctrl-C does, and returns what it wrote.
    fn stop(mut self, signal: &str) -> String {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status();
        assert!(told.expect("kill is there").success());
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().expect("it is a pipe");
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("the words are UTF-8");
        assert!(self.0.wait().expect("the program is ours").success());
        text
    }
}

fn program(state_dir: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    // As behind a company's proxy, which has no part in what stays on this machine.
    command.env("HTTP_PROXY", "http://127.0.0.1:9");
    command.arg("--state-dir").arg(state_dir);
    command
}

#[test]
fn a_start_whose_function_cannot_start_ends_with_the_functions_reason() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let template = include_str!("../../../infra/template.yaml");
    let variable = "          CLASSES: !Ref ComprehendClassificationCategories\n          SEVERAL_LABELS: !Ref \
                    ReviewSeveralLabels\n          TEST_SHARE";
    assert!(template.contains(variable));
    let template = template.replace(variable, "          TEST_SHARE");
    let older = folder.path().join("template.yaml");
    std::fs::write(&older, template).expect("a file");
    let machine = include_str!("../../../infra/model-building.asl.json");
    std::fs::write(folder.path().join("model-building.asl.json"), machine).expect("a file");

    let start = program(&folder.path().join("state"))
        .args(["--port", "0", "--param", "TextEncoder=none", "--template"])
        .arg(&older)
        .output()
        .expect("it runs");

    let said = String::from_utf8_lossy(&start.stderr);
    assert!(!start.status.success());
    for words in [
        "template.yaml, not the one of this program",
        "the function local-TextClassifierFunction-",
        "cannot start: environment variable CLASSES is not set",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_stack_is_ready_stops_when_told_and_goes_on_with_the_same_names() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let mut first = Stack::start(&state_dir);
    let first_outputs = first.ready(&state_dir);
    let link = program(&state_dir)
        .args(["sign-in-link", "--reviewer", "Ada"])
        .output()
        .expect("it runs");
    let second_start = program(&state_dir)
        .args(["--port", "0"])
        .output()
        .expect("it runs");
    let words = first.stop("-INT");
    std::fs::remove_file(state_dir.join("outputs.json")).expect("it was there");

    let mut second = Stack::start(&state_dir);
    let second_outputs = second.ready(&state_dir);
    second.stop("-TERM");
    let too_late = program(&state_dir).arg("redrive").output().expect("it runs");

    assert_eq!(too_late.status.code(), Some(1));
    let advice = String::from_utf8_lossy(&too_late.stderr).into_owned();
    assert!(
        advice.contains("does not run") && advice.contains("Start it first"),
        "{advice}"
    );
    assert!(
        words.contains(&first_outputs.sign_in_url) && words.contains("curl"),
        "{words}"
    );
    assert!(link.status.success());
    let link = String::from_utf8_lossy(&link.stdout).into_owned();
    assert!(link.starts_with(&first_outputs.portal_url), "{link}");
    assert_ne!(link.trim(), first_outputs.sign_in_url);
    assert_eq!(second_start.status.code(), Some(1));
    let refusal = String::from_utf8_lossy(&second_start.stderr).into_owned();
    assert!(refusal.contains("is in use by another process"), "{refusal}");
    assert_eq!(second_outputs.api_key_value, first_outputs.api_key_value);
    for name in ["BatchUploadS3Bucket", "ApiGWKey", "ReviewPortalFunction"] {
        assert_eq!(second_outputs.output(name), first_outputs.output(name));
    }
}

#[test]
fn a_start_says_where_the_label_set_and_the_serving_model_differ() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut first = Stack::start(folder.path());
    first.ready(folder.path());
    for change in [
        &["labels", "rename", "sports", "Sport"][..],
        &["labels", "split", "SciTech", "Science", "Technology"],
        &["labels", "synonym", "Business", "Economy"],
    ] {
        let mut command = Command::new(PROGRAM);
        command
            .args(change)
            .args(["--yes", "--state-dir"])
            .arg(folder.path());
        let changed = command.output().expect("it runs");
        assert!(changed.status.success(), "{change:?}: {changed:?}");
    }
    first.stop("-TERM");

    let said = Stack::start(folder.path()).says("split since");

    for difference in [
        "! labels that the serving model does not know yet (choices, but never predicted): Science, Technology",
        "! classes of the serving model that are called otherwise now: Sports (now Sport)",
        "! classes of the serving model that were split since (what it predicts so goes to people): SciTech",
    ] {
        assert!(said.contains(difference), "{difference}:\n{said}");
    }
    assert!(!said.contains("merged") && !said.contains("retired"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_tries_the_template_and_says_why_its_answers_could_not_be_read() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let mut first = Stack::start(&state_dir);
    let outputs = first.ready(&state_dir);
    let s3 = aws_sdk_s3::Client::new(&user::sdk_config(&outputs.endpoint_url).await);
    let put = s3.put_object().bucket(outputs.output("ReviewS3Bucket"));
    let template = b"<crowd-form><input name=topic></crowd-form>".to_vec();
    let put = put.key("templates/own.html").body(template.into()).send().await;
    put.expect("an upload");
    first.stop("-INT");

    let own = ["--param", "WorkerTaskTemplateKey=templates/own.html"];
    let mut second = Stack::start_with(&state_dir, &own);
    let said = second.says("An answer to these items could not be read");

    assert!(
        said.contains("! The worker task template cannot be used, its pages have no Submit"),
        "{said}"
    );
}

#[test]
fn a_wrong_parameter_is_refused_by_name_before_anything_runs() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let refused = program(folder.path())
        .args([
            "--port",
            "0",
            "--param",
            "ComprehendClassificationScoreThreshold=50%",
        ])
        .output()
        .expect("it runs");

    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        words.contains("Parameter 'ComprehendClassificationScoreThreshold'"),
        "{words}"
    );
}

#[test]
fn training_data_that_cannot_be_used_is_refused_by_line_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let data = folder.path().join("labels.csv");
    std::fs::write(&data, "World,a text\nSports\n").expect("the folder is writable");

    let refused = program(&state_dir)
        .args(["--port", "0", "--training-data"])
        .arg(&data)
        .output()
        .expect("it runs");

    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        words.contains("labels.csv") && words.contains("line 2"),
        "{words}"
    );
    assert!(!state_dir.exists());
}

/// A folder with a text encoder: small, and of random weights.
fn tiny_encoder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../text-encoder/tests/tiny")
}

#[test]
fn an_encoder_that_cannot_be_used_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let tiny = tiny_encoder();
    for (options, named) in [
        (
            [OsStr::new("--encoder"), folder.path().as_os_str()].as_slice(),
            "has no config.json",
        ),
        (
            &[
                OsStr::new("--encoder"),
                tiny.as_os_str(),
                OsStr::new("--param"),
                OsStr::new("TextEncoder=none"),
            ],
            "TextEncoder=s3",
        ),
    ] {
        let refused = program(&state_dir)
            .args(["--port", "0"])
            .args(options)
            .output()
            .expect("it runs");

        assert_eq!(refused.status.code(), Some(1));
        let words = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(words.contains("--encoder") && words.contains(named), "{words}");
        assert!(!state_dir.exists());
    }
}

#[tokio::test]
async fn a_stack_learns_through_the_encoder_of_a_folder_and_keeps_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let tiny = tiny_encoder();
    let state_dir = folder.path().join("state");
    let listed = async |outputs: &StackOutputs, prefix: &str| {
        let s3 = aws_sdk_s3::Client::new(&user::sdk_config(&outputs.endpoint_url).await);
        let list = s3
            .list_objects_v2()
            .bucket(outputs.output("TrainingS3Bucket"))
            .prefix(prefix);
        let objects = list.send().await.expect("the bucket is there").contents;
        let keys = objects.into_iter().flatten().filter_map(|object| object.key);
        keys.collect::<Vec<String>>()
    };

    let mut stack = Stack::start_with(&state_dir, &["--encoder".as_ref(), tiny.as_os_str()]);
    let outputs = stack.ready(&state_dir);
    let (placed, vectors) = (
        listed(&outputs, "encoder/").await,
        listed(&outputs, "text-classifier/vectors/").await,
    );
    stack.stop("-TERM");
    let mut stack = Stack::start_with(&state_dir, &["--param", "TextEncoder=s3"]);
    let outputs = stack.ready(&state_dir);

    let identity = text_encoder::Encoder::load(&tiny)
        .expect("an encoder")
        .identity()
        .to_owned();
    assert_eq!(
        placed.len(),
        text_encoder::read_folder(&tiny).expect("a folder").len()
    );
    assert!(
        vectors.iter().all(|key| key.contains(&identity)) && !vectors.is_empty(),
        "{vectors:?}"
    );
    assert_eq!(listed(&outputs, "encoder/").await, placed);
    let (_, told) = status_until(&state_dir, &[], |said| said.contains("Text encoder"));
    let asked = program(&state_dir).arg("encoder").output().expect("it runs");
    stack.stop("-TERM");
    let asked = String::from_utf8_lossy(&asked.stdout).into_owned();
    for said in [&told, &asked] {
        assert!(
            said.contains(&format!("TextEncoder=s3, identity {identity}")),
            "{said}"
        );
    }
    assert!(told.contains("Encoder of the serving model   the same"), "{told}");
    assert!(asked.contains("was trained with: the same"), "{asked}");
}

#[test]
fn a_start_with_another_encoder_says_why_nothing_is_classified_until_a_model_is_made_with_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let tiny = tiny_encoder();
    let own = [OsStr::new("--encoder"), tiny.as_os_str()];
    let mut stack = Stack::start_with(&state_dir, &["--encoder", "none"]);
    stack.ready(&state_dir);
    stack.stop("-TERM");
    let data = folder.path().join("rows.csv");
    let rows: String = (0..20)
        .map(|number| format!("{},text number {number}\n", ["a", "b"][number % 2]))
        .collect();
    std::fs::write(&data, rows).expect("the folder is writable");
    let trained = [own.as_slice(), &[OsStr::new("--training-data"), data.as_os_str()]].concat();
    let mut stack = Stack::start_with(&state_dir, &trained);
    stack.ready(&state_dir);
    stack.stop("-TERM");

    let told = program(&state_dir)
        .args(["--port", "0", "--encoder", "none"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut told = Stack(told.expect("the program starts"));
    let lines = BufReader::new(told.0.stderr.take().expect("it is a pipe")).lines();
    let mut lines = lines.map(|line| line.expect("the words are UTF-8"));
    let words = lines.find(|line| line.starts_with("! No text is classified"));
    drop(told);
    let again = [
        OsStr::new("--encoder"),
        OsStr::new("none"),
        OsStr::new("--training-data"),
        data.as_os_str(),
    ];
    let mut stack = Stack::start_with(&state_dir, &again);
    stack.ready(&state_dir);
    stack.stop("-TERM");

    let words = words.expect("it says why");
    assert!(
        words.contains("in use is none") && words.contains("--training-data"),
        "{words}"
    );
}

#[test]
fn a_stack_whose_data_is_damaged_is_ready_at_once_and_names_the_objects_until_the_files_are_back() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let own = ["--encoder", "none"];
    let mut stack = Stack::start_with(&state_dir, &own);
    stack.ready(&state_dir);
    stack.stop("-TERM");
    let files = || {
        let entries = std::fs::read_dir(state_dir.join("blobs")).expect("a folder");
        entries.map(|entry| entry.expect("readable").path())
    };
    let whole: Vec<(PathBuf, Vec<u8>)> = files()
        .map(|path| (path.clone(), std::fs::read(&path).expect("readable")))
        .collect();
    for (path, bytes) in &whole {
        let mut damaged = bytes.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        std::fs::write(path, damaged).expect("written");
    }

    let begin = Instant::now();
    let told = program(&state_dir)
        .args(["--port", "0"])
        .args(own)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut told = Stack(told.expect("the program starts"));
    let errors = told.0.stderr.take().expect("it is a pipe");
    let mut lines = BufReader::new(errors)
        .lines()
        .map(|line| line.expect("the words are UTF-8"));
    let words = lines.find(|line| line.starts_with("! No text is classified"));
    let waited = begin.elapsed();
    told.ready(&state_dir);
    let (_, status) = status_until(&state_dir, &[], |said| {
        said.contains("! the data of s3://training-")
    });
    let versions = program(&state_dir).arg("versions").output();
    for (path, bytes) in &whole {
        std::fs::write(path, bytes).expect("put back");
    }
    status_until(&state_dir, &[], |said| {
        said.contains("Damaged objects") && !said.contains("! the data of")
    });
    drop(told);

    let words = words.expect("it says why");
    assert!(
        words.contains("the data of s3://training-") && words.contains("(file blobs/s3-"),
        "{words}"
    );
    assert!(words.contains("from a copy of the state folder"), "{words}");
    assert!(waited < Duration::from_secs(60), "{waited:?}");
    assert!(status.contains("put the file back"), "{status}");
    assert!(versions.expect("it runs").status.success());
}

#[tokio::test]
async fn a_stack_is_ready_with_the_training_data_of_its_last_start_and_the_same_file_takes_no_other_models_place()
 {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let data = folder.path().join("labels.csv");
    let rows = "Fruit,apples and pears\nFruit,a ripe plum\nTool,hammer and nails\nTool,a sharp saw\n";
    std::fs::write(&data, rows.repeat(5)).expect("the folder is writable");
    let mut first = Stack::start(&state_dir);
    first.ready(&state_dir);
    first.stop("-INT");
    std::fs::remove_file(state_dir.join("outputs.json")).expect("it was there");

    let data = data.to_str().expect("the path is UTF-8");
    let mut second = Stack::start_with(&state_dir, &["--training-data", data]);
    let outputs = second.ready(&state_dir);
    let request = http::Request::post(outputs.output("TextClassificationApiGatewayID"))
        .header("x-api-key", &outputs.api_key_value)
        .body(r#"{"classifier": "goods", "sentence": "a hammer"}"#.to_owned());
    let answer = http_client::send(request.expect("it is valid")).await;
    let undone = program(&state_dir).arg("rollback").output().expect("it runs");
    let replaced = second.stop("-INT");
    let mut third = Stack::start_with(&state_dir, &["--training-data", data]);
    third.ready(&state_dir);
    let kept = third.stop("-INT");

    let answer = answer.expect("it answers").into_body();
    assert!(answer.contains(r#""prediction":"Tool""#), "{answer}");
    assert!(
        replaced.contains("takes the place of the one that serves"),
        "{replaced}"
    );
    assert!(undone.status.success(), "{undone:?}");
    assert!(
        kept.contains("the file is that of before, and another model serves since"),
        "{kept}"
    );
}

/// Runs `status` until what it says is as wanted; returns it with the exit code.
fn status_until(
    state_dir: &Path,
    options: &[&str],
    is_wanted: impl Fn(&str) -> bool,
) -> (Option<i32>, String) {
    let begin = Instant::now();
    loop {
        let mut status = Command::new(PROGRAM);
        status
            .arg("status")
            .args(options)
            .arg("--state-dir")
            .arg(state_dir);
        let output = status.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if is_wanted(&said) {
            return (output.status.code(), said);
        }
        assert!(begin.elapsed() < DEADLINE, "{said}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_lists_refused_and_repaired_files_with_their_reasons_and_fails_until_the_refused_one_is_mended()
 {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut stack = Stack::start(folder.path());
    let outputs = stack.ready(folder.path());
    let s3 = aws_sdk_s3::Client::new(&user::sdk_config(&outputs.endpoint_url).await);
    let put = async |key: &str, rows: &str| {
        let put = s3
            .put_object()
            .bucket(outputs.output("TrainingS3Bucket"))
            .key(key);
        put.body(rows.as_bytes().to_vec().into())
            .send()
            .await
            .expect("an upload");
    };
    let rows = "Fruit,apples and pears\nFruit,a ripe plum\nTool,hammer and nails\nTool,a sharp saw\n";
    let repaired = "initial/own.csv taken\n    line 1: the header line was skipped";
    let refused = "initial/bad.csv refused: line 2: the text is empty";

    put("initial/own.csv", &format!("label,text\n{rows}")).await;
    let (taken, _) = status_until(folder.path(), &[], |said| said.contains(repaired));
    put("initial/bad.csv", "Fruit,a plum\nTool,\n").await;
    let (failed, _) = status_until(folder.path(), &[], |said| {
        said.contains(refused) && said.contains(repaired)
    });
    let (failed_json, _) = status_until(folder.path(), &["--json"], |said| {
        said.contains("initial/bad.csv")
    });
    put("initial/bad.csv", &rows.replace("apples", "cherries")).await;
    let (mended, said) = status_until(folder.path(), &[], |said| said.contains("initial/bad.csv taken"));
    stack.stop("-INT");

    assert_eq!(
        (taken, failed, failed_json, mended),
        (Some(0), Some(1), Some(1), Some(0))
    );
    assert!(!said.contains("refused:"), "{said}");
}

#[test]
fn a_stack_that_can_store_nothing_more_ends_and_says_so() {
    let folder = tempfile::tempdir().expect("temporary folder");
    // A file may have 4,096 blocks of 512 or 1,024 bytes: room for the start, not for the uploads.
    let script = r#"ulimit -f 4096; trap '' XFSZ; exec "$0" --port 0 --state-dir "$1""#;
    let child = Command::new("sh")
        .args(["-c", script, PROGRAM])
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut stack = Stack(child.expect("the program starts"));
    let outputs = stack.ready(folder.path());

    let upload = tokio::runtime::Runtime::new().expect("a runtime");
    upload.block_on(fill(&outputs));
    let mut words = String::new();
    let mut stderr = stack.0.stderr.take().expect("it is a pipe");
    std::io::Read::read_to_string(&mut stderr, &mut words).expect("the words are UTF-8");

    assert_eq!(stack.0.wait().expect("the program is ours").code(), Some(1));
    assert!(words.contains("cannot be written any more"), "{words}");
}

/// Uploads small objects, which lie in the index, until one is refused.
async fn fill(outputs: &StackOutputs) {
    let s3 = aws_sdk_s3::Client::new(&user::sdk_config(&outputs.endpoint_url).await);
    for number in 0..2_000 {
        let put = s3.put_object().bucket(outputs.output("TrainingS3Bucket"));
        let body = vec![b'x'; 16 * 1024];
        if put
            .key(number.to_string())
            .body(body.into())
            .send()
            .await
            .is_err()
        {
            return;
        }
    }
    panic!("32 MB went into files of at most 4");
}

/// Reads one request of a keep-alive connection; returns its first line and its body.
fn request(connection: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = (head.lines())
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().expect("a length"));
            if body.len() >= length {
                return Some((head.lines().next()?.to_owned(), body.to_owned()));
            }
        }
        match connection.read(&mut buffer).expect("the connection can be read") {
            0 => return None,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Serves a function one event as the Runtime API of Lambda does; returns its answer.
fn serve_one_event(listener: &TcpListener, function: &mut Stack, event: &str) -> String {
    listener.set_nonblocking(true).expect("it is a socket");
    loop {
        let Ok((mut connection, _)) = listener.accept() else {
            let ended = function.0.try_wait().expect("the function is ours");
            assert!(ended.is_none(), "the function ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        connection.set_nonblocking(false).expect("it is a socket");
        while let Some((line, body)) = request(&mut connection) {
            if line.starts_with("POST") {
                return body;
            }
            let length = event.len();
            let head = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\
                        Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n";
            let answer = format!("{head}Content-Length: {length}\r\n\r\n{event}");
            connection
                .write_all(answer.as_bytes())
                .expect("the function listens");
        }
    }
}

#[test]
fn a_function_whose_standard_input_is_closed_serves_whoever_else_started_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let event = include_str!("../../../events/feedback-api/like.json");
    let event = event.replace(r#""httpMethod": "POST""#, r#""httpMethod": "PUT""#);

    let function = Command::new(PROGRAM)
        .args(["lambda", "feedback-api"])
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "feedback-api")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "logs")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
        .env("AWS_REGION", "us-east-1")
        .env("FEEDBACK_STREAM_NAME", "stream")
        .env("FEEDBACK_BUCKET_NAME", "bucket")
        .env("TRAINING_BUCKET_NAME", "training")
        .env("DEFAULT_CLASSIFIER_NAME", "default")
        .env("CLAIM_RETENTION_DAYS", "90")
        .env("REVIEW_BUDGET_PER_DAY", "0")
        .env("POOL_TEXTS_IN_REVIEW", "0")
        .env("SEVERAL_LABELS", "false")
        .env("PERSONAL_DATA", "keep")
        .env("LANGUAGE_CODE", "en")
        .env("ALLOWED_ORIGIN", "*")
        .stdin(Stdio::null())
        .spawn();
    let mut function = Stack(function.expect("the program starts"));

    let answer = serve_one_event(&listener, &mut function, &event);

    assert!(answer.contains("405"), "{answer}");
}

/// What the program prints of itself.
fn told(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .env_remove("NO_COLOR")
        .output();
    String::from_utf8(output.expect("the program starts").stdout).expect("UTF-8")
}

/// Returns the commands that the help lists.
fn listed_commands(help: &str) -> Vec<&str> {
    let (_, list) = help.split_once("Commands:\n").expect("a list");
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").collect()
}

#[test]
fn every_command_that_reports_prints_json_if_asked_and_shows_an_example() {
    // `audit` reports by commands of its own, the others do something or write a file.
    let without_report = [
        "adjudicate",
        "approve",
        "audit",
        "completions",
        "demo",
        "export",
        "fault-run",
        "run",
    ];
    let help = told(&["--help"]);
    let commands = listed_commands(&help);

    let lacks = |command: &&&str, words: &str| !told(&[**command, "--help"]).contains(words);
    let without_json: Vec<_> = commands
        .iter()
        .filter(|it| !without_report.contains(*it))
        .filter(|it| lacks(it, "--json"))
        .collect();
    let without_example: Vec<_> = commands
        .iter()
        .filter(|it| lacks(it, "\nExample: active-learning "))
        .collect();

    assert!(commands.len() > 15, "{commands:?}");
    assert!(without_json.is_empty(), "{without_json:?}");
    assert!(without_example.is_empty(), "{without_example:?}");
    assert!(told(&["audit", "report", "--help"]).contains("--json"));
}

#[test]
fn what_starts_functions_is_hidden_and_nothing_is_coloured_off_a_terminal() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let help = told(&["--help"]);

    let refused = program(folder.path())
        .args(["-v", "status"])
        .env_remove("NO_COLOR")
        .output();

    let refused = refused.expect("the program starts");
    let said = String::from_utf8(refused.stderr).expect("UTF-8");
    assert!(!listed_commands(&help).contains(&"lambda"));
    assert!(
        told(&["lambda", "--help"]).contains("Usage"),
        "it is there all the same"
    );
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("no stack was started"), "{said}");
    assert!(!help.contains('\u{1b}') && !said.contains('\u{1b}'), "{said:?}");
}

/// Runs `versions` of a stack as if it were on AWS, signed in by this profile.
fn versions_as(profile: &str, home: &Path, stack: &StackOutputs) -> std::process::Output {
    let mut command = Command::new(PROGRAM);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("HOME", home)
        .env("AWS_CONFIG_FILE", home.join("config"))
        .env("AWS_PROFILE", profile)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ENDPOINT_URL", &stack.endpoint_url)
        .args(["versions", "--bucket", stack.output("TrainingS3Bucket")])
        .args(["--state-machine", stack.output("ModelBuildingStateMachineArn")]);
    command.output().expect("the program starts")
}

#[test]
fn whoever_is_signed_in_with_the_aws_cli_in_whichever_way_is_signed_in_here() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let home = tempfile::tempdir().expect("temporary folder");
    let credentials = r#"{"Version":1,"AccessKeyId":"test","SecretAccessKey":"test"}"#;
    std::fs::write(home.path().join("credentials.json"), credentials).expect("writable");
    let config = format!(
        "[profile process]\nregion = us-east-1\ncredential_process = cat {}\n\
         [profile sso]\nregion = us-east-1\nsso_session = work\nsso_account_id = 123456789012\nsso_role_name = Dev\n\
         [sso-session work]\nsso_region = us-east-1\nsso_start_url = https://example.com/start\n\
         [profile login]\nregion = us-east-1\nlogin_session = arn:aws:iam::123456789012:user/ann\n",
        home.path().join("credentials.json").display()
    );
    std::fs::write(home.path().join("config"), config).expect("writable");
    let mut stack = Stack::start(folder.path());
    let outputs = stack.ready(folder.path());

    let by_process = versions_as("process", home.path(), &outputs);
    let by_sso = versions_as("sso", home.path(), &outputs);
    let by_login = versions_as("login", home.path(), &outputs);
    stack.stop("-INT");

    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(by_process.status.success(), "{}", said(&by_process));
    // Nobody has signed in: that is what is said, and not that the program knows no such profile.
    for (output, file) in [(&by_sso, "sso/cache"), (&by_login, "login")] {
        let said = said(output);
        assert!(!output.status.success() && !said.contains("feature"), "{said}");
        assert!(said.contains(file), "{said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = Command::new(PROGRAM)
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");

    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("the program is ours");

    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{said}");
}
