//! The swap itself: submits tested credentials, tells whether that has happened, and takes it back.

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, EvidenceResult, Flow, HttpAnswer, Intent, ObserveReply, Observed, StepParams, Values,
};
use serde_json::{Value, json};

use crate::{
    api::Api,
    detect,
    fields::Directory,
    plan::{ConnectionPayload, sentence_for_a_person},
    read_payload,
    template::{Bindings, Variable},
    test_connection::{Receipt, bind_credentials},
    time::{ShownTime, Timestamp},
};

/// Submits the credentials, unless the directory has them already.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let receipt = Receipt::of_passed_test(params)?;
    let connection: ConnectionPayload = read_payload(params)?;
    let (shown, answer) = detect::read(api, &connection.id).await?;
    refuse_another_directory(&shown, &connection)?;
    match tell_state(&shown, &connection, new_client_id(params)) {
        Observed::NotApplied => submit(api, params, &connection, receipt, &shown).await,
        Observed::Applied => {
            let evidence = api.see("submit", EvidenceResult::Pass, "the directory had the new client before", &answer);
            Ok(ApplyReply { outputs: seen_swapped(&shown, &answer), evidence: vec![evidence], ..ApplyReply::default() })
        }
        _ => {
            Err(Error::new(ErrorKind::Conflict, format!("the connection changed since the plan: {}", describe(&shown)))
                .with_hint("detect again, and plan again"))
        }
    }
}

/// A changed domain cannot be submitted, and a changed name would change every group's distinguished name.
fn refuse_another_directory(shown: &Directory, connection: &ConnectionPayload) -> Result<(), Error> {
    for (what, now, then) in [("domain", &shown.domain, &connection.domain), ("name", &shown.name, &connection.name)] {
        if now.as_ref() != Some(then) {
            let now = now.as_deref().unwrap_or("nothing");
            let message = format!("the directory's {what} is {now}, and was {then} at the time of the plan");
            return Err(Error::new(ErrorKind::Conflict, message).with_hint("detect again, and plan again"));
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
    let evidence = api.see("submit", EvidenceResult::Pass, "the directory took the new credentials", &answer);
    Ok(ApplyReply { outputs: date_swap(before, &answer), evidence: vec![evidence], ..ApplyReply::default() })
}

/// Whether the directory has the new client, the previous one, or a third.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let connection: ConnectionPayload = read_payload(params)?;
    let (shown, answer) = detect::read(api, &connection.id).await?;
    let state = tell_state(&shown, &connection, new_client_id(params));
    let outputs = match state {
        Observed::Applied if params.outputs.get("swapped_at").is_some_and(Value::is_string) => params.outputs.clone(),
        Observed::Applied => seen_swapped(&shown, &answer),
        _ => Values::new(),
    };
    Ok(ObserveReply { state, outputs, detail: explain_state(state, &shown, &connection) })
}

/// Puts the previous connection back, where the interface can.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = read_payload(params)?;
    let Some(restore) = &api.config.restore else {
        let client = connection.previous_client_id.as_deref().map(|id| format!(" of client {id}")).unwrap_or_default();
        return Err(Error::new(ErrorKind::Unsupported, "this interface cannot put the previous connection back")
            .with_hint(sentence_for_a_person(&connection.name, &client)));
    };
    let (shown, answer) = detect::read(api, &connection.id).await?;
    match tell_state(&shown, &connection, new_client_id(params)) {
        Observed::NotApplied => {
            let evidence = api.see("restore", EvidenceResult::Pass, "the previous connection was back before", &answer);
            return Ok(ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() });
        }
        Observed::Applied => {}
        _ => {
            let message = format!("the connection is neither the new nor the previous one: {}", describe(&shown));
            return Err(
                Error::new(ErrorKind::Conflict, message).with_hint("somebody else changed it; ask before undoing")
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
    if tell_state(&after, &connection, new_client_id(params)) != Observed::NotApplied {
        let message = format!("the directory agreed to restore, and shows {}", describe(&after));
        return Err(Error::new(ErrorKind::Conflict, message).with_unknown_effect());
    }
    let evidence = api.see("restore", EvidenceResult::Pass, describe(&after), &answer);
    Ok(ApplyReply { outputs: Values::new(), evidence: vec![evidence], ..ApplyReply::default() })
}

/// Where the flow tells the two connections apart, a client that is not shown contradicts nothing. Where both are of one flow
/// only the client tells, and one that is not shown tells nothing. A flow that nobody explained is neither.
fn tell_state(shown: &Directory, connection: &ConnectionPayload, new: Option<&str>) -> Observed {
    if is_of_another_org(shown, connection) {
        return Observed::Unknown;
    }
    let Some(flow) = shown.flow.filter(|flow| *flow != Flow::Unknown) else { return Observed::Unknown };
    let (client, previous) = (shown.client_id.as_deref(), connection.previous_client_id.as_deref());
    let is_new = client.is_some() && client == new;
    let is_previous = client.is_some() && client == previous;
    let flow_tells = connection.previous_flow == Flow::AuthorizationCode;
    if flow == Flow::ClientCredentials && new.is_some() && (is_new || (client.is_none() && flow_tells)) {
        return Observed::Applied;
    }
    let agrees = client.is_none() || previous.is_none();
    match flow == connection.previous_flow && !is_new && (is_previous || (agrees && flow_tells)) {
        true => Observed::NotApplied,
        false => Observed::Unknown,
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
    let client = shown.client_id.as_deref().map(|id| format!(" as client {id}")).unwrap_or_default();
    format!("the directory is connected by {}{client}", shown.flow.unwrap_or_default())
}

fn explain_state(state: Observed, shown: &Directory, connection: &ConnectionPayload) -> String {
    if let Some(domain) = shown.domain.as_ref().filter(|_| is_of_another_org(shown, connection)) {
        return format!("the answer shows a directory of {domain}, and not of {}", connection.domain);
    }
    let why = match (state, shown.flow, &shown.client_id) {
        (Observed::Applied | Observed::NotApplied | Observed::Partial, ..) => "",
        (_, None, _) => ", and does not show by which flow",
        (_, Some(Flow::Unknown), _) => ", a flow that `flows` does not explain",
        (_, Some(_), None) => ", and does not show as which client, by which alone the two connections differ",
        (_, Some(_), Some(_)) => ", which is neither the new connection nor the previous one",
    };
    format!("{}{why}", describe(shown))
}

/// When the submit was answered, by the gateway's own clock, and not before the last sync that it showed before: whatever is
/// later than this is a sync after the swap. Null where the answer has no `Date` that can be read.
fn date_swap(before: &Directory, answer: &HttpAnswer) -> Values {
    let last = before.last_success.as_ref().and_then(ShownTime::at);
    swapped_at(Api::date_of(answer).map(|date| last.map_or(date, |last| last.max(date))))
}

/// The same, where the directory is found to have the new client already: which sync it showed before is not known, so none
/// counts that it shows now, and none within the second of the answer.
fn seen_swapped(shown: &Directory, answer: &HttpAnswer) -> Values {
    let last = shown.last_success.as_ref().and_then(ShownTime::at);
    swapped_at(Api::date_of(answer).map(Timestamp::end_of_second).map(|end| last.map_or(end, |last| last.max(end))))
}

fn swapped_at(time: Option<Timestamp>) -> Values {
    [("swapped_at".to_owned(), time.map_or(Value::Null, |time| json!(time.to_string())))].into()
}
