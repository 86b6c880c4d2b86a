//! S3 is called in one place, which knows what its refusals mean.

use std::{fs, path::Path};

/// Operations of the S3 client, as they are called.
const CALLS: [&str; 13] = [
    ".get_object()",
    ".head_object()",
    ".put_object()",
    ".copy_object()",
    ".delete_object()",
    ".delete_objects()",
    ".list_objects()",
    ".list_objects_v2()",
    ".list_object_versions()",
    ".create_multipart_upload()",
    ".upload_part()",
    ".complete_multipart_upload()",
    ".abort_multipart_upload()",
];

/// What may call S3: the bucket.
const ALLOWED: [&str; 7] = [
    "aws/src/bucket.rs",
    "aws/src/bucket/leaving.rs",
    "aws/src/bucket/listing.rs",
    "aws/src/bucket/removal.rs",
    "aws/src/bucket/touch.rs",
    "aws/src/bucket/versions.rs",
    "aws/src/bucket/write.rs",
];

#[test]
fn no_call_of_s3_stands_outside_the_bucket() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for package in fs::read_dir(&crates).expect("the workspace") {
        let sources = package.expect("a folder").path().join("src");
        if sources.is_dir() {
            collect(&sources, &mut files);
        }
    }

    let mut outside = Vec::new();
    for file in &files {
        let name = file
            .trim_start_matches(crates.to_str().expect("UTF-8"))
            .trim_start_matches('/');
        let source = fs::read_to_string(file).expect("a source file");
        // Tests look into buckets with the SDK's own client.
        let product = source
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let dense: String = product.split_whitespace().collect();
        let calls = CALLS.iter().filter(|call| dense.contains(**call));
        outside.extend(calls.map(|call| format!("{name}: {call}")));
    }
    outside.retain(|call| {
        !call.contains("/tests.rs: ")
            && !call.contains("/tests/")
            && !ALLOWED.iter().any(|allowed| call.starts_with(allowed))
    });

    assert!(files.len() > 100, "the sources were found: {}", files.len());
    assert_eq!(outside, Vec::<String>::new());
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.to_str().expect("UTF-8").to_owned());
        }
    }
}
