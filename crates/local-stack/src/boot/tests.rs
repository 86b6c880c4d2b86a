use aws_sdk_s3::{Client, primitives::ByteStream};

use super::*;

const TEMPLATE: &str = "{Resources: {Data: {Type: AWS::S3::Bucket}}, Outputs: {Name: {Value: !Ref Data}}}";

fn settings(state_dir: &Path) -> Settings {
    Settings {
        port: 0,
        allowed_hosts: Vec::new(),
        state_dir: state_dir.to_owned(),
        template: TEMPLATE.to_owned(),
        template_files: TemplateFiles::Folder(state_dir.to_owned()),
        parameters: BTreeMap::new(),
        programs: Programs {
            executable: "/bin/false".into(),
            names: &[],
            check: |_, _| Ok(()),
        },
        model_endpoints: BTreeMap::new(),
    }
}

fn s3(stack: &Running) -> Client {
    Client::new(&stack.aws.sdk_config())
}

/// A blocking write that nobody waits for may hold the folder a moment longer than the stack.
async fn start_when_free(settings: &Settings) -> Running {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match start(settings).await {
            Err(BootError::State(OpenError::InUse(_))) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome.expect("it starts again"),
        }
    }
}

#[tokio::test]
async fn a_stack_goes_on_where_it_was_stopped() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let first = start(&settings(folder.path())).await.expect("it starts");
    let bucket = first.outputs["Name"].clone();
    let put = s3(&first).put_object().bucket(&bucket).key("a");
    put.body(ByteStream::from_static(b"1"))
        .send()
        .await
        .expect("stored");
    first.stop().await;

    let second = start_when_free(&settings(folder.path())).await;
    let object = s3(&second).get_object().bucket(&bucket).key("a").send().await;
    let bytes = object.expect("there").body.collect().await.expect("readable");
    second.stop().await;

    assert_eq!(bytes.to_vec(), b"1");
}

async fn refused(folder: &Path) -> String {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        match start(&settings(folder)).await.err() {
            Some(BootError::State(OpenError::InUse(_))) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            error => return error.expect("it does not start").to_string(),
        }
    }
}

/// Starts, stores a small and a large object, stops, and takes a file or folder away. Returns what a start says
/// then, and checks that it works again once the file or folder is back.
async fn refused_without(name: &str) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let first = start(&settings(folder.path())).await.expect("it starts");
    let bucket = first.outputs["Name"].clone();
    for (key, size) in [("small", 1), ("large", 100_000)] {
        let put = s3(&first).put_object().bucket(&bucket).key(key);
        let put = put.body(ByteStream::from(vec![b'x'; size]));
        put.send().await.expect("stored");
    }
    first.stop().await;
    let (path, aside) = (folder.path().join(name), folder.path().with_extension("aside"));
    std::fs::rename(&path, &aside).expect("taken away");

    let said = refused(folder.path()).await;

    if path.is_dir() {
        std::fs::remove_dir_all(&path).expect("removed");
    }
    std::fs::rename(&aside, &path).expect("put back");
    let again = start_when_free(&settings(folder.path())).await;
    for (key, size) in [("small", 1), ("large", 100_000)] {
        let object = s3(&again).get_object().bucket(&bucket).key(key).send().await;
        let bytes = object.expect("there").body.collect().await.expect("readable");
        assert_eq!(bytes.to_vec().len(), size);
    }
    again.stop().await;
    said
}

#[tokio::test]
async fn a_state_folder_that_is_not_whole_is_refused_and_left_as_it_is() {
    let said = [
        refused_without("index.redb").await,
        refused_without("stack.json").await,
        refused_without("blobs").await,
    ];

    let words = [
        "its index index.redb is gone",
        "its stack.json is gone",
        "the index in the state folder",
    ];
    for (said, words) in said.iter().zip(words) {
        assert!(
            said.contains(words) && said.contains("nothing was changed"),
            "{said}"
        );
        // What can be done, not only what is wrong.
        assert!(
            said.contains("a copy of the") && said.contains("or choose another folder to begin anew"),
            "{said}"
        );
    }
}

/// Starts and stops a stack, writes its identity anew, and returns what a start says then; checks that it works again
/// once the identity is as it was.
async fn refused_with_identity(written: &str) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    start(&settings(folder.path()))
        .await
        .expect("it starts")
        .stop()
        .await;
    let path = folder.path().join("stack.json");
    let before = std::fs::read(&path).expect("readable");
    std::fs::write(&path, written).expect("written");

    let said = refused(folder.path()).await;

    let left = std::fs::read_to_string(&path).expect("readable");
    assert_eq!(left, written);
    std::fs::write(&path, before).expect("written");
    start_when_free(&settings(folder.path())).await.stop().await;
    said
}

#[tokio::test]
async fn an_identity_that_is_damaged_or_of_another_stack_is_refused_and_left_as_it_is() {
    let other = r#"{"stackUuid": "0b5c3d5e-6a0e-4d0e-9a55-0d8a6a4f1c11", "seed": "00"}"#;
    let said = [
        refused_with_identity("").await,
        refused_with_identity("{\"stackUuid\": \"0b5").await,
        refused_with_identity(other).await,
    ];

    let words = [
        "stack.json in the state folder",
        "is damaged",
        "holds the data of another stack than its stack.json says",
    ];
    for (said, words) in said.iter().zip(words) {
        assert!(said.contains(words), "{said}");
        assert!(said.to_lowercase().contains("nothing was changed"), "{said}");
        assert!(
            said.contains("a copy of the folder") && said.contains("choose another folder to begin anew"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_stack_whose_folder_of_blobs_goes_says_so_at_once() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let running = start(&settings(folder.path())).await.expect("it starts");
    std::fs::remove_dir_all(folder.path().join("blobs")).expect("removed");

    let failed = tokio::time::timeout(Duration::from_secs(20), running.aws.storage_failed()).await;

    assert!(failed.is_ok());
    running.stop().await;
}

#[tokio::test]
async fn a_second_start_on_the_same_folder_or_port_says_so() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("temporary folder"));
    let running = start(&settings(folders[0].path())).await.expect("it starts");
    let port = running.endpoint_url.rsplit(':').next().expect("a port");
    let port = port.parse().expect("a number");

    let same_folder = start(&settings(folders[0].path())).await.err();
    let same_both = start(&Settings {
        port,
        ..settings(folders[0].path())
    })
    .await
    .err();
    let same_port = start(&Settings {
        port,
        ..settings(folders[1].path())
    })
    .await
    .err();
    running.stop().await;

    for error in [same_folder, same_both] {
        assert!(
            matches!(error, Some(BootError::State(OpenError::InUse(_)))),
            "{error:?}"
        );
    }
    assert!(
        matches!(same_port, Some(BootError::PortInUse(_))),
        "{same_port:?}"
    );
}

#[test]
fn the_port_of_the_scheme_is_left_out_of_urls() {
    let url = |port| endpoint_url(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));

    assert_eq!(
        [url(80), url(4566)],
        ["http://127.0.0.1", "http://127.0.0.1:4566"]
    );
}

#[tokio::test]
async fn a_template_that_is_refused_leaves_the_folder_free() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let template = "{Resources: {Data: {Type: AWS::SQS::Queue}}}".to_owned();
    let refused = start(&Settings {
        template,
        ..settings(folder.path())
    })
    .await
    .err();

    let started = start(&settings(folder.path())).await;

    let words = refused.expect("refused").to_string();
    assert_eq!(
        words,
        "the template cannot be started:\n  Resources.Data.Type: AWS::SQS::Queue is not supported by local-stack"
    );
    started.expect("it starts").stop().await;
}

const MACHINE: &str = r#"
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Principal: { Service: states.amazonaws.com }, Action: sts:AssumeRole }]
      Policies:
        - PolicyName: publish
          PolicyDocument: { Statement: [{ Effect: Allow, Action: sns:Publish, Resource: !Ref Topic }] }
  Topic: { Type: AWS::SNS::Topic, Properties: { TopicName: news } }
  Machine:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: build
      RoleArn: !GetAtt Role.Arn
      DefinitionS3Location: build.asl.json
      DefinitionSubstitutions: { TopicArn: !Ref Topic }
Outputs: { Machine: { Value: !Ref Machine } }
"#;
const DEFINITION: &str = r#"{"StartAt": "Tell", "States": {"Tell": {
        "Type": "Task",
        "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": "${TopicArn}", "Message.$": "$.message"},
        "End": true
    }}}"#;

#[tokio::test]
async fn a_state_machine_runs_from_the_file_beside_the_template() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::write(folder.path().join("build.asl.json"), DEFINITION).expect("written");
    let settings = Settings {
        template: MACHINE.to_owned(),
        ..settings(folder.path())
    };
    let stack = start(&settings).await.expect("it starts");
    let input = r#"{"message": "built"}"#.to_owned();

    let started = stack
        .aws
        .step_functions
        .start_execution(&stack.outputs["Machine"], None, input);

    started.expect("it starts");
    let log = folder.path().join("logs/news.log");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains(r#""message":"built""#)) {
        assert!(tokio::time::Instant::now() < deadline, "the message is published");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stack.stop().await;
}

const OWN_FUNCTION: &str = "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }]
  Function:
    Type: AWS::Lambda::Function
    Properties: { Code: own, Runtime: provided.al2023, Handler: shout, Role: !GetAtt Role.Arn, Timeout: 60 }
Outputs: { Function: { Value: !Ref Function } }
";
/// Answers one event with its text in capitals.
const BOOTSTRAP: &str = r#"#!/usr/bin/env python3
import http.client, json, os
assert os.path.isfile(os.environ["LAMBDA_TASK_ROOT"] + "/bootstrap")
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    runtime.request("GET", "/2018-06-01/runtime/invocation/next")
    event = runtime.getresponse()
    answer = json.dumps({"taskInput": json.load(event)["dataObject"]["source"].upper()})
    runtime.request("POST", f"/2018-06-01/runtime/invocation/{event.headers['Lambda-Runtime-Aws-Request-Id']}/response", answer)
    runtime.getresponse().read()
"#;

#[cfg(unix)]
#[tokio::test]
async fn a_function_of_ones_own_runs_from_the_folder_beside_the_template() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("temporary folder");
    let bootstrap = folder.path().join("own/bootstrap");
    std::fs::create_dir(folder.path().join("own")).expect("made");
    std::fs::write(&bootstrap, BOOTSTRAP).expect("written");
    std::fs::set_permissions(&bootstrap, PermissionsExt::from_mode(0o755)).expect("it is ours");
    let state = folder.path().join("state");
    let settings = Settings {
        template: OWN_FUNCTION.to_owned(),
        template_files: TemplateFiles::Folder(folder.path().to_owned()),
        ..settings(&state)
    };
    let stack = start(&settings).await.expect("it starts");

    let event = r#"{"dataObject": {"source": "a draw"}}"#.into();
    let answer = stack.aws.lambda.invoke(&stack.outputs["Function"], event).await;
    stack.stop().await;

    let answer = answer.expect("it answers").payload;
    assert_eq!(answer, r#"{"taskInput": "A DRAW"}"#);
}

#[tokio::test]
async fn a_role_that_step_functions_cannot_assume_is_refused_at_start() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::write(folder.path().join("build.asl.json"), DEFINITION).expect("written");
    let template = MACHINE.replace("states.amazonaws.com", "lambda.amazonaws.com");

    let refused = start(&Settings {
        template,
        ..settings(folder.path())
    })
    .await
    .err();

    let words = refused.expect("refused").to_string();
    assert!(
        words.contains("does not let states.amazonaws.com assume it"),
        "{words}"
    );
}
