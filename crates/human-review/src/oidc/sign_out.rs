//! Where a browser ends its session at the provider.
//!
//! Sources: OpenID Connect RP-Initiated Logout 1.0; Amazon Cognito developer guide, logout endpoint.

use chrono::{DateTime, Utc};
use url::Url;

use super::{OidcError, Provider, metadata::Metadata};

/// Whether an issuer is a user pool of Cognito, whose logout endpoint has parameters of its own.
fn is_cognito(issuer: &str) -> bool {
    let host = Url::parse(issuer)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        host.starts_with("cognito-idp.")
            && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
    })
}

impl Provider {
    /// Returns where a browser is sent to sign out; the provider sends it back to `back`, if it knows that address. `None`
    /// where the provider has no such place.
    ///
    /// # Errors
    ///
    /// [`OidcError`] where the provider does not say.
    pub async fn sign_out_url(&self, back: &str, now: DateTime<Utc>) -> Result<Option<String>, OidcError> {
        let metadata = self.metadata(now).await?;
        sign_out_url(&metadata, &self.settings.issuer, &self.settings.client_id, back)
    }
}

fn sign_out_url(
    metadata: &Metadata,
    issuer: &str,
    client_id: &str,
    back: &str,
) -> Result<Option<String>, OidcError> {
    let unusable = |_| OidcError::Metadata("its end session endpoint is no URL");
    let cognito = is_cognito(issuer);
    let mut url = match &metadata.end_session_endpoint {
        Some(url) => Url::parse(url).map_err(unusable)?,
        None if cognito => Url::parse(&metadata.authorization_endpoint)
            .and_then(|url| url.join("/logout"))
            .map_err(unusable)?,
        None => return Ok(None),
    };
    let parameter = if cognito {
        "logout_uri"
    } else {
        "post_logout_redirect_uri"
    };
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair(parameter, back);
    Ok(Some(url.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BACK: &str = "https://portal.example.com/dev/sign-in";

    fn url(issuer: &str, end_session_endpoint: Value) -> Option<String> {
        let host = "https://review-1.auth.us-east-1.amazoncognito.com";
        let document = json!({
            "issuer": issuer, "authorization_endpoint": format!("{host}/oauth2/authorize"),
            "token_endpoint": format!("{host}/oauth2/token"), "jwks_uri": format!("{host}/jwks"),
            "end_session_endpoint": end_session_endpoint,
        });
        let metadata = Metadata::parse(document.to_string().as_bytes(), issuer).expect("usable");
        sign_out_url(&metadata, issuer, "portal", BACK).expect("a URL")
    }

    #[test]
    fn a_provider_that_ends_sessions_is_told_where_to_send_the_browser_back() {
        let end = url(
            "https://id.example.com",
            json!("https://id.example.com/end?tenant=a"),
        );
        assert_eq!(
            end.as_deref(),
            Some(
                "https://id.example.com/end?tenant=a&client_id=portal&\
                 post_logout_redirect_uri=https%3A%2F%2Fportal.example.com%2Fdev%2Fsign-in"
            )
        );
        assert_eq!(url("https://id.example.com", Value::Null), None);
    }

    #[test]
    fn cognito_has_a_logout_page_with_parameters_of_its_own() {
        let expected = "https://review-1.auth.us-east-1.amazoncognito.com/logout?client_id=portal&\
                        logout_uri=https%3A%2F%2Fportal.example.com%2Fdev%2Fsign-in";
        let pool = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC";
        let named = json!("https://review-1.auth.us-east-1.amazoncognito.com/logout");

        assert_eq!(url(pool, Value::Null).as_deref(), Some(expected));
        assert_eq!(url(pool, named).as_deref(), Some(expected));
        assert_eq!(url("https://cognito-idp.example.com", Value::Null), None);
    }
}
