//! The run sheets for the console, in the words and the order of its *Reconnect* form (vendor documentation, "Reconnect Okta
//! Directory" and "Deploy Client Credential Flow for Okta"; revisions number the steps differently, so nothing here has a
//! number).

use flowswap_contract::{Handle, RunSheet, SheetAct, SheetLine};

use crate::plan::ConnectionPayload;

const APPS_BOX: &str = "Collect enterprise applications";
const LOGS_BOX: &str = "Collect authentication logs and forward to Strata Logging Service";
const PLAIN: &str = "Palo Alto Networks Cloud Identity Engine";
const APPLICATION_ENABLED: &str = "Palo Alto Networks Cloud Identity Engine (Application-enabled)";

/// The longest name that the form takes (vendor documentation).
const LONGEST_NAME: usize = 15;

/// What to do for the swap.
pub(crate) fn forward(connection: &ConnectionPayload, client_id: &str, client_secret: &Handle) -> RunSheet {
    let mut lines = way_to_form(connection);
    lines.push(
        SheetLine::new(SheetAct::Choose, "Connection Flow")
            .with("Client Credential Flow")
            .note("the manual writes: Select Connection Flow"),
    );
    lines.push(box_line(APPS_BOX, Some(connection.app_data)));
    lines.push(box_line(LOGS_BOX, connection.auth_logs));
    lines.push(domain_line(connection));
    lines.push(SheetLine::new(SheetAct::Enter, "Client ID").with(client_id));
    lines.push(
        SheetLine::new(SheetAct::Enter, "Client Secret")
            .with(client_secret.to_value())
            .note("do not click Restore: it puts the present secret back, which does not go with this flow"),
    );
    lines.push(press_test("otherwise do not submit; compare Client ID and Client Secret first"));
    lines.extend(end_of_form(connection, "a new name would change the distinguished name of every group"));
    RunSheet {
        title: format!("Reconnect {} by the Client Credential Flow", connection.directory),
        url: connection.console_url.clone(),
        lines,
        keep: keep(connection, Some(connection.app_data)),
        care: care_forward(connection, client_id),
        proof: format!("Okta's System Log shows that somebody other than flowswap got an access token as {client_id}"),
    }
}

/// What to do for the way back, the vendor's own procedure for the authorization-code flow.
pub(crate) fn back(connection: &ConnectionPayload) -> RunSheet {
    let legacy_id = connection.previous_client_id.as_deref();
    let app = name_app(connection);
    let mut lines = vec![
        SheetLine::new(SheetAct::Go, "Okta Admin Console > Applications > Applications")
            .note(format!("open {app}; it must be Active, or else activate it first")),
        SheetLine::new(SheetAct::Go, "General").note("from here come the Client ID and the Client Secret for the form"),
    ];
    lines.extend(way_to_form(connection));
    lines.push(SheetLine::new(SheetAct::Choose, "Connection Flow").with("Auth Code Flow"));
    // Where nobody has written down what it was, it is what the tenant is to have.
    let applications = connection.previous_app_data.unwrap_or(connection.app_data);
    lines.push(box_line(APPS_BOX, Some(applications)));
    lines.push(box_line(LOGS_BOX, connection.auth_logs));
    lines.push(domain_line(connection));
    let client_id = SheetLine::new(SheetAct::Enter, "Client ID");
    lines.push(match legacy_id {
        Some(id) => client_id.with(id),
        None => client_id.note("that of the authorization-code app, from its General tab in Okta"),
    });
    lines.push(
        SheetLine::new(SheetAct::Enter, "Client Secret")
            .note(format!("that of {app}, from its General tab in Okta; flowswap does not have it")),
    );
    lines.push(
        SheetLine::new(SheetAct::Press, "Sign in with Okta")
            .with("Logged In")
            .note("as the administrator to whom the app is assigned; the connection works for 90 days from now"),
    );
    lines.push(press_test("otherwise do not submit; compare Client ID and Client Secret, and sign in again"));
    let if_renamed =
        "if it shows another name by now, enter this one: every group gets its old distinguished name back";
    lines.extend(end_of_form(connection, if_renamed));
    let id = legacy_id.unwrap_or("the authorization-code app");
    RunSheet {
        title: format!("Reconnect {} by the Auth Code Flow, as before", connection.directory),
        url: connection.console_url.clone(),
        lines,
        keep: keep(connection, Some(applications)),
        care: vec![
            "Activate the app in Okta before anything else: with an inactive app, Sign in with Okta fails.".to_owned(),
            "The client id and secret of the API service integration do not go with this flow.".to_owned(),
            GREEN_IS_NO_PROOF.to_owned(),
        ],
        proof: format!("Okta's System Log shows that somebody got an access token as {id} again"),
    }
}

/// The Directories page is known to run ahead of the sync (vendor documentation).
const GREEN_IS_NO_PROOF: &str = "Sync Status on the Directories page may say Success while a sync is still running, and \
     after a sync from before the change: it proves nothing.";

fn way_to_form(connection: &ConnectionPayload) -> Vec<SheetLine> {
    let hub = SheetLine::new(SheetAct::Go, "Cloud Identity Engine");
    vec![
        match connection.console_url {
            Some(_) => hub
                .note("the address that this sheet begins at, or from the hub the app and the tenant of that address"),
            None => hub.note("from the hub, https://apps.paloaltonetworks.com: the app, and in it the right tenant"),
        },
        SheetLine::new(SheetAct::Go, "Directories"),
        SheetLine::new(SheetAct::Choose, "Actions")
            .with("Reconnect")
            .note(format!("in the row of {}, whose domain is {}", connection.directory, connection.domain)),
    ]
}

fn box_line(label: &str, ticked: Option<bool>) -> SheetLine {
    match ticked {
        Some(true) => SheetLine::new(SheetAct::Tick, label),
        Some(false) => SheetLine::new(SheetAct::Clear, label),
        None => SheetLine::new(SheetAct::Leave, label).note("whether it is ticked or not"),
    }
}

fn domain_line(connection: &ConnectionPayload) -> SheetLine {
    SheetLine::new(SheetAct::Leave, "Domain")
        .with(connection.domain.as_str())
        .note("it cannot be changed here; if it shows something else, this is another directory: close the form")
}

fn press_test(otherwise: &str) -> SheetLine {
    SheetLine::new(SheetAct::Press, "Test Connection").with("Success").note(otherwise)
}

fn end_of_form(connection: &ConnectionPayload, about_name: &str) -> Vec<SheetLine> {
    vec![
        name_line(&connection.directory, about_name),
        SheetLine::new(SheetAct::Press, "Submit"),
        SheetLine::new(SheetAct::Go, "Directories")
            .note(format!("see that {} is there under this name", connection.directory)),
    ]
}

/// Whether the form insists on a shorter name where the present one is a long default name is documented nowhere.
fn name_line(name: &str, about: &str) -> SheetLine {
    let line = SheetLine::new(SheetAct::Leave, "Directory Name (Optional)").with(name);
    if name.chars().count() <= LONGEST_NAME {
        return line.note(about);
    }
    line.note(format!(
        "look at this field before Submit: the name is longer than the {LONGEST_NAME} characters of the manual. If the form \
         takes it as it is, leave it. If it wants a shorter one, close the form without Submit and decline: a new name \
         changes the distinguished name (its DC= part) of every group, and policy rules, dynamic user groups and \
         authentication profiles that name the old one no longer match"
    ))
}

fn keep(connection: &ConnectionPayload, app_data: Option<bool>) -> Vec<String> {
    let boxes = [(APPS_BOX, app_data), (LOGS_BOX, connection.auth_logs)].map(|(label, ticked)| match ticked {
        Some(true) => format!("{label}: ticked"),
        Some(false) => format!("{label}: not ticked"),
        None => format!("{label}: as it is"),
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
            "The client id of the authorization-code app{legacy} and its secret do not go with this flow: enter {client_id}."
        ),
        format!(
            "{client_id} is the API service integration `{object}` in Okta. The SAML, SCIM and OIDC apps of the same name are \
             something else."
        ),
    ];
    care.push(match connection.app_data {
        true => {
            format!("With `{APPS_BOX}` cleared, application data goes away and policy rules that use it stop matching.")
        }
        false => {
            format!("With `{APPS_BOX}` ticked, the directory asks for applications, which this client may not read.")
        }
    });
    care.push(
        "Success of Test Connection changes nothing yet: without Submit the directory goes on as before.".to_owned(),
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
