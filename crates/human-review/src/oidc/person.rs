//! Who the claims of a provider are of, and what they may do.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{OidcError, OidcSettings};
use crate::checked_reviewer;
use crate::session::Role;

/// Somebody whom the provider signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name of the reviewer: the e-mail address that the provider has verified, else one made of the subject.
    pub name: String,
    /// What their groups let them do; none where roles are those of the console.
    pub role: Option<Role>,
    /// Their groups, which make them members of work teams.
    pub groups: Vec<String>,
}

/// Groups that are kept of a person: some providers name hundreds.
const MAX_GROUPS: usize = 500;

impl Person {
    /// Reads the claims of a token that was verified.
    pub(super) fn of(claims: &Map<String, Value>, settings: &OidcSettings) -> Result<Self, OidcError> {
        let groups = groups(claims, &settings.groups_claim);
        let is_in = |group: &Option<String>| group.as_ref().map(|group| groups.contains(group));
        let is_admin = is_in(&settings.admin_group);
        let is_reviewer = is_in(&settings.reviewer_group).unwrap_or(true);
        let role = match is_admin {
            Some(true) => Some(Role::Admin),
            _ if !is_reviewer => return Err(OidcError::NotInGroup),
            Some(false) => Some(Role::Reviewer),
            None => None,
        };
        Ok(Self {
            name: name(claims, &settings.issuer),
            role,
            groups: groups.into_iter().take(MAX_GROUPS).collect(),
        })
    }
}

/// Returns a name that no other person of this or another provider has, nor anybody who was invited by a link, unless by
/// their e-mail address.
fn name(claims: &Map<String, Value>, issuer: &str) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // An address that nobody verified could be anybody's.
    let is_verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        Some(Value::String(verified)) => verified == "true",
        _ => false,
    };
    let email = text("email").filter(|_| is_verified).map(str::to_lowercase);
    if let Some(email) = email.filter(|email| email.contains('@') && checked_reviewer(email).is_ok()) {
        return email;
    }
    let subject = text("sub").unwrap_or_default();
    let host = url::Url::parse(issuer).ok();
    let host = host.as_ref().and_then(url::Url::host_str).unwrap_or("provider");
    let digest = hex::encode(&Sha256::digest(format!("{issuer}\0{subject}"))[..8]);
    let host: String = host.chars().take(40).collect();
    format!("{digest}@{host}")
}

/// Claims with the address of somebody and whether it is theirs, which count together only.
const ADDRESS: [&str; 2] = ["email", "email_verified"];

/// Returns whether the claims hold all that is looked at: the address, whether it was verified, and the groups where
/// there are any that matter.
pub(super) fn is_complete(claims: &Map<String, Value>, settings: &OidcSettings) -> bool {
    let needs_groups = settings.admin_group.is_some() || settings.reviewer_group.is_some();
    has_address(claims) && (!needs_groups || has_groups(claims, &settings.groups_claim))
}

/// Adds the claims of another source. Whether an address was verified is said by the source that names it.
pub(super) fn add(claims: &mut Map<String, Value>, more: Map<String, Value>) {
    claims.retain(|_, value| !value.is_null());
    if !has_address(claims) {
        ADDRESS.iter().for_each(|name| drop(claims.remove(*name)));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
}

fn has_address(claims: &Map<String, Value>) -> bool {
    let has = |name: &&str| claims.get(*name).is_some_and(|value| !value.is_null());
    ADDRESS.iter().all(has)
}

/// Returns whether the claims say in which groups somebody is.
fn has_groups(claims: &Map<String, Value>, claim: &str) -> bool {
    find(claims, claim).is_some_and(|groups| !groups.is_null())
}

/// Returns the groups of a claim: a list of texts, or one. A dot leads into an object, as Keycloak's `realm_access.roles`.
fn groups(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    match find(claims, claim) {
        Some(Value::String(group)) => vec![group.clone()],
        Some(Value::Array(groups)) => {
            let groups = groups.iter().filter_map(Value::as_str);
            groups.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn find<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a Value> {
    let by_path = || {
        let mut names = claim.split('.');
        let first = claims.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    };
    claims.get(claim).or_else(by_path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(admins: Option<&str>, reviewers: Option<&str>) -> OidcSettings {
        OidcSettings {
            issuer: "https://id.example.com/realm".to_owned(),
            client_id: "portal".to_owned(),
            client_secret_arn: None,
            more_scopes: None,
            groups_claim: "groups".to_owned(),
            admin_group: admins.map(str::to_owned),
            reviewer_group: reviewers.map(str::to_owned),
        }
    }

    fn person(claims: Value, settings: &OidcSettings) -> Result<Person, OidcError> {
        Person::of(claims.as_object().expect("an object"), settings)
    }

    #[test]
    fn groups_decide_who_comes_in_and_as_what() {
        let role = |groups: Value, admins, reviewers| {
            let claims = json!({"sub": "ann", "groups": groups});
            person(claims, &settings(admins, reviewers)).map(|person| person.role)
        };
        let (boss, staff) = (Some("boss"), Some("staff"));

        assert_eq!(role(json!(["boss"]), boss, staff), Ok(Some(Role::Admin)));
        assert_eq!(role(json!(["staff", "x"]), boss, staff), Ok(Some(Role::Reviewer)));
        assert_eq!(role(json!("staff"), boss, staff), Ok(Some(Role::Reviewer)));
        assert_eq!(role(json!(["x"]), boss, staff), Err(OidcError::NotInGroup));
        assert_eq!(role(json!(null), boss, staff), Err(OidcError::NotInGroup));
        assert_eq!(role(json!(["x"]), boss, None), Ok(Some(Role::Reviewer)));
        assert_eq!(role(json!(["staff"]), None, staff), Ok(None));
        assert_eq!(role(json!(null), None, None), Ok(None));
    }

    #[test]
    fn a_group_is_found_by_the_name_of_the_claim_or_by_the_way_to_it() {
        let claims = json!({"cognito:groups": ["a"], "https://x.example.com/groups": ["b"], "realm_access": {"roles": ["c"]}});
        let claims = claims.as_object().expect("an object");

        for (claim, group) in [
            ("cognito:groups", "a"),
            ("https://x.example.com/groups", "b"),
            ("realm_access.roles", "c"),
        ] {
            assert_eq!(groups(claims, claim), [group], "{claim}");
        }
        assert!(!has_groups(claims, "groups"));
    }

    #[test]
    fn whether_an_address_was_verified_is_said_by_the_source_that_names_it() {
        let merged = |claims: Value, more: Value| {
            let mut claims = claims.as_object().expect("an object").clone();
            add(&mut claims, more.as_object().expect("an object").clone());
            person(Value::Object(claims), &settings(None, None))
                .expect("they come in")
                .name
        };
        let boss = json!({"sub": "1", "email": "boss@example.com"});
        let ann = json!({"sub": "1", "email": "ann@example.com", "email_verified": true});

        assert_eq!(merged(boss.clone(), ann.clone()), "ann@example.com");
        assert_eq!(
            merged(json!({"sub": "1", "email_verified": true}), ann.clone()),
            "ann@example.com"
        );
        assert_eq!(
            merged(json!({"sub": "1", "email": null}), ann.clone()),
            "ann@example.com"
        );
        assert_eq!(merged(ann, boss.clone()), "ann@example.com");
        let unverified = merged(json!({"sub": "1", "email_verified": true}), boss.clone());
        assert!(unverified.ends_with("@id.example.com"), "{unverified}");
        let mixed = merged(boss, json!({"email_verified": true}));
        assert_eq!(mixed, unverified);
    }

    #[test]
    fn groups_are_missed_only_where_they_matter() {
        let complete = |claims: Value, settings: &OidcSettings| {
            is_complete(claims.as_object().expect("an object"), settings)
        };
        let address = json!({"email": "ann@example.com", "email_verified": false});
        let all = json!({"email": "ann@example.com", "email_verified": true, "groups": []});
        let unsaid = json!({"email": "ann@example.com", "groups": []});

        assert!(complete(address.clone(), &settings(None, None)));
        assert!(!complete(address.clone(), &settings(Some("boss"), None)));
        assert!(!complete(address, &settings(None, Some("staff"))));
        assert!(complete(all, &settings(Some("boss"), Some("staff"))));
        assert!(!complete(unsaid, &settings(None, None)));
    }

    #[test]
    fn only_an_address_that_was_verified_names_somebody() {
        let name = |claims: Value| person(claims, &settings(None, None)).expect("they come in").name;

        let verified = name(json!({"sub": "1", "email": "Ann@Example.com", "email_verified": true}));
        let by_cognito = name(json!({"sub": "1", "email": "ann@example.com", "email_verified": "true"}));
        let unverified = name(json!({"sub": "1", "email": "ann@example.com", "email_verified": false}));
        let unsaid = name(json!({"sub": "1", "email": "ann@example.com"}));
        let other = name(json!({"sub": "2"}));

        assert_eq!(
            (verified.as_str(), by_cognito.as_str()),
            ("ann@example.com", "ann@example.com")
        );
        assert!(
            unverified.ends_with("@id.example.com") && unverified.len() == 31,
            "{unverified}"
        );
        assert_eq!(unsaid, unverified);
        assert_ne!(other, unverified);
        let too_long = format!("{}@example.com", "x".repeat(64));
        assert_eq!(
            name(json!({"sub": "1", "email": too_long, "email_verified": true})),
            unverified
        );
    }
}
