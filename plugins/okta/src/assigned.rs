//! The people who may sign in through a legacy client: whether their accounts are active and have an administrator role. flowswap
//! keeps no more of them.
//!
//! The refresh token of a connection belongs to the administrator who signed in, and ends with that account (Okta support,
//! "Application Functionality Breaks When an Admin is Deactivated"). The vendor has the app assigned to one administrator only.

use flowswap_contract::{
    AssignedUser, Error, Intent, Level,
    sdk::{encode, join_all},
};
use serde::Deserialize;

use crate::{
    api::{Api, decode},
    apps::App,
    roles,
};

/// The most people for whom flowswap asks. Each costs a request.
const MOST: usize = 5;

/// What is kept of a person (Okta management API, listApplicationUsers with `expand=user`).
const KEPT: &[&str] = &["/*/id", "/*/_embedded/user/status"];

/// Reads who may sign in through an app. `None` if that is everybody, if they are more than [`MOST`], or if Okta does not say.
pub(crate) async fn read(api: &Api<'_>, app: &App) -> Result<Option<Vec<AssignedUser>>, Error> {
    if app.is_open_to_all() {
        return Ok(None);
    }
    let what = "list the users of an app";
    let path = format!("/api/v1/apps/{}/users?expand=user&limit={}", encode(&app.id), MOST + 1);
    let answer = api.send(what, api.ask(Intent::Read, "GET", &path).keeping(KEPT)).await;
    let Some(answer) = unless_refused(api, answer)? else { return Ok(None) };
    let users: Vec<User> = decode(what, &answer)?;
    let statuses: Option<Vec<_>> = users.iter().map(User::status).collect();
    let Some(statuses) = statuses.filter(|statuses| statuses.len() <= MOST) else { return Ok(None) };
    let roles = join_all(users.iter().map(|user| has_role(api, &user.id))).await;
    let assigned = statuses.into_iter().zip(roles);
    assigned
        .map(|(status, is_admin)| Ok(AssignedUser { status: status.to_owned(), is_admin: is_admin? }))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Whether a person has an administrator role. `None` if Okta does not say.
async fn has_role(api: &Api<'_>, user: &str) -> Result<Option<bool>, Error> {
    let roles = roles::list(api, "list the roles of a user", &format!("/api/v1/users/{}/roles", encode(user))).await;
    Ok(unless_refused(api, roles)?.map(|(roles, _)| !roles.is_empty()))
}

/// `None` if Okta itself refused the request: without these answers, flowswap knows less but can still migrate.
fn unless_refused<T>(api: &Api<'_>, answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if roles::is_hidden(&error) => {
            api.host.log(Level::Warn, format!("flowswap cannot see who may sign in: {}", error.message));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(rename = "_embedded")]
    embedded: Option<Embedded>,
}

#[derive(Deserialize)]
struct Embedded {
    user: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    status: Option<String>,
}

impl User {
    /// The status of the account. That of the assignment says nothing about it.
    fn status(&self) -> Option<&str> {
        self.embedded.as_ref()?.user.as_ref()?.status.as_deref()
    }
}
