//! Decides whether an object is gone. A 404 is not enough: a load balancer sends those too. It takes two signs: Okta's own error
//! object, and a list that decodes and lacks the id. Okta may give both signs for a moment after a create, so flowswap looks more than
//! once for a new object.

use flowswap_contract::{Error, ErrorKind, HttpAnswer, Intent, sdk::encode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::api::{Api, SERVICES, decode};

/// Okta's code for an object that does not exist (Okta error codes).
const NOT_FOUND: &str = "E0000007";

/// No source says how long a new object may be missing.
const NEW_PAUSES_MS: [u64; 2] = [1000, 3000];

/// An object by its id, with the list that it belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Object<'a> {
    /// An OIDC app. Its list has a filter by id (Okta management API, listApplications).
    App(&'a str),
    /// An API service integration. Its list has no filter.
    Integration(&'a str),
}

#[derive(Deserialize)]
struct Listed {
    id: String,
}

impl Object<'_> {
    fn id(&self) -> &str {
        match self {
            Self::App(id) | Self::Integration(id) => id,
        }
    }

    /// The path of the object.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::App(id) => format!("/api/v1/apps/{}", encode(id)),
            Self::Integration(id) => format!("{SERVICES}/{}", encode(id)),
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::App(_) => "the app",
            Self::Integration(_) => "the integration",
        }
    }

    async fn is_listed(&self, api: &Api<'_>) -> Result<bool, Error> {
        let path = match self {
            Self::App(id) => format!("/api/v1/apps?filter={}&limit=200", encode(&format!("id eq \"{id}\""))),
            Self::Integration(_) => SERVICES.to_owned(),
        };
        let listed: Vec<Listed> = api.list(&format!("look up {} in the list", self.noun()), &path).await?;
        Ok(listed.iter().any(|listed| listed.id == self.id()))
    }

    /// Reads the object. `None` only if both signs say that it is gone.
    pub(crate) async fn read<T: DeserializeOwned>(&self, api: &Api<'_>) -> Result<Option<T>, Error> {
        let what = format!("read {}", self.noun());
        let ask = api.ask(Intent::Read, "GET", &self.path());
        match self.unless_gone(api, api.send(&what, ask).await).await? {
            Some(answer) => decode(&what, &answer).map(Some),
            None => Ok(None),
        }
    }

    /// Reads an object that was created just now. `None` only if both signs say several times that it is gone.
    pub(crate) async fn read_new<T: DeserializeOwned>(&self, api: &Api<'_>) -> Result<Option<T>, Error> {
        let mut pauses = NEW_PAUSES_MS.into_iter();
        loop {
            let found = self.read(api).await?;
            let Some(ms) = pauses.next().filter(|_| found.is_none()) else { return Ok(found) };
            api.host.progress(format!("waiting for okta to show {}", self.noun()));
            api.host.sleep(ms).await?;
        }
    }

    /// Turns the result of a deletion into the answer, or `None` if both signs say that the object was already gone. A refusal keeps
    /// its own effect.
    pub(crate) async fn deleted(
        &self,
        api: &Api<'_>,
        result: Result<HttpAnswer, Error>,
    ) -> Result<Option<HttpAnswer>, Error> {
        let is_refused = result.as_ref().is_err_and(|error| error.kind != ErrorKind::NotFound);
        let seen = self.unless_gone(api, result).await;
        if is_refused { seen } else { seen.map_err(Error::with_unknown_effect) }
    }

    /// Turns the result of a request into the answer, or `None` if both signs say that the object is gone.
    async fn unless_gone(&self, api: &Api<'_>, result: Result<HttpAnswer, Error>) -> Result<Option<HttpAnswer>, Error> {
        match result {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_not_found(&error) => {
                if self.is_listed(api).await? {
                    let message = format!("okta says that {} {} does not exist, but lists it", self.noun(), self.id());
                    return Err(Error::new(ErrorKind::Conflict, message)
                        .with_hint("wait a moment, then run the same command again"));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether Okta itself says that there is no such object. An unknown path (E0000008) does not count.
pub(crate) fn is_not_found(error: &Error) -> bool {
    error.kind == ErrorKind::NotFound && error.context.get("error_code").is_some_and(|code| code == NOT_FOUND)
}
