//! Whether an object is gone. One sign is not enough: a load balancer answers 404, too. It takes Okta's own error object, and a list
//! that decodes and does not have the id. Okta itself may give both signs for a moment after a create, so what was made just now is
//! looked for more than once.

use flowswap_contract::{Error, ErrorKind, HttpAnswer, Intent, sdk::encode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::api::{Api, SERVICES, decode};

/// Okta's code of an object that does not exist (Okta error codes).
const NOT_FOUND: &str = "E0000007";

/// How long a new object may be missing is documented nowhere.
const NEW_PAUSES_MS: [u64; 2] = [1000, 3000];

/// An object by its id, and the list that would have it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Object<'a> {
    /// An OIDC app. The list can be asked for one id (Okta management API, listApplications).
    App(&'a str),
    /// An API service integration. Its list knows no filter.
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

    /// Its path.
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
        let listed: Vec<Listed> = api.list(&format!("look for {} in the list", self.noun()), &path).await?;
        Ok(listed.iter().any(|listed| listed.id == self.id()))
    }

    /// Reads it; none only where both signs say that it is gone.
    pub(crate) async fn read<T: DeserializeOwned>(&self, api: &Api<'_>) -> Result<Option<T>, Error> {
        let what = format!("read {}", self.noun());
        let ask = api.ask(Intent::Read, "GET", &self.path());
        match self.unless_gone(api, api.send(&what, ask).await).await? {
            Some(answer) => decode(&what, &answer).map(Some),
            None => Ok(None),
        }
    }

    /// Reads one that was made just now; none only where both signs say so several times.
    pub(crate) async fn read_new<T: DeserializeOwned>(&self, api: &Api<'_>) -> Result<Option<T>, Error> {
        let mut pauses = NEW_PAUSES_MS.into_iter();
        loop {
            let found = self.read(api).await?;
            let Some(ms) = pauses.next().filter(|_| found.is_none()) else { return Ok(found) };
            api.host.progress(format!("waiting for {} to be shown", self.noun()));
            api.host.sleep(ms).await?;
        }
    }

    /// What came of its deletion; none where both signs say that it was gone. A refusal keeps its own effect.
    pub(crate) async fn deleted(
        &self,
        api: &Api<'_>,
        result: Result<HttpAnswer, Error>,
    ) -> Result<Option<HttpAnswer>, Error> {
        let is_refused = result.as_ref().is_err_and(|error| error.kind != ErrorKind::NotFound);
        let seen = self.unless_gone(api, result).await;
        if is_refused { seen } else { seen.map_err(Error::with_unknown_effect) }
    }

    /// What came of a request to it; none where both signs say that it is gone.
    async fn unless_gone(&self, api: &Api<'_>, result: Result<HttpAnswer, Error>) -> Result<Option<HttpAnswer>, Error> {
        match result {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_not_found(&error) => {
                if self.is_listed(api).await? {
                    let message = format!("okta says that {} {} does not exist, and lists it", self.noun(), self.id());
                    return Err(Error::new(ErrorKind::Conflict, message).with_hint("wait a moment, and look again"));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether Okta itself says that there is no such object. A path that it does not know (E0000008) is not an object.
pub(crate) fn is_not_found(error: &Error) -> bool {
    error.kind == ErrorKind::NotFound && error.context.get("error_code").is_some_and(|code| code == NOT_FOUND)
}
