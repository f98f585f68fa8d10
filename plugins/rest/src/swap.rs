//! The swap: submits tested credentials, observes whether the directory has them, and restores the previous connection.

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, EvidenceResult, Flow, HttpAnswer, Intent, ObserveReply, Observed, StepParams, Values,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    api::Api,
    detect,
    fields::Directory,
    plan::{ConnectionPayload, instruct_person},
    shown_time::ShownTime,
    template::{Bindings, Variable},
    test_connection::{Receipt, bind_credentials},
};

/// Submits the credentials, unless the directory has them already.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let receipt = Receipt::of_passed_test(params)?;
    let connection: ConnectionPayload = params.payload()?;
    let (shown, answer) = detect::read(api, &connection.id).await?;
    refuse_another_directory(&shown, &connection)?;
    match observe_state(&shown, &connection, new_client_id(params)) {
        Observed::NotApplied => submit(api, params, &connection, receipt, &shown).await,
        Observed::Applied => {
            let evidence =
                api.evidence("submit", EvidenceResult::Pass, "the directory already had the new client", &answer);
            Ok(ApplyReply {
                outputs: date_found_swap(&shown, &answer),
                evidence: vec![evidence],
                ..ApplyReply::default()
            })
        }
        _ => {
            Err(Error::new(ErrorKind::Conflict, format!("the connection changed since the plan: {}", describe(&shown)))
                .with_hint("run `flowswap detect` again, then make a new plan"))
        }
    }
}

/// A changed domain cannot be submitted, and a changed name would change every group's distinguished name.
pub(crate) fn refuse_another_directory(shown: &Directory, connection: &ConnectionPayload) -> Result<(), Error> {
    for (what, now, then) in [("domain", &shown.domain, &connection.domain), ("name", &shown.name, &connection.name)] {
        if now.as_ref() != Some(then) {
            let now = now.as_deref().unwrap_or("nothing");
            let message = format!("the directory's {what} is {now}, but was {then} when the plan was made");
            return Err(
                Error::new(ErrorKind::Conflict, message).with_hint("run `flowswap detect` again, then make a new plan")
            );
        }
    }
    Ok(())
}

async fn submit(
    api: &Api<'_>,
    params: &StepParams,
    connection: &ConnectionPayload,
    receipt: Receipt,
    before: &Directory,
) -> Result<ApplyReply, Error> {
    let bindings = bind_credentials(api, params, connection)?.bind(Variable::Receipt, receipt.into_value());
    let what = "submit the new credentials";
    let answer = api.send(what, Intent::Mutate, &api.config.submit, &bindings).await?;
    let evidence = api.evidence("submit", EvidenceResult::Pass, "the directory accepted the new credentials", &answer);
    Ok(ApplyReply { outputs: date_swap(before, &answer), evidence: vec![evidence], ..ApplyReply::default() })
}

/// Whether the directory has the new client, the previous one, or a third.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    let (shown, answer) = detect::read(api, &connection.id).await?;
    let state = observe_state(&shown, &connection, new_client_id(params));
    let outputs = match state {
        Observed::Applied if params.outputs.get("swapped_at").is_some_and(Value::is_string) => params.outputs.clone(),
        Observed::Applied => date_found_swap(&shown, &answer),
        _ => Values::new(),
    };
    Ok(ObserveReply { state, outputs, detail: explain_state(state, &shown, &connection) })
}

/// Restores the previous connection, if the interface can.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    let Some(restore) = &api.config.restore else {
        let client = connection.previous_client_id.as_deref().map(|id| format!(" of client {id}")).unwrap_or_default();
        return Err(Error::new(ErrorKind::Unsupported, "this interface cannot restore the previous connection")
            .with_hint(instruct_person(&connection.name, &client)));
    };
    let (shown, answer) = detect::read(api, &connection.id).await?;
    match observe_state(&shown, &connection, new_client_id(params)) {
        Observed::NotApplied => {
            let evidence = api.evidence(
                "restore",
                EvidenceResult::Pass,
                "the directory already had the previous connection",
                &answer,
            );
            return Ok(ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() });
        }
        Observed::Applied => {}
        _ => {
            let message = format!("the connection is neither the new nor the previous one: {}", describe(&shown));
            return Err(
                Error::new(ErrorKind::Conflict, message).with_hint("find out who changed it before you roll back")
            );
        }
    }
    let bindings = Bindings::default()
        .bind(Variable::Id, connection.id.as_str())
        .bind(Variable::Name, connection.name.as_str())
        .bind(Variable::Domain, connection.domain.as_str())
        .bind(Variable::Flow, api.config.word_for(connection.previous_flow).unwrap_or_default())
        .bind(Variable::ClientId, connection.previous_client_id.clone())
        .bind(Variable::AppData, connection.app_data);
    let answer = api.send("restore the previous connection", Intent::Mutate, restore, &bindings).await?;
    let (after, _) = detect::read(api, &connection.id).await.map_err(Error::with_unknown_effect)?;
    if observe_state(&after, &connection, new_client_id(params)) != Observed::NotApplied {
        let message = format!("the directory accepted the restore, but {}", describe(&after));
        return Err(Error::new(ErrorKind::Conflict, message).with_unknown_effect());
    }
    let evidence = api.evidence("restore", EvidenceResult::Pass, describe(&after), &answer);
    Ok(ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() })
}

/// If the two connections differ in their flow, a hidden client contradicts nothing. If both use the same flow, only the client tells
/// them apart, and a hidden client leaves it open. An unexplained flow is neither connection.
fn observe_state(shown: &Directory, connection: &ConnectionPayload, new: Option<&str>) -> Observed {
    if is_of_another_org(shown, connection) {
        return Observed::Unknown;
    }
    let Some(flow) = shown.flow.filter(|flow| *flow != Flow::Unknown) else { return Observed::Unknown };
    let (client, previous) = (shown.client_id.as_deref(), connection.previous_client_id.as_deref());
    let is_new = client.is_some() && client == new;
    let is_previous = client.is_some() && client == previous;
    let flows_differ = connection.previous_flow == Flow::AuthorizationCode;
    if flow == Flow::ClientCredentials && new.is_some() && (is_new || (client.is_none() && flows_differ)) {
        return Observed::Applied;
    }
    let agrees = client.is_none() || previous.is_none();
    if flow == connection.previous_flow && !is_new && (is_previous || (agrees && flows_differ)) {
        Observed::NotApplied
    } else {
        Observed::Unknown
    }
}

/// The domain of a directory never changes (PAN, "Reconnect Okta Directory").
fn is_of_another_org(shown: &Directory, connection: &ConnectionPayload) -> bool {
    shown.domain.as_ref().is_some_and(|domain| !domain.eq_ignore_ascii_case(&connection.domain))
}

fn new_client_id(params: &StepParams) -> Option<&str> {
    params.inputs.get("client_id").and_then(Value::as_str)
}

fn describe(shown: &Directory) -> String {
    match (shown.flow, &shown.client_id) {
        (Some(flow), Some(id)) => format!("the directory uses the flow {flow} and the client {id}"),
        (Some(flow), None) => format!("the directory uses the flow {flow}"),
        (None, Some(id)) => format!("the directory uses the client {id}, but does not show its flow"),
        (None, None) => "the directory does not show its flow".to_owned(),
    }
}

fn explain_state(state: Observed, shown: &Directory, connection: &ConnectionPayload) -> String {
    if let Some(domain) = shown.domain.as_ref().filter(|_| is_of_another_org(shown, connection)) {
        return format!("the answer shows a directory of {domain} instead of {}", connection.domain);
    }
    let why = match (state, shown.flow, &shown.client_id) {
        (Observed::Applied | Observed::NotApplied | Observed::Partial, ..) | (_, None, _) => "",
        (_, Some(Flow::Unknown), _) => "; `flows` does not explain the shown flow",
        (_, Some(_), None) => "; it does not show the client, and the two connections differ only in the client",
        (_, Some(_), Some(_)) => "; that is neither the new nor the previous connection",
    };
    format!("{}{why}", describe(shown))
}

/// The time of the answer to the submit by the gateway's own clock, or of the last sync that it showed before, if that is later. A sync
/// later than this is after the swap. Null if the answer has no readable `Date`.
pub(crate) fn date_swap(before: &Directory, answer: &HttpAnswer) -> Values {
    let last = before.last_success.as_ref().and_then(ShownTime::at);
    swapped_at(Api::date_of(answer).map(|date| last.map_or(date, |last| last.max(date))))
}

/// The same for a directory that already has the new client. It is unknown which sync it showed before, so the sync that it shows now
/// does not count, nor any sync in the same second as the answer.
fn date_found_swap(shown: &Directory, answer: &HttpAnswer) -> Values {
    let last = shown.last_success.as_ref().and_then(ShownTime::at);
    // A `Date` has no fraction, so the answer may be from any point of its second.
    let end = Api::date_of(answer).and_then(|date| date.checked_add(SignedDuration::from_secs(1)).ok());
    swapped_at(end.map(|end| last.map_or(end, |last| last.max(end))))
}

fn swapped_at(time: Option<Timestamp>) -> Values {
    [("swapped_at".to_owned(), time.map_or(Value::Null, |time| json!(time.to_string())))].into()
}
