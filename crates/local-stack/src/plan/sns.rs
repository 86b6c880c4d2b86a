//! `AWS::SNS::Topic`.

use local_aws::sns::TopicSpec;

use super::Properties;
use crate::template::Resource;

pub(super) fn topic(resource: &Resource, mut properties: Properties<'_>) -> TopicSpec {
    // Encryption at rest is the disk's on one machine.
    properties.ignore(&["DisplayName", "KmsMasterKeyId", "Tags", "TopicName"]);
    let name = resource.reference.rsplit(':').next().unwrap_or_default();
    TopicSpec {
        name: name.to_owned(),
    }
}
