//! The run sheets for the console, in the words and the order of its *Reconnect* form (vendor documentation, "Reconnect Okta
//! Directory" and "Deploy Client Credential Flow for Okta"). Revisions of the documentation number the steps differently, so
//! the lines here have no numbers.

use flowswap_contract::{Handle, RunSheet, SheetAct, SheetLine};

use crate::plan::ConnectionPayload;

const APPS_BOX: &str = "Collect enterprise applications";
const LOGS_BOX: &str = "Collect authentication logs and forward to Strata Logging Service";
const PLAIN: &str = "Palo Alto Networks Cloud Identity Engine";
const APPLICATION_ENABLED: &str = "Palo Alto Networks Cloud Identity Engine (Application-enabled)";

/// The longest name that the form accepts (vendor documentation).
const MAX_NAME_LENGTH: usize = 15;

/// The run sheet for the swap.
pub(crate) fn forward(connection: &ConnectionPayload, client_id: &str, client_secret: &Handle) -> RunSheet {
    let mut lines = open_form(connection);
    lines.push(
        SheetLine::new(SheetAct::Choose, "Connection Flow")
            .with("Client Credential Flow")
            .note("the manual calls it Select Connection Flow"),
    );
    lines.push(box_line(APPS_BOX, Some(connection.app_data)));
    lines.push(box_line(LOGS_BOX, connection.auth_logs));
    lines.push(domain_line(connection));
    lines.push(SheetLine::new(SheetAct::Enter, "Client ID").with(client_id));
    lines.push(
        SheetLine::new(SheetAct::Enter, "Client Secret")
            .with(client_secret.to_value())
            .note("do not click Restore: it keeps the current secret, which does not work with this flow"),
    );
    lines.push(press_test("otherwise do not submit; first check the Client ID and the Client Secret"));
    lines.extend(submit_form(connection, "a new name would change the distinguished name of every group"));
    RunSheet {
        title: format!("Reconnect {} with the Client Credential Flow", connection.directory),
        url: connection.console_url.clone(),
        lines,
        keep: keep(connection, Some(connection.app_data)),
        care: care_forward(connection, client_id),
        proof: format!("Okta's System Log shows an access token for {client_id} that flowswap did not request"),
    }
}

/// The run sheet that gives the connection another client secret. Without one, the person enters the previous secret, which flowswap
/// does not have.
pub(crate) fn rotate(connection: &ConnectionPayload, client_id: &str, client_secret: Option<&Handle>) -> RunSheet {
    let which = if client_secret.is_some() { "new" } else { "previous" };
    let mut lines = open_form(connection);
    lines.push(SheetLine::new(SheetAct::Leave, "Connection Flow").with("Client Credential Flow"));
    lines.push(box_line(APPS_BOX, connection.previous_app_data));
    lines.push(box_line(LOGS_BOX, connection.auth_logs));
    lines.push(domain_line(connection));
    lines.push(SheetLine::new(SheetAct::Enter, "Client ID").with(client_id).note("the same as before"));
    let enter = SheetLine::new(SheetAct::Enter, "Client Secret");
    lines.push(match client_secret {
        Some(secret) => enter.with(secret.to_value()).note("do not click Restore: it keeps the current secret"),
        None => enter.note("the previous secret, from where your team keeps it; flowswap does not have it"),
    });
    lines.push(press_test("otherwise do not submit; first check the Client Secret"));
    lines.extend(submit_form(connection, "a new name would change the distinguished name of every group"));
    RunSheet {
        title: format!("Enter the {which} client secret of {}", connection.directory),
        url: connection.console_url.clone(),
        lines,
        keep: keep(connection, connection.previous_app_data),
        care: vec![
            "Do not forget Submit: Success of Test Connection changes nothing, and the directory keeps its old secret."
                .to_owned(),
            GREEN_IS_NO_PROOF.to_owned(),
        ],
        proof: "Neither Okta nor the console shows which secret is in use, so your confirmation counts".to_owned(),
    }
}

/// The run sheet for the rollback: the vendor's own procedure for the authorization-code flow.
pub(crate) fn back(connection: &ConnectionPayload) -> RunSheet {
    let legacy_id = connection.previous_client_id.as_deref();
    let app = name_app(connection);
    let mut lines = vec![
        SheetLine::new(SheetAct::Go, "Okta Admin Console > Applications > Applications")
            .note(format!("open {app}; if it is not Active, activate it first")),
        SheetLine::new(SheetAct::Go, "General")
            .note("the form needs the Client ID and the Client Secret from this tab"),
    ];
    lines.extend(open_form(connection));
    lines.push(SheetLine::new(SheetAct::Choose, "Connection Flow").with("Auth Code Flow"));
    // If nobody recorded the previous setting, use the one that the plan wants.
    let applications = connection.previous_app_data.unwrap_or(connection.app_data);
    lines.push(box_line(APPS_BOX, Some(applications)));
    lines.push(box_line(LOGS_BOX, connection.auth_logs));
    lines.push(domain_line(connection));
    let client_id = SheetLine::new(SheetAct::Enter, "Client ID");
    lines.push(match legacy_id {
        Some(id) => client_id.with(id),
        None => client_id.note("copy it from the General tab of the authorization-code app in Okta"),
    });
    lines.push(
        SheetLine::new(SheetAct::Enter, "Client Secret")
            .note(format!("copy it from the General tab of {app} in Okta; flowswap does not have it")),
    );
    lines.push(
        SheetLine::new(SheetAct::Press, "Sign in with Okta")
            .with("Logged In")
            .note("sign in as the administrator that the app is assigned to; the connection then works for 90 days"),
    );
    lines.push(press_test("otherwise do not submit; check the Client ID and the Client Secret, and sign in again"));
    let if_renamed = "if it shows another name, enter this one: every group then gets its old distinguished name back";
    lines.extend(submit_form(connection, if_renamed));
    let id = legacy_id.unwrap_or("the authorization-code app");
    RunSheet {
        title: format!("Reconnect {} with the Auth Code Flow, as before", connection.directory),
        url: connection.console_url.clone(),
        lines,
        keep: keep(connection, Some(applications)),
        care: vec![
            "First make sure that the app in Okta is active: with an inactive app, Sign in with Okta fails.".to_owned(),
            "Do not use the client ID and secret of the API service integration: they do not work with this flow."
                .to_owned(),
            GREEN_IS_NO_PROOF.to_owned(),
        ],
        proof: format!("Okta's System Log shows a new access token for {id}"),
    }
}

/// The Directories page may run ahead of the sync (vendor documentation).
const GREEN_IS_NO_PROOF: &str = "Sync Status on the Directories page proves nothing. It may say Success while a sync is still \
     running, or because of a sync before the change.";

fn open_form(connection: &ConnectionPayload) -> Vec<SheetLine> {
    let hub = SheetLine::new(SheetAct::Go, "Cloud Identity Engine");
    vec![
        match connection.console_url {
            Some(_) => {
                hub.note("open the address at the top of this sheet, or select the app and this tenant in the hub")
            }
            None => {
                hub.note("open the app from the hub, https://apps.paloaltonetworks.com, and select the right tenant")
            }
        },
        SheetLine::new(SheetAct::Go, "Directories"),
        SheetLine::new(SheetAct::Choose, "Actions")
            .with("Reconnect")
            .note(format!("in the row of {} with the domain {}", connection.directory, connection.domain)),
    ]
}

fn box_line(label: &str, is_selected: Option<bool>) -> SheetLine {
    match is_selected {
        Some(true) => SheetLine::new(SheetAct::Tick, label),
        Some(false) => SheetLine::new(SheetAct::Clear, label),
        None => SheetLine::new(SheetAct::Leave, label).note("selected or not"),
    }
}

fn domain_line(connection: &ConnectionPayload) -> SheetLine {
    SheetLine::new(SheetAct::Leave, "Domain")
        .with(connection.domain.as_str())
        .note("you cannot change it here. If it shows another domain, you opened another directory: close the form")
}

fn press_test(otherwise: &str) -> SheetLine {
    SheetLine::new(SheetAct::Press, "Test Connection").with("Success").note(otherwise)
}

fn submit_form(connection: &ConnectionPayload, about_name: &str) -> Vec<SheetLine> {
    vec![
        name_line(&connection.directory, about_name),
        SheetLine::new(SheetAct::Press, "Submit"),
        SheetLine::new(SheetAct::Go, "Directories")
            .note(format!("check that the page lists {} under this name", connection.directory)),
    ]
}

/// No source says whether the form insists on a shorter name if the present one is a long default name.
fn name_line(name: &str, about: &str) -> SheetLine {
    let line = SheetLine::new(SheetAct::Leave, "Directory Name (Optional)").with(name);
    if name.chars().count() <= MAX_NAME_LENGTH {
        return line.note(about);
    }
    line.note(format!(
        "check this field before Submit: the name is longer than the {MAX_NAME_LENGTH} characters that the manual allows. If the \
         form accepts it, leave it. If it requires a shorter name, close the form without Submit and decline the run sheet. \
         A new name changes the distinguished name (its DC= part) of every group. Policy rules, dynamic user groups, and \
         authentication profiles that use the old one would no longer match"
    ))
}

fn keep(connection: &ConnectionPayload, app_data: Option<bool>) -> Vec<String> {
    let boxes =
        [(APPS_BOX, app_data), (LOGS_BOX, connection.auth_logs)].map(|(label, is_selected)| match is_selected {
            Some(true) => format!("{label}: selected"),
            Some(false) => format!("{label}: not selected"),
            None => format!("{label}: unchanged"),
        });
    let mut keep = vec![format!("Directory name: {}", connection.directory), format!("Domain: {}", connection.domain)];
    keep.extend(boxes);
    keep
}

fn care_forward(connection: &ConnectionPayload, client_id: &str) -> Vec<String> {
    let legacy = connection.previous_client_id.as_deref().map(|id| format!(", {id},")).unwrap_or_default();
    let object = if connection.app_data { APPLICATION_ENABLED } else { PLAIN };
    let mut care = vec![
        format!(
            "Enter {client_id}. The client ID of the authorization-code app{legacy} and its secret do not work with this flow."
        ),
        format!(
            "{client_id} is the API service integration `{object}` in Okta. Do not confuse it with the SAML, SCIM, and OIDC \
             apps of the same name."
        ),
    ];
    care.push(if connection.app_data {
        format!("Do not clear `{APPS_BOX}`: application data would be lost, and policy rules that use it would stop matching.")
    } else {
        format!("Do not select `{APPS_BOX}`: the directory would request applications, which this client may not read.")
    });
    care.push(
        "Do not forget Submit: Success of Test Connection changes nothing, and the directory keeps its old connection."
            .to_owned(),
    );
    care.push(GREEN_IS_NO_PROOF.to_owned());
    care
}

fn name_app(connection: &ConnectionPayload) -> String {
    match (&connection.previous_client_label, &connection.previous_client_id) {
        (Some(label), Some(id)) => format!("the app {label} ({id})"),
        (None, Some(id)) => format!("the app with the Client ID {id}"),
        (_, None) => "the app of the authorization-code flow".to_owned(),
    }
}
