//! The Reconnect form as HTML.

use http::StatusCode;

use super::Context;
use super::page::{Page, escape};
use crate::directory::{Directory, Draft, Flow};
use crate::message::Reply;

/// Shows the form. While `testing`, the form is locked, and the page moves to the result by itself.
pub(crate) fn show(context: Context<'_>, directory: &Directory, draft: &Draft, testing: bool) -> Reply {
    let path = context.path_of(&directory.id, "reconnect");
    let refused = draft.refused.as_ref().filter(|_| !testing);
    let refused = refused.map(|text| format!("<p class=\"notice bad\" role=\"alert\">{}</p>\n", escape(text)));
    let body = format!(
        "{refused}<form class=\"card\" method=\"post\" action=\"{action}\" autocomplete=\"off\">\
         <fieldset{locked}>\n\
         <button class=\"default\" name=\"action\" value=\"keep\" tabindex=\"-1\" aria-hidden=\"true\">Keep</button>\n\
         {flow}{boxes}{fields}{sign_in}{test}{name}{end}</fieldset></form>",
        refused = refused.unwrap_or_default(),
        action = escape(&path),
        locked = if testing { " disabled" } else { "" },
        flow = show_flow(draft),
        boxes = show_boxes(draft),
        fields = show_fields(directory, draft),
        sign_in = show_sign_in(draft),
        test = show_test(draft, testing),
        name = show_name(draft),
        end = show_end(draft),
    );
    let (title, location) =
        (format!("Reconnect {}", directory.name), format!("{} (TSG {})", context.tenant, context.tsg_id));
    let refresh_to = testing.then_some(path.as_str());
    Page { title: &title, location: &location, body: &body, refresh_to }.reply(StatusCode::OK)
}

fn show_flow(draft: &Draft) -> String {
    let choice = |id: &str, value: &str, label: &str, flow: Flow| {
        let checked = if draft.flow == flow { " checked" } else { "" };
        format!(
            "<div class=\"choice\"><input type=\"radio\" id=\"{id}\" name=\"flow\" value=\"{value}\"{checked}>\
             <label for=\"{id}\">{label}</label></div>\n"
        )
    };
    format!(
        "<fieldset><legend>Connection Flow</legend>\n{}{}</fieldset>\n",
        choice("flow-auth-code", "auth-code", "Auth Code Flow", Flow::AuthorizationCode),
        choice("flow-client-credential", "client-credential", "Client Credential Flow", Flow::ClientCredentials)
    )
}

fn show_boxes(draft: &Draft) -> String {
    let tick = |id: &str, name: &str, label: &str, ticked: bool| {
        let checked = if ticked { " checked" } else { "" };
        format!(
            "<div class=\"choice\"><input type=\"checkbox\" id=\"{id}\" name=\"{name}\"{checked}>\
             <label for=\"{id}\">{label}</label></div>\n"
        )
    };
    let logs = "Collect authentication logs and forward to Strata Logging Service";
    format!(
        "<div class=\"field\">{}{}</div>\n",
        tick(
            "collect-applications",
            "collect_applications",
            "Collect enterprise applications",
            draft.collect_applications
        ),
        tick("auth-logs", "auth_logs", logs, draft.auth_logs)
    )
}

fn show_fields(directory: &Directory, draft: &Draft) -> String {
    let entered = if draft.client_secret.is_empty() { "" } else { "A secret is entered. It is not shown again." };
    format!(
        "<div class=\"field\"><label for=\"domain\">Domain</label>\
         <input type=\"text\" id=\"domain\" value=\"{domain}\" readonly>\
         <p class=\"hint\">You cannot change the domain.</p></div>\n\
         <div class=\"field\"><label for=\"client-id\">Client ID</label>\
         <input type=\"text\" id=\"client-id\" name=\"client_id\" value=\"{client}\" spellcheck=\"false\"></div>\n\
         <div class=\"field\"><label for=\"client-secret\">Client Secret</label><div class=\"row\">\
         <input type=\"password\" id=\"client-secret\" name=\"client_secret\" autocomplete=\"new-password\">\
         <button id=\"restore\" name=\"action\" value=\"restore\">Restore</button></div>\
         <p class=\"hint\" id=\"secret-state\">{entered}</p></div>\n",
        domain = escape(&directory.domain),
        client = escape(&draft.client_id),
    )
}

fn show_sign_in(draft: &Draft) -> String {
    let label = if draft.signed_in.is_some() { "Logged In" } else { "Sign in with Okta" };
    format!(
        "<div class=\"field sign-in\"><button id=\"sign-in\" name=\"action\" value=\"sign-in\">{label}</button>\
         <p class=\"hint\">Auth Code Flow only.</p></div>\n"
    )
}

fn show_test(draft: &Draft, testing: bool) -> String {
    let (class, text) = match &draft.tested {
        _ if testing => ("", "Testing".to_owned()),
        None => ("", String::new()),
        Some(Ok(())) => ("good", "Success".to_owned()),
        Some(Err(reason)) => ("bad", format!("Failed: {reason}")),
    };
    format!(
        "<div class=\"field row\"><button id=\"test-connection\" name=\"action\" value=\"test\">Test Connection</button>\
         <output id=\"test-result\" class=\"{class}\">{}</output></div>\n",
        escape(&text)
    )
}

fn show_name(draft: &Draft) -> String {
    format!(
        "<div class=\"field\"><label for=\"directory-name\">Directory Name (Optional)</label>\
         <input type=\"text\" id=\"directory-name\" name=\"name\" value=\"{}\" spellcheck=\"false\">\
         <p class=\"hint\">Up to 15 lowercase letters, numbers, hyphens, periods and underscores.</p></div>\n",
        escape(&draft.name)
    )
}

fn show_end(draft: &Draft) -> String {
    let disabled = if draft.passed { "" } else { " disabled" };
    format!(
        "<div class=\"end\"><button id=\"submit\" class=\"main\" name=\"action\" value=\"submit\"{disabled}>Submit</button>\
         <button id=\"cancel\" name=\"action\" value=\"cancel\">Cancel</button></div>\n"
    )
}
