//! A state folder that is damaged at random: what is opened gives what was stored or an error, and nothing is deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use aws_sdk_s3::{Client, error::ProvideErrorMetadata};
use local_aws::{LocalAws, s3::BucketSpec};
use tempfile::TempDir;

const INDEX: &str = "index.redb";
/// Rounds with each kind of folder.
const ROUNDS: u64 = 20;

/// Numbers by chance, the same for a seed. Source: Marsaglia, "Xorshift RNGs".
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

/// Files of a state folder by name, and the objects that were stored in it.
struct Stored {
    files: BTreeMap<String, Vec<u8>>,
    objects: BTreeMap<String, Vec<u8>>,
    /// Key of the object that was stored last.
    last: String,
}

fn open(folder: &Path) -> Result<LocalAws, String> {
    LocalAws::open(folder, "us-east-1", "http://127.0.0.1:4566").map_err(|error| error.to_string())
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    files.insert(INDEX.to_owned(), fs::read(folder.join(INDEX)).expect("readable"));
    for blob in fs::read_dir(folder.join("blobs")).expect("readable") {
        let path = blob.expect("readable").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        files.insert(format!("blobs/{name}"), fs::read(&path).expect("readable"));
    }
    files
}

/// Stores objects, in the index and in files; and leaves the folder as after an end, or as after `kill -9`.
async fn stored(is_killed: bool) -> Stored {
    let folder = TempDir::new().expect("a folder");
    let aws = open(folder.path()).expect("a new folder");
    let bucket = BucketSpec {
        name: "bucket".to_owned(),
        ..BucketSpec::default()
    };
    aws.s3.put_bucket(bucket).expect("a good name");
    let s3 = Client::new(&aws.sdk_config());
    let mut objects = BTreeMap::new();
    let mut last = String::new();
    for number in 0..120_usize {
        // Some are written twice, and each twentieth lies in a file.
        last = format!("key-{:03}", number % 100);
        let length = if number.is_multiple_of(20) || number == 119 {
            40_000
        } else {
            700
        };
        let body: Vec<u8> = (0..length)
            .map(|at| ((at * 31 + number * 7) % 251) as u8)
            .collect();
        let put = s3
            .put_object()
            .bucket("bucket")
            .key(&last)
            .body(body.clone().into());
        put.send().await.expect("stored");
        objects.insert(last.clone(), body);
    }
    if is_killed {
        let files = files(folder.path());
        return Stored { files, objects, last };
    }
    drop((s3, aws));
    let files = files(folder.path());
    Stored { files, objects, last }
}

/// Damages one file; returns what was done.
fn damage(files: &mut BTreeMap<String, Vec<u8>>, random: &mut Random) -> String {
    let names: Vec<String> = files.keys().cloned().collect();
    // Two of three times the index.
    let name = match random.below(3) {
        0 => names[random.below(names.len())].clone(),
        _ => INDEX.to_owned(),
    };
    let bytes = files.get_mut(&name).expect("it is one of them");
    let at = random.below(bytes.len());
    let kind = random.below(5);
    match kind {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => {
            let page = at / 4_096 * 4_096;
            let end = bytes.len().min(page + 4_096);
            bytes[page..end].fill(0);
        }
        2 => {
            let end = bytes.len().min(at + 20_000);
            bytes[at..end].fill(0);
        }
        3 => bytes.truncate(at),
        _ if name == INDEX => bytes.truncate(4_096 * random.below(4)),
        _ => {
            files.remove(&name);
        }
    }
    format!("{name}, kind {kind} at {at}")
}

fn write(files: &BTreeMap<String, Vec<u8>>) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("blobs")).expect("made");
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).expect("written");
    }
    folder
}

/// Reads all objects; returns the keys of those that are not as they were stored though there was no error.
async fn wrong(aws: &LocalAws, stored: &Stored) -> BTreeSet<String> {
    let s3 = Client::new(&aws.sdk_config());
    let mut wrong = BTreeSet::new();
    for (key, body) in &stored.objects {
        let got = s3.get_object().bucket("bucket").key(key).send().await;
        let is_wrong = match got {
            Ok(got) => match got.body.collect().await {
                Ok(read) => read.to_vec() != *body,
                Err(_) => false,
            },
            // A connection that breaks off has none.
            Err(error) => error.code().is_some_and(|code| code != "InternalError"),
        };
        if is_wrong {
            wrong.insert(key.clone());
        }
    }
    wrong
}

#[tokio::test]
async fn what_is_damaged_is_said_at_the_start_or_when_it_is_read_and_nothing_is_deleted() {
    let (mut refused, mut opened) = (0, 0);
    for is_killed in [false, true] {
        let stored = stored(is_killed).await;
        for seed in 1..=ROUNDS {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut damaged = stored.files.clone();
            let what = format!("{}, killed: {is_killed}", damage(&mut damaged, &mut random));
            let folder = write(&damaged);
            match open(folder.path()) {
                Err(said) => {
                    refused += 1;
                    assert!(said.contains("nothing was changed"), "{what}: {said}");
                    assert!(said.contains("Put a copy of"), "{what}: {said}");
                    assert!(files(folder.path()) == damaged, "{what}: something was changed");
                }
                Ok(aws) => {
                    opened += 1;
                    let wrong = wrong(&aws, &stored).await;
                    // Of the last change nobody can tell whether it was done with when the machine stopped.
                    let may_be = if is_killed {
                        BTreeSet::from([stored.last.clone()])
                    } else {
                        BTreeSet::new()
                    };
                    assert!(wrong.is_subset(&may_be), "{what}: {wrong:?}");
                    let left = files(folder.path());
                    let is_left = damaged.keys().all(|name| left.contains_key(name));
                    assert!(is_left, "{what}: a file is gone");
                }
            }
        }
    }
    assert!(refused > 5 && opened > 5, "{refused} {opened}");
}
