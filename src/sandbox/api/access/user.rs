//! Who asks: a bearer token, or another user whom its holder stands in for.

use axum::http::{HeaderMap, header};

use crate::sandbox::status::Status;

pub(super) const AUTHENTICATED: &str = "system:authenticated";
/// The group that may do everything, whatever roles there are.
pub(super) const MASTERS: &str = "system:masters";
const ANONYMOUS: &str = "system:anonymous";
const UNAUTHENTICATED: &str = "system:unauthenticated";
/// What the name of a service account's user begins with, and that of its groups.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const SERVICE_ACCOUNTS: &str = "system:serviceaccounts";

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct User {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) groups: Vec<String>,
}

impl User {
    pub(super) fn new(name: &str, groups: &[&str]) -> Self {
        Self { name: name.to_owned(), groups: groups.iter().map(|group| (*group).to_owned()).collect() }
    }

    pub(super) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|one| one == group)
    }

    /// The namespace and name of a service account.
    pub(super) fn service_account(&self) -> Option<(&str, &str)> {
        self.name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')
    }
}

/// The user behind a request's headers. There is one token, the administrator's; without any the user is anonymous.
///
/// # Errors
/// `Unauthorized` with another token; `Forbidden` where somebody may not stand in for others.
pub(in crate::sandbox) fn authenticate(headers: &HeaderMap, token: &str) -> Result<User, Status> {
    let user = match headers.get(header::AUTHORIZATION) {
        None => User::new(ANONYMOUS, &[UNAUTHENTICATED]),
        Some(value) => {
            let bearer = value.to_str().ok().and_then(|value| {
                let (scheme, given) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(given.trim())
            });
            if bearer != Some(token) {
                return Err(Status::new(401, "Unauthorized", "Unauthorized"));
            }
            User::new("sandbox-admin", &[MASTERS, AUTHENTICATED])
        }
    };
    impersonated(headers, user)
}

/// The user whom another one stands in for, where its request says so.
fn impersonated(headers: &HeaderMap, user: User) -> Result<User, Status> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let name = headers.get("impersonate-user").map(text).unwrap_or_default();
    let groups: Vec<String> = headers.get_all("impersonate-group").into_iter().map(text).collect();
    if name.is_empty() {
        let more = headers.keys().any(|name| name.as_str().starts_with("impersonate-") && name != "impersonate-user");
        if !more {
            return Ok(user);
        }
        let why = format!("requesting {groups:?} without impersonating a user");
        return Err(Status::new(500, "InternalError", format!("Internal error occurred: {why}")));
    }
    let mut other = User { name, groups };
    if !user.is_in(MASTERS) {
        let (resource, name) = match other.service_account() {
            Some((_, name)) => ("serviceaccounts", name),
            None => ("users", other.name.as_str()),
        };
        let place = match other.service_account() {
            Some((namespace, _)) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let why =
            format!("User \"{}\" cannot impersonate resource \"{resource}\" in API group \"\" {place}", user.name);
        return Err(Status::forbidden(resource, name, &why));
    }
    // A service account gets its groups only where none are named, as for everybody else's.
    let own = other.service_account().map(|(namespace, _)| format!("{SERVICE_ACCOUNTS}:{namespace}"));
    if let Some(own) = own.filter(|_| other.groups.is_empty()) {
        other.groups = vec![SERVICE_ACCOUNTS.to_owned(), own];
    }
    let always = if other.name == ANONYMOUS { UNAUTHENTICATED } else { AUTHENTICATED };
    if !other.is_in(always) && !other.is_in(UNAUTHENTICATED) {
        other.groups.push(always.to_owned());
    }
    Ok(other)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn ask(lines: &[(&'static str, &'static str)]) -> Result<(String, Vec<String>), u16> {
        let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        authenticate(&headers, "secret").map(|user| (user.name, user.groups)).map_err(|status| status.code)
    }

    fn is(name: &str, groups: &[&str]) -> (String, Vec<String>) {
        (name.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect())
    }

    #[test]
    fn a_token_makes_a_user_and_headers_another() {
        let admin = ("authorization", "Bearer secret");
        assert_eq!(ask(&[admin]), Ok(is("sandbox-admin", &["system:masters", "system:authenticated"])));
        assert_eq!(ask(&[]), Ok(is("system:anonymous", &["system:unauthenticated"])));
        assert_eq!(ask(&[("authorization", "Bearer other")]), Err(401));
        assert_eq!(ask(&[("authorization", "secret")]), Err(401));
        assert_eq!(ask(&[admin, ("impersonate-user", "x")]), Ok(is("x", &["system:authenticated"])));
        let groups = [admin, ("impersonate-user", "x"), ("impersonate-group", "g"), ("impersonate-group", "h")];
        assert_eq!(ask(&groups), Ok(is("x", &["g", "h", "system:authenticated"])));
        let account = ["system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"];
        let name = "system:serviceaccount:ns:sa";
        assert_eq!(ask(&[admin, ("impersonate-user", name)]), Ok(is(name, &account)));
        assert_eq!(ask(&[("impersonate-user", "x")]), Err(403));
        assert_eq!(ask(&[admin, ("impersonate-group", "g")]), Err(500));
    }
}
