//! The buttons of the Reconnect form. Every button sends all fields. The server stores the form, so that no page contains
//! the secret that was entered.

use super::directories::{find, redirect_with_notice};
use super::page::not_found;
use super::{Context, Fields, form, redirect_to};
use crate::beliefs::Belief;
use crate::directory::{Connection, Directory, Draft, Flow, is_directory_name};
use crate::gateway::sync;
use crate::message::Reply;

/// POST …/reconnect/open: Actions > Reconnect.
pub(crate) fn open(context: Context<'_>, id: &str) -> Reply {
    let Some(mut directory) = find(context, id) else { return not_found() };
    directory.draft = Some(new_draft(&directory));
    redirect_to(&context.path_of(id, "reconnect"))
}

/// GET …/reconnect. `testing` is set directly after Test Connection was pressed.
pub(crate) fn show(context: Context<'_>, id: &str, testing: bool) -> Reply {
    let Some(mut directory) = find(context, id) else { return not_found() };
    let draft = directory.draft.take().unwrap_or_else(|| new_draft(&directory));
    let reply = form::show(context, &directory, &draft, testing);
    directory.draft = Some(draft);
    reply
}

/// POST …/reconnect: stores the fields, and does what the pressed button says.
pub(crate) fn press(context: Context<'_>, id: &str, fields: &Fields) -> Reply {
    let Some(mut directory) = find(context, id) else { return not_found() };
    let mut draft = directory.draft.take().unwrap_or_else(|| new_draft(&directory));
    fill(&mut draft, fields);
    draft.refused = None;
    let here = context.path_of(id, "reconnect");
    let next = match fields.get("action") {
        Some("sign-in") => {
            draft.refused = sign_in(context, &directory, &mut draft).err();
            here
        }
        Some("restore") => {
            draft.client_secret.clone_from(&directory.connection.client_secret);
            here
        }
        Some("test") => {
            let tested = test(context, &directory, &draft);
            draft.passed |= tested.is_ok();
            draft.tested = Some(tested);
            format!("{here}?testing=1")
        }
        Some("submit") => match submit(context, &mut directory, &draft) {
            Ok(notice) => return redirect_with_notice(context, &notice),
            Err(refusal) => {
                draft.refused = Some(refusal);
                here
            }
        },
        Some("cancel") => return redirect_with_notice(context, "Nothing was changed."),
        _ => here,
    };
    directory.draft = Some(draft);
    redirect_to(&next)
}

/// A new form. No public source says whether the real form shows the current state of the boxes. Here a person must tick
/// them again, because the manual lists them among the choices.
fn new_draft(directory: &Directory) -> Draft {
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

/// The person signs in at once. The steps in the browser are not simulated.
fn sign_in(context: Context<'_>, directory: &Directory, draft: &mut Draft) -> Result<(), String> {
    if draft.flow != Flow::AuthorizationCode {
        return Err("Only the Auth Code Flow needs a sign-in.".to_owned());
    }
    let now = context.state.clock.now();
    sync::sign_in(context.state, &directory.domain, &draft.client_id, &draft.client_secret, now)?;
    draft.signed_in = Some((now, draft.client_id.clone()));
    Ok(())
}

/// Really gets a token and reads users and groups. It is an inference that the test passes although the client lacks the
/// scope of a ticked box: about the wrong integration, the manual says only that application data is missing.
fn test(context: Context<'_>, directory: &Directory, draft: &Draft) -> Result<(), String> {
    if !draft.client_id.starts_with('0') {
        // PAN, "Deploy Auth Code for Okta Directory": "The Client ID must begin with 0."
        return Err("the Client ID must begin with 0".to_owned());
    }
    let connection = build_connection(draft)?;
    let now = context.state.clock.now();
    let readable = sync::probe(context.state, &directory.domain, &connection, draft.collect_applications, now)?;
    match (readable.users, readable.groups) {
        (true, true) => Ok(()),
        (false, _) => Err("users cannot be read".to_owned()),
        (true, false) => Err("groups cannot be read".to_owned()),
    }
}

/// Replaces the connection with the current fields. One successful test is enough, even if the fields changed after it.
/// This is an inference: the manual requires only a test before Submit. It is also an inference that no sync follows at
/// once: no source says so. The next scheduled sync comes at its time.
fn submit(context: Context<'_>, directory: &mut Directory, draft: &Draft) -> Result<String, String> {
    if !draft.passed {
        return Err("Test the connection before you submit it.".to_owned());
    }
    let connection = build_connection(draft)?;
    // No public source says what an empty field means. Here the name stays.
    let name = if draft.name.is_empty() { &directory.name } else { &draft.name };
    if !is_directory_name(name) {
        return Err("The directory name must have a maximum of 15 characters: lowercase letters, numbers, hyphens, \
                    periods and underscores."
            .to_owned());
    }
    let (name, false_beliefs) = (name.clone(), &context.state.false_beliefs);
    let notice = format!("{name}: the configuration was submitted.");
    if false_beliefs.takes_effect(Belief::SubmitSubmits) {
        directory.submits += 1;
        return Ok(notice);
    }
    let renamed = false_beliefs.takes_effect(Belief::NameStays).then(|| "renamed".to_owned());
    directory.submit(connection, renamed.unwrap_or(name));
    if false_beliefs.takes_effect(Belief::SyncsLoseNothing) {
        directory.loses = (1, 1);
    }
    Ok(notice)
}

/// The connection that the fields describe.
fn build_connection(draft: &Draft) -> Result<Connection, String> {
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
