//! What the buttons of the Reconnect form do. Every press sends all fields; the form is kept here, so that the page
//! never has to hold what was entered as a secret.

use super::directories::{find, return_with};
use super::page::not_found;
use super::{Fields, Place, form, go_to};
use crate::beliefs::Belief;
use crate::gateway::model::{Connection, Directory, Draft, Flow, is_directory_name};
use crate::gateway::sync;
use crate::message::Reply;

/// POST …/reconnect/open: Actions > Reconnect.
pub(crate) fn open(place: Place<'_>, id: &str) -> Reply {
    let Some(mut directory) = find(place, id) else { return not_found() };
    directory.draft = Some(begin(&directory));
    go_to(&place.path_of(id, "reconnect"))
}

/// GET …/reconnect. `testing` is the moment after a press of Test Connection.
pub(crate) fn show(place: Place<'_>, id: &str, testing: bool) -> Reply {
    let Some(mut directory) = find(place, id) else { return not_found() };
    let draft = directory.draft.take().unwrap_or_else(|| begin(&directory));
    let reply = form::show(place, &directory, &draft, testing);
    directory.draft = Some(draft);
    reply
}

/// POST …/reconnect: takes the fields over, and does what the pressed button says.
pub(crate) fn press(place: Place<'_>, id: &str, fields: &Fields) -> Reply {
    let Some(mut directory) = find(place, id) else { return not_found() };
    let mut draft = directory.draft.take().unwrap_or_else(|| begin(&directory));
    fill(&mut draft, fields);
    draft.refused = None;
    let here = place.path_of(id, "reconnect");
    let next = match fields.get("action") {
        Some("sign-in") => {
            draft.refused = sign_in(place, &directory, &mut draft).err();
            here
        }
        Some("restore") => {
            draft.client_secret.clone_from(&directory.connection.client_secret);
            here
        }
        Some("test") => {
            let tested = test(place, &directory, &draft);
            draft.passed |= tested.is_ok();
            draft.tested = Some(tested);
            format!("{here}?testing=1")
        }
        Some("submit") => match submit(place, &mut directory, &draft) {
            Ok(notice) => return return_with(place, &notice),
            Err(refusal) => {
                draft.refused = Some(refusal);
                here
            }
        },
        Some("cancel") => return return_with(place, "Nothing was changed."),
        _ => here,
    };
    directory.draft = Some(draft);
    go_to(&next)
}

/// A form as it opens. Whether the real one has the boxes ticked as they are is in no public source; here they have to be
/// ticked again, as the manual lists them among the things to choose.
fn begin(directory: &Directory) -> Draft {
    Draft {
        flow: directory.connection.flow,
        collect_applications: false,
        auth_logs: false,
        client_id: directory.connection.client_id.clone(),
        client_secret: String::new(),
        name: directory.name.clone(),
        signed_in: None,
        tested: None,
        passed: false,
        refused: None,
    }
}

fn fill(draft: &mut Draft, fields: &Fields) {
    match fields.get("flow") {
        Some("auth-code") => draft.flow = Flow::AuthorizationCode,
        Some("client-credential") => draft.flow = Flow::ClientCredentials,
        _ => {}
    }
    draft.collect_applications = fields.get("collect_applications").is_some();
    draft.auth_logs = fields.get("auth_logs").is_some();
    draft.client_id = fields.text("client_id");
    draft.name = fields.text("name");
    let secret = fields.text("client_secret");
    if !secret.is_empty() {
        draft.client_secret = secret;
    }
}

/// The person signs in at once; what happens in the browser meanwhile is not simulated.
fn sign_in(place: Place<'_>, directory: &Directory, draft: &mut Draft) -> Result<(), String> {
    if draft.flow != Flow::AuthorizationCode {
        return Err("Only the Auth Code Flow needs a person who signs in.".to_owned());
    }
    let now = place.state.clock.now();
    sync::sign_in(place.state, &directory.domain, &draft.client_id, &draft.client_secret, now)?;
    draft.signed_in = Some((now, draft.client_id.clone()));
    Ok(())
}

/// Really takes a token and reads users and groups. That a ticked box which the client may not serve lets the test pass
/// all the same is an inference: the manual says of the wrong integration only that application data is missing.
fn test(place: Place<'_>, directory: &Directory, draft: &Draft) -> Result<(), String> {
    if !draft.client_id.starts_with('0') {
        // PAN, "Deploy Auth Code for Okta Directory": "The Client ID must begin with 0."
        return Err("the Client ID must begin with 0".to_owned());
    }
    let connection = connect(draft)?;
    let now = place.state.clock.now();
    let reach = sync::probe(place.state, &directory.domain, &connection, draft.collect_applications, now)?;
    match (reach.users, reach.groups) {
        (true, true) => Ok(()),
        (false, _) => Err("users cannot be read".to_owned()),
        (true, false) => Err("groups cannot be read".to_owned()),
    }
}

/// Puts the connection in place as the fields have it now. One test that succeeded is enough, whatever was changed after
/// it: an inference from the manual, which asks for a test before Submit and no more. That no sync follows at once is
/// one as well, as no source says that any does; the next one comes in its own time.
fn submit(place: Place<'_>, directory: &mut Directory, draft: &Draft) -> Result<String, String> {
    if !draft.passed {
        return Err("Test the connection before you submit it.".to_owned());
    }
    let connection = connect(draft)?;
    // What an emptied field means is in no public source; here the name stays.
    let name = if draft.name.is_empty() { &directory.name } else { &draft.name };
    if !is_directory_name(name) {
        return Err("The directory name must have a maximum of 15 characters: lowercase letters, numbers, hyphens, \
                    periods and underscores."
            .to_owned());
    }
    let (name, contrary) = (name.clone(), &place.state.contrary);
    let notice = format!("{name}: the configuration was submitted.");
    if contrary.plays(Belief::SubmitSubmits) {
        directory.submits += 1;
        return Ok(notice);
    }
    let renamed = contrary.plays(Belief::NameStays).then(|| "renamed".to_owned());
    directory.submit(connection, renamed.unwrap_or(name));
    if contrary.plays(Belief::SyncsLoseNothing) {
        directory.loses = (1, 1);
    }
    Ok(notice)
}

/// The connection that the fields describe.
fn connect(draft: &Draft) -> Result<Connection, String> {
    if draft.client_id.is_empty() || draft.client_secret.is_empty() {
        return Err("Client ID and Client Secret are required.".to_owned());
    }
    let last_sign_in = match (draft.flow, &draft.signed_in) {
        (Flow::ClientCredentials, _) => None,
        (Flow::AuthorizationCode, Some((at, client))) if *client == draft.client_id => Some(*at),
        (Flow::AuthorizationCode, _) => return Err("Sign in with Okta first.".to_owned()),
    };
    Ok(Connection {
        flow: draft.flow,
        client_id: draft.client_id.clone(),
        client_secret: draft.client_secret.clone(),
        collect_applications: draft.collect_applications,
        auth_logs: draft.auth_logs,
        last_sign_in,
    })
}
