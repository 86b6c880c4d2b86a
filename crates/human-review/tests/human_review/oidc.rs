//! Sign-in by an OpenID Connect provider, which answers as each test says.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use human_review::Config;
use human_review::oidc::OidcSettings;
use local_aws::LocalAws;
use local_aws::secretsmanager::{GenerateSecretString, SecretSpec};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::control_plane::{flow, made, start};
use crate::harness::{Reply, Review, Session, config};
use crate::teams::add_teams;

const CLIENT: &str = "portal";
const SCOPE: &str = "arn:aws:sagemaker:us-east-1:123456789012";

/// A key of the provider.
enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            // The modulus stands in the DER of a key of 2,048 bits after nine bytes.
            Self::Rsa(key) => json!({
                "kty": "RSA", "kid": kid, "use": "sig", "e": "AQAB", "n": encode(&key.public_key().as_ref()[9..265]),
            }),
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                    .expect("signed");
                signature
            }
            Self::Ec(key) => key
                .sign(&random, message.as_bytes())
                .expect("signed")
                .as_ref()
                .to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What the provider does next, and what it was asked.
#[derive(Default)]
struct Play {
    discovery: Value,
    keys: Vec<Value>,
    token: String,
    token_status: u16,
    user_info: Option<Value>,
    redeemed: Vec<(HeaderMap, String)>,
    key_lists: usize,
}

struct Issuer {
    url: String,
    play: Arc<Mutex<Play>>,
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let play = Arc::new(Mutex::new(Play {
            discovery: json!({
                "issuer": url,
                "authorization_endpoint": format!("{url}/auth?tenant=a"),
                "token_endpoint": format!("{url}/token"),
                "userinfo_endpoint": format!("{url}/me"),
                "jwks_uri": format!("{url}/jwks"),
            }),
            token_status: 200,
            ..Play::default()
        }));
        let (one, two, three, four) = (play.clone(), play.clone(), play.clone(), play.clone());
        let locked = |play: &Arc<Mutex<Play>>| play.lock().expect("not poisoned").discovery.to_string();
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(move || async move { locked(&one) }),
            )
            .route(
                "/jwks",
                get(move || async move {
                    let mut play = two.lock().expect("not poisoned");
                    play.key_lists += 1;
                    json!({"keys": play.keys}).to_string()
                }),
            )
            .route(
                "/token",
                post(move |headers: HeaderMap, form: String| async move {
                    let mut play = three.lock().expect("not poisoned");
                    play.redeemed.push((headers, form));
                    let body =
                        json!({"id_token": play.token, "access_token": "at-1", "token_type": "Bearer"});
                    (
                        StatusCode::from_u16(play.token_status).expect("a status"),
                        body.to_string(),
                    )
                }),
            )
            .route(
                "/me",
                get(move |headers: HeaderMap| async move {
                    let play = four.lock().expect("not poisoned");
                    match &play.user_info {
                        Some(info) if headers["authorization"] == "Bearer at-1" => {
                            (StatusCode::OK, info.to_string())
                        }
                        _ => (StatusCode::FORBIDDEN, String::new()),
                    }
                }),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, play }
    }

    fn change(&self, change: impl FnOnce(&mut Play)) {
        change(&mut self.play.lock().expect("not poisoned"));
    }

    /// Signs the next token with a key that the provider lists.
    fn answers(&self, key: &Key, claims: &Value) {
        let header = json!({"alg": key.algorithm(), "kid": "k-1"});
        self.change(|play| {
            play.keys = vec![json!({"kty": "future"}), key.jwk("k-1")];
            play.token = key.sign(&header, claims);
        });
    }

    fn redeemed(&self) -> Vec<(HeaderMap, String)> {
        self.play.lock().expect("not poisoned").redeemed.clone()
    }

    fn config(&self) -> Config {
        let settings = OidcSettings {
            issuer: self.url.clone(),
            client_id: CLIENT.to_owned(),
            client_secret_arn: None,
            more_scopes: None,
            groups_claim: "groups".to_owned(),
            admin_group: Some("bosses".to_owned()),
            reviewer_group: None,
        };
        Config {
            oidc: Some(settings),
            ..config()
        }
    }

    fn review(&self) -> Review {
        Review::with_provider(self.config(), &sdk())
    }

    fn claims(&self, login: &Login) -> Value {
        json!({
            "iss": self.url, "aud": CLIENT, "sub": "s-1", "nonce": login.query("nonce"),
            "iat": login.began, "exp": login.began + 300,
            "email": "ann@example.com", "email_verified": true, "groups": [],
        })
    }
}

fn sdk() -> SdkConfig {
    LocalAws::in_memory().sdk_config()
}

/// A browser that was sent to the provider.
struct Login {
    url: Url,
    cookie: String,
    began: i64,
}

impl Login {
    async fn begin(review: &Review) -> Self {
        let reply = review
            .portal("GET", "provider?next=https://evil.example/", None, &[])
            .await;
        assert_eq!(reply.status(), 303, "{reply:?}");
        Self {
            url: reply.header("location").parse().expect("a URL"),
            cookie: cookie(&reply),
            began: review.now().timestamp(),
        }
    }

    fn query(&self, name: &str) -> String {
        let mut pairs = self.url.query_pairs();
        pairs
            .find(|pair| pair.0 == name)
            .expect("it is there")
            .1
            .into_owned()
    }

    async fn come_back(&self, review: &Review) -> Reply {
        self.come_back_with(review, "").await
    }

    async fn come_back_with(&self, review: &Review, more: &str) -> Reply {
        let page = format!("callback?code=c-1&state={}{more}", self.query("state"));
        review.portal("GET", &page, Some(&self.cookie), &[]).await
    }
}

fn cookie(reply: &Reply) -> String {
    reply
        .header("set-cookie")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned()
}

/// Signs in with these changes of the claims.
async fn sign_in(issuer: &Issuer, review: &Review, key: &Key, changes: Value) -> Reply {
    let login = Login::begin(review).await;
    let mut claims = issuer.claims(&login);
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    issuer.answers(key, &claims);
    login.come_back(review).await
}

fn session<'r>(review: &'r Review, reply: &Reply) -> Session<'r> {
    assert_eq!(reply.status(), 200, "{reply:?}");
    Session {
        review,
        cookie: cookie(reply),
    }
}

#[tokio::test]
async fn somebody_signs_in_by_the_provider_with_either_kind_of_key_and_signs_out_for_good() {
    for key in [Key::rsa(), Key::ec()] {
        let issuer = Issuer::start().await;
        let review = issuer.review();
        let login = Login::begin(&review).await;
        issuer.answers(&key, &issuer.claims(&login));

        let reply = login.come_back(&review).await;

        let ann = session(&review, &reply);
        assert!(
            reply.header("set-cookie").contains("SameSite=Strict"),
            "{reply:?}"
        );
        assert!(reply.body().contains("url=./"), "{}", reply.body());
        let queue = ann.get("queue").await;
        assert!(queue.body().contains("ann@example.com"), "{}", queue.body());
        let token = queue.field("portal:csrf");
        let out = ann.post("sign-out", &[("portal:csrf", &token)]).await;
        assert_eq!(out.header("location"), "sign-in");
        assert_eq!(ann.get("queue").await.code(), "session_ended");
    }
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_where_it_ends_sessions_and_only_whom_it_has_signed_in() {
    let issuer = Issuer::start().await;
    issuer.change(|play| play.discovery["end_session_endpoint"] = json!(format!("{}/end", issuer.url)));
    let review = issuer.review();
    let reply = sign_in(&issuer, &review, &Key::ec(), json!({})).await;
    let ann = session(&review, &reply);
    let cleo = review.sign_in("cleo").await;
    let sign_out = async |session: &Session<'_>| {
        let token = session.get("queue").await.field("portal:csrf");
        session.post("sign-out", &[("portal:csrf", &token)]).await
    };

    let (out, other) = (sign_out(&ann).await, sign_out(&cleo).await);

    assert_eq!(out.status(), 200, "{out:?}");
    let body = out.body().replace("&#38;", "&").replace("&amp;", "&");
    let onwards = format!(
        "url={}/end?client_id=portal&post_logout_redirect_uri=",
        issuer.url
    );
    assert!(body.contains(&onwards), "{body}");
    assert!(body.contains("%2Fsign-in\""), "{body}");
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    assert_eq!(ann.get("queue").await.code(), "session_ended");
    assert_eq!(other.header("location"), "sign-in");
}

#[tokio::test]
async fn the_groups_of_a_person_make_them_a_member_of_work_teams_until_a_sign_in_without() {
    let issuer = Issuer::start().await;
    let review = issuer.review();
    add_teams(&review).await;
    let key = Key::ec();
    let seen = async |groups: Value| {
        let reply = sign_in(&issuer, &review, &key, json!({ "groups": groups })).await;
        let queue = session(&review, &reply).get("queue").await;
        ["mail-1", "phone-1"].map(|name| queue.body().contains(&format!("loop={name}")))
    };

    assert_eq!(seen(json!(["mail-group"])).await, [true, false]);
    assert_eq!(seen(json!(["phone-group", "others"])).await, [false, true]);
    assert_eq!(seen(json!([])).await, [false, false]);
    assert_eq!(seen(json!(["bosses"])).await, [true, true], "an admin");
}

/// Makes a team of two groups of a Cognito user pool, by its control plane, with one task.
async fn add_team_of_pool(review: &Review) {
    add_teams(review).await;
    let member = |group: &str| {
        let definition = json!({ "UserPool": "us-east-1_AbC123", "UserGroup": group, "ClientId": CLIENT });
        json!({ "CognitoMemberDefinition": definition })
    };
    let team = json!({
        "WorkteamName": "desk", "Description": "Desk", "MemberDefinitions": [member("mail-desk"), member("night-desk")],
    });
    made(review, "CreateWorkteam", team).await;
    let of_team = json!({ "HumanLoopConfig.WorkteamArn": format!("{SCOPE}:workteam/private-crowd/desk") });
    made(review, "CreateFlowDefinition", flow("desk", "tone", of_team)).await;
    let input = json!({ "taskObject": "about the desk" });
    let started = start(review, "desk-1", &format!("{SCOPE}:flow-definition/desk"), &input).await;
    assert_eq!(started.status(), 200, "{started:?}");
}

#[tokio::test]
async fn a_member_of_a_cognito_group_is_in_the_teams_that_name_it() {
    let issuer = Issuer::start().await;
    let mut config = issuer.config();
    // As the template sets it for a user pool of the stack, whose tokens say of an address that it is verified as a text.
    let settings = config.oidc.as_mut().expect("settings");
    "cognito:groups".clone_into(&mut settings.groups_claim);
    settings.admin_group = Some("admins".to_owned());
    settings.reviewer_group = Some("reviewers".to_owned());
    let review = Review::with_provider(config, &sdk());
    add_team_of_pool(&review).await;
    let key = Key::rsa();
    let came = async |groups: Value| {
        let changes = json!({ "cognito:groups": groups, "cognito:username": "x", "email_verified": "true", "token_use": "id" });
        sign_in(&issuer, &review, &key, changes).await
    };
    let seen = async |groups: Value| {
        let reply = came(groups).await;
        let queue = session(&review, &reply).get("queue").await;
        queue.body().contains("loop=desk-1")
    };

    assert!(seen(json!(["reviewers", "night-desk"])).await);
    assert!(
        !seen(json!(["reviewers", "day-desk"])).await,
        "in no group of the team"
    );
    assert!(seen(json!(["admins"])).await, "an admin is in every team");
    assert_eq!(
        came(json!(["mail-desk"])).await.status(),
        403,
        "neither a reviewer nor an admin"
    );
    assert_eq!(came(json!([])).await.status(), 403, "in no group at all");
}

#[tokio::test]
async fn who_was_imported_from_a_group_is_listed_before_and_what_the_provider_says_counts_from_then_on() {
    let issuer = Issuer::start().await;
    let review = issuer.review();
    let add = json!({
        "operation": "add-reviewer", "reviewer": "ann@example.com", "groups": ["mail-group"], "role": "reviewer", "by": "ada",
    });
    let listed = async || {
        let list = review.handle(json!({ "operation": "list-reviewers" })).await;
        let all = list["reviewers"].as_array().expect("a list").clone();
        assert_eq!(all.len(), 1, "{all:?}");
        let one = &all[0];
        (
            one["name"].clone(),
            one["groups"].clone(),
            one["signedInAt"].is_null(),
        )
    };

    review.handle(add.clone()).await;
    review.handle(add.clone()).await;
    let before = listed().await;
    let reply = sign_in(&issuer, &review, &Key::ec(), json!({ "groups": ["phone-group"] })).await;
    review.handle(add).await;
    let after = listed().await;

    assert_eq!(reply.status(), 200, "{reply:?}");
    assert_eq!((&before.1, before.2), (&json!(["mail-group"]), true));
    assert_eq!(
        (&after.1, after.2),
        (&json!(["phone-group"]), false),
        "what the provider said stays"
    );
    assert_eq!(before.0, after.0, "one person");
}

#[tokio::test]
async fn the_provider_is_asked_with_pkce_state_and_nonce_and_for_nothing_of_the_request() {
    let issuer = Issuer::start().await;
    let review = issuer.review();
    let login = Login::begin(&review).await;
    issuer.answers(&Key::ec(), &issuer.claims(&login));

    login.come_back(&review).await;

    assert!(
        login
            .url
            .as_str()
            .starts_with(&format!("{}/auth?tenant=a&", issuer.url))
    );
    assert!(!login.url.as_str().contains("evil"));
    let asked = [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "code_challenge_method",
    ];
    assert_eq!(
        asked.map(|name| login.query(name)),
        [
            "code",
            CLIENT,
            "https://portal.example/dev/callback",
            "openid email profile",
            "S256"
        ]
    );
    let (headers, form) = &issuer.redeemed()[0];
    let field = |name: &str| {
        let mut fields = url::form_urlencoded::parse(form.as_bytes());
        fields
            .find(|field| field.0 == name)
            .map(|field| field.1.into_owned())
    };
    let verifier = field("code_verifier").expect("a verifier");
    assert_eq!(
        URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)),
        login.query("code_challenge")
    );
    assert_eq!(field("client_id").as_deref(), Some(CLIENT));
    assert_eq!(
        field("redirect_uri").as_deref(),
        Some("https://portal.example/dev/callback")
    );
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_token_that_says_anything_else_than_it_must_signs_nobody_in() {
    let (issuer, key) = (Issuer::start().await, Key::rsa());
    let review = issuer.review();
    let now = review.now().timestamp();

    for changes in [
        json!({"nonce": "another"}),
        json!({"aud": "another"}),
        json!({"aud": [CLIENT, "another"]}),
        json!({"iss": "https://id.example.com"}),
        json!({"exp": now - 60}),
        json!({"iat": now + 61}),
        json!({"sub": ""}),
    ] {
        let reply = sign_in(&issuer, &review, &key, changes.clone()).await;

        assert_eq!(
            (reply.status(), reply.code()),
            (403, "sign_in_refused"),
            "{changes}"
        );
        assert_eq!(reply.header("set-cookie"), "", "{changes}");
    }
    let in_time = sign_in(&issuer, &review, &key, json!({"exp": now - 59, "iat": now + 60})).await;
    assert_eq!(in_time.status(), 200, "a minute of clock skew is taken");
    assert!(review.keys("human-review/reviewers/").await.len() == 1);
}

#[tokio::test]
async fn a_token_that_the_provider_has_not_signed_signs_nobody_in() {
    let (issuer, key, other) = (Issuer::start().await, Key::ec(), Key::ec());
    let review = issuer.review();
    for forgery in [
        "another key",
        "no signature",
        "a secret",
        "changed claims",
        "a key that is not listed",
        "nonsense",
    ] {
        let login = Login::begin(&review).await;
        let claims = issuer.claims(&login);
        issuer.answers(&key, &claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        issuer.change(|play| {
            let good = play.token.clone();
            let mut parts = good.split('.');
            let (header, _, signature) = (parts.next(), parts.next(), parts.next());
            play.token = match forgery {
                "another key" => other.sign(&json!({"alg": "ES256", "kid": "k-1"}), &claims),
                "no signature" => format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims)),
                "a secret" => format!(
                    "{}.{}.AAAA",
                    part(&json!({"alg": "HS256", "kid": "k-1"})),
                    part(&claims)
                ),
                "changed claims" => {
                    let changed = json!({"sub": "s-2", "groups": ["bosses"]});
                    format!(
                        "{}.{}.{}",
                        header.expect("one"),
                        part(&changed),
                        signature.expect("one")
                    )
                }
                "a key that is not listed" => key.sign(&json!({"alg": "ES256", "kid": "k-2"}), &claims),
                _ => "nonsense".to_owned(),
            };
        });

        let reply = login.come_back(&review).await;

        assert_eq!(
            (reply.status(), reply.code()),
            (403, "sign_in_refused"),
            "{forgery}"
        );
        assert_eq!(reply.header("set-cookie"), "", "{forgery}");
    }
}

#[tokio::test]
async fn an_answer_works_once_in_the_browser_that_began_and_within_ten_minutes() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let review = issuer.review();
    let login = Login::begin(&review).await;
    issuer.answers(&key, &issuer.claims(&login));

    let without = format!("callback?code=c-1&state={}", login.query("state"));
    let elsewhere = review.portal("GET", &without, None, &[]).await;
    let other_state = review
        .portal("GET", "callback?code=c-1&state=x", Some(&login.cookie), &[])
        .await;
    let first = login.come_back(&review).await;
    let again = login.come_back(&review).await;
    let late = Login::begin(&review).await;
    review.wait(Duration::minutes(10));
    let too_late = late.come_back(&review).await;

    for reply in [&elsewhere, &other_state, &too_late] {
        assert_eq!((reply.status(), reply.code()), (403, "sign_in_not_begun"));
    }
    assert_eq!(first.status(), 200);
    assert_eq!((again.status(), again.code()), (403, "sign_in_used"));
    assert_eq!(issuer.redeemed().len(), 1, "the code is not shown again");
}

#[tokio::test]
async fn what_the_provider_refuses_or_another_one_says_is_a_page_in_plain_words() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let review = issuer.review();
    let cancelled = Login::begin(&review).await;
    let page = format!("callback?error=access_denied&state={}", cancelled.query("state"));
    let cancelled = review.portal("GET", &page, Some(&cancelled.cookie), &[]).await;
    let mixed_up = Login::begin(&review).await;
    issuer.answers(&key, &issuer.claims(&mixed_up));
    let mixed_up = mixed_up
        .come_back_with(&review, "&iss=https%3A%2F%2Fother.example")
        .await;
    issuer.change(|play| play.token_status = 400);
    let refused = sign_in(&issuer, &review, &key, json!({})).await;
    issuer.change(|play| play.token_status = 500);
    let down = sign_in(&issuer, &review, &key, json!({})).await;

    assert_eq!((cancelled.status(), cancelled.code()), (403, "sign_in_denied"));
    assert_eq!((mixed_up.status(), mixed_up.code()), (403, "sign_in_refused"));
    assert_eq!((refused.status(), refused.code()), (403, "sign_in_refused"));
    assert_eq!((down.status(), down.code()), (503, "provider_unavailable"));
    for reply in [cancelled, mixed_up, refused, down] {
        assert!(reply.body().contains("href=\"provider\""), "{}", reply.body());
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_names_another_issuer_leads_nowhere() {
    let issuer = Issuer::start().await;
    issuer.change(|play| play.discovery["issuer"] = json!("https://id.example.com"));
    let review = issuer.review();
    let mut gone = issuer.config();
    gone.oidc.as_mut().expect("settings").issuer = "http://127.0.0.1:1".to_owned();
    let without = Review::with_provider(gone, &sdk());

    let other = review.portal("GET", "provider", None, &[]).await;
    let gone = without.portal("GET", "provider", None, &[]).await;

    assert_eq!((other.status(), other.code()), (502, "provider_not_usable"));
    assert_eq!((gone.status(), gone.code()), (503, "provider_unavailable"));
}

#[tokio::test]
async fn groups_make_admins_and_keep_others_out_and_the_console_may_pause_anybody() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let mut config = issuer.config();
    config.oidc.as_mut().expect("settings").reviewer_group = Some("staff".to_owned());
    let review = Review::with_provider(config, &sdk());

    let boss = sign_in(&issuer, &review, &key, json!({"groups": ["bosses"]})).await;
    let overview = session(&review, &boss).get("overview").await.status();
    review.wait(Duration::seconds(61));
    let demoted = sign_in(&issuer, &review, &key, json!({"groups": ["staff"]})).await;
    let refused = session(&review, &demoted).get("overview").await.code().to_owned();
    let visitor = sign_in(
        &issuer,
        &review,
        &key,
        json!({"groups": ["visitors"], "sub": "s-2"}),
    )
    .await;
    let pause = json!({"operation": "pause-reviewer", "reviewer": "ann@example.com", "by": "ops"});
    review.handle(pause).await;
    review.wait(Duration::seconds(61));
    let paused = sign_in(&issuer, &review, &key, json!({"groups": ["bosses"]})).await;

    assert_eq!(overview, 200);
    assert_eq!(refused, "admins_only");
    assert_eq!((visitor.status(), visitor.code()), (403, "not_in_group"));
    assert_eq!((paused.status(), paused.code()), (403, "paused"));
}

#[tokio::test]
async fn a_role_and_a_pause_of_a_moment_ago_are_not_undone_by_signing_in_again() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let mut config = issuer.config();
    config.oidc.as_mut().expect("settings").admin_group = None;
    let review = Review::with_provider(config, &sdk());
    let sign_in = async || sign_in(&issuer, &review, &key, json!({})).await;
    sign_in().await;
    let member = review.keys("human-review/reviewers/").await.remove(0);
    // As another process of the function writes it.
    let change = async |name: &str, value: Value| {
        let mut document: Value = serde_json::from_str(&review.object(&member).await).expect("JSON");
        document[name] = value;
        review.put(&member, &document.to_string()).await;
    };
    change("role", json!("admin")).await;
    review.wait(Duration::seconds(61));

    let promoted = sign_in().await;
    let overview = session(&review, &promoted).get("overview").await.status();
    change("role", json!("reviewer")).await;
    let demoted = sign_in().await;
    let refused = session(&review, &demoted).get("overview").await.code().to_owned();
    let kept: Value = serde_json::from_str(&review.object(&member).await).expect("JSON");
    change("paused", json!(true)).await;
    let paused = sign_in().await;

    assert_eq!(overview, 200);
    assert_eq!(refused, "admins_only");
    assert_eq!(kept["role"], "reviewer");
    assert_eq!((paused.status(), paused.code()), (403, "paused"));
    let after: Value = serde_json::from_str(&review.object(&member).await).expect("JSON");
    assert_eq!(after["sessions"], kept["sessions"], "no session was begun");
}

#[tokio::test]
async fn a_code_that_the_provider_does_not_take_leaves_no_object() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let review = issuer.review();
    let used = async || review.keys("human-review/used-sign-in-links/").await.len();
    issuer.change(|play| play.token_status = 400);

    let refused = sign_in(&issuer, &review, &key, json!({})).await;
    let after_refused = used().await;
    issuer.change(|play| play.token_status = 200);
    let forged = sign_in(&issuer, &review, &key, json!({"nonce": "another"})).await;
    let after_forged = used().await;
    let good = sign_in(&issuer, &review, &key, json!({})).await;

    assert_eq!(
        (refused.code(), forged.code()),
        ("sign_in_refused", "sign_in_refused")
    );
    assert_eq!((after_refused, after_forged), (0, 0));
    assert_eq!((good.status(), used().await), (200, 1));
}

#[tokio::test]
async fn an_address_is_verified_by_the_source_that_names_it_and_asked_for_where_the_token_does_not_say() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let mut config = issuer.config();
    config.oidc.as_mut().expect("settings").admin_group = None;
    let review = Review::with_provider(config, &sdk());
    let name_of = async |changes: Value, info: Option<Value>| {
        issuer.change(|play| play.user_info = info);
        let reply = sign_in(&issuer, &review, &key, changes).await;
        session(&review, &reply).get("queue").await.body().to_owned()
    };
    let unsaid = json!({"email": "boss@example.com", "email_verified": null});
    let ann = json!({"sub": "s-1", "email": "ann@example.com", "email_verified": true});

    let asked = name_of(unsaid.clone(), Some(ann.clone())).await;
    let mixed = name_of(unsaid, Some(json!({"sub": "s-1", "email_verified": true}))).await;
    let other = Some(json!({"sub": "s-2"}));
    let whole = name_of(json!({"groups": null}), other).await;

    assert!(
        asked.contains("ann@example.com") && !asked.contains("boss@example.com"),
        "{asked}"
    );
    assert!(
        !mixed.contains("boss@example.com") && !mixed.contains("ann@example.com"),
        "{mixed}"
    );
    assert!(
        whole.contains("ann@example.com"),
        "nobody's groups are asked for where none matter"
    );
}

#[tokio::test]
async fn claims_that_the_token_leaves_out_are_asked_for_and_must_be_of_the_same_person() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let review = issuer.review();
    let thin = json!({"email": null, "groups": null});
    let claims_of = async |sub: &str| {
        let info =
            json!({"sub": sub, "email": "ann@example.com", "email_verified": true, "groups": ["bosses"]});
        issuer.change(|play| play.user_info = Some(info));
        let login = Login::begin(&review).await;
        let mut claims = issuer.claims(&login);
        for name in thin.as_object().expect("an object").keys() {
            claims.as_object_mut().expect("an object").remove(name);
        }
        issuer.answers(&key, &claims);
        login.come_back(&review).await
    };

    let same = claims_of("s-1").await;
    let other = claims_of("s-2").await;

    assert_eq!(session(&review, &same).get("overview").await.status(), 200);
    assert_eq!((other.status(), other.code()), (403, "sign_in_refused"));
}

#[tokio::test]
async fn a_client_with_a_secret_shows_it_to_the_token_endpoint() {
    let (issuer, key) = (Issuer::start().await, Key::ec());
    let aws = LocalAws::in_memory();
    let generate = GenerateSecretString {
        length: 64,
        exclude_punctuation: true,
    };
    let name = "oidc".to_owned();
    aws.secrets
        .put_secret(&SecretSpec { name, generate })
        .expect("made");
    let mut config = issuer.config();
    config.oidc.as_mut().expect("settings").client_secret_arn = Some("oidc".to_owned());
    let review = Review::with_provider(config, &aws.sdk_config());

    let reply = sign_in(&issuer, &review, &key, json!({})).await;

    assert_eq!(reply.status(), 200);
    let (headers, form) = &issuer.redeemed()[0];
    let basic = headers["authorization"].to_str().expect("ASCII");
    assert!(
        basic.starts_with("Basic ") && !form.contains("client_secret"),
        "{form}"
    );
}

#[tokio::test]
async fn a_new_key_is_looked_for_when_it_is_met_and_not_at_every_token() {
    let (issuer, old, new) = (Issuer::start().await, Key::ec(), Key::ec());
    let review = issuer.review();
    assert_eq!(sign_in(&issuer, &review, &old, json!({})).await.status(), 200);
    assert_eq!(sign_in(&issuer, &review, &old, json!({})).await.status(), 200);
    let lists = issuer.play.lock().expect("not poisoned").key_lists;

    let rotated = async || {
        let login = Login::begin(&review).await;
        let claims = issuer.claims(&login);
        issuer.change(|play| {
            play.keys = vec![new.jwk("k-2")];
            play.token = new.sign(&json!({"alg": "ES256", "kid": "k-2"}), &claims);
        });
        login.come_back(&review).await.status()
    };
    let at_once = rotated().await;
    review.wait(Duration::seconds(30));
    let later = rotated().await;

    assert_eq!(lists, 1);
    assert_eq!((at_once, later), (403, 200));
}

#[tokio::test]
async fn the_sign_in_page_shows_both_ways_only_where_there_is_a_provider() {
    let issuer = Issuer::start().await;
    let (with, without) = (issuer.review(), Review::new());

    let both = with.portal("GET", "sign-in", None, &[]).await;
    let queue = with.portal("GET", "queue", None, &[]).await;
    let deep = with.portal("GET", "versions/build-1", None, &[]).await;
    let links = without.portal("GET", "sign-in", None, &[]).await;
    let provider = without.portal("GET", "provider", None, &[]).await;
    let callback = without.portal("GET", "callback?code=a&state=b", None, &[]).await;

    assert_eq!(both.status(), 200);
    assert!(both.body().contains("href=\"provider\"") && both.body().contains("one-time link"));
    assert!(queue.status() == 401 && queue.body().contains("href=\"provider\""));
    assert!(deep.body().contains("href=\"../provider\""), "{}", deep.body());
    for reply in [links, provider, callback] {
        assert_eq!((reply.status(), reply.code()), (401, "sign_in_required"));
        assert!(!reply.body().contains("provider"));
    }
    assert_eq!(with.sign_in("cleo").await.get("queue").await.status(), 200);
}
