//! Sends: look at those that failed or are held, let held ones out or go, and make failed ones once more.

mod redrive;

use notifier::runtime::Decided;
use projections::{SendFilter, SendId, SendState, SendView, TimelineEntry};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::list;
use super::problem::Problem;
use super::trail::{self, Entry};

pub use redrive::redrive;

/// GET /tenants/{tid}/sends
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let page = list::page(&call, "sends")?;
    let filter = SendFilter {
        state: call.query.get("state").map(state).transpose()?,
        endpoint: call.query.get("endpoint").map(str::to_owned),
        from: call.query.time("from")?,
        to: call.query.time("to")?,
        ..SendFilter::default()
    };
    let views = call.state.views.sends(&call.tenant, filter, page.ask()).await?;
    let (views, next) = page.cut(&call, views, |view| view.position);
    let entries = views.into_iter().map(|view| Entry::Known(TimelineEntry::Send(view))).collect();
    Ok(list::answer(trail::show(&call.state, entries).await?, next))
}

/// The state of a word.
fn state(word: &str) -> Result<SendState, Problem> {
    let known = SendState::ALL.map(SendState::name).join(", ");
    SendState::from_name(word)
        .ok_or_else(|| Problem::bad_field("state", &format!("has to be one of {known}")))
}

/// POST /tenants/{tid}/sends/{id}/release
pub async fn release(call: Call) -> Result<Answer, Problem> {
    let (id, view) = asked(&call).await?;
    let by = call.metadata().by.unwrap_or_default();
    let released = call.state.notifier.release(&call.tenant, view.reaction, &view.key, &by).await?;
    answered(&call, id, released).await
}

/// POST /tenants/{tid}/sends/{id}/discard
pub async fn discard(call: Call) -> Result<Answer, Problem> {
    let (id, view) = asked(&call).await?;
    let by = call.metadata().by.unwrap_or_default();
    let discarded = call.state.notifier.discard(&call.tenant, view.reaction, &view.key, &by).await?;
    answered(&call, id, discarded).await
}

/// The send that a path names.
async fn asked(call: &Call) -> Result<(SendId, SendView), Problem> {
    let id: SendId = call.param("id").parse().map_err(|_| missing())?;
    let view = call.state.views.send(&call.tenant, id.clone()).await?.ok_or_else(missing)?;
    Ok((id, view))
}

fn missing() -> Problem {
    Problem::missing("there is no such send")
}

async fn answered(call: &Call, id: SendId, decided: Decided) -> Result<Answer, Problem> {
    match decided {
        Decided::Done => {}
        Decided::Missing => return Err(missing()),
        Decided::NotSo => {
            return Err(Problem::conflict(
                "the send is not held; one that has failed is made once more by POST …/sends/redrive",
            ));
        }
    }
    change::settle_all(&call.state).await;
    let view = call.state.views.send(&call.tenant, id).await?.ok_or_else(missing)?;
    let shown = trail::show(&call.state, vec![Entry::Known(TimelineEntry::Send(view))]).await?.pop();
    shown.map(Answer::ok).ok_or_else(missing)
}
