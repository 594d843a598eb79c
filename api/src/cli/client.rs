//! `cxengage client`: the programs that may use the API for a tenant. What is changed is changed by a running server;
//! what is read, in the data folder.

use std::collections::BTreeMap;
use std::process::ExitCode;

use domain::client::{Event, Scope};
use domain::ids::{Position, TenantId};
use domain::json::{Json, Object};
use eventlog::record::{Select, StreamKind};

use super::rest::Remote;
use super::store::{PAGE, Store};
use super::{Failure, Outcome, show, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

/// Whose client.
#[derive(clap::Args)]
#[group(skip)]
struct Whose {
    /// Whose.
    #[arg(long, env = "CXENGAGE_TENANT")]
    tenant: String,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List a tenant's clients; no secret is shown.
    List {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        store: store::Options,
        #[command(flatten)]
        form: show::Form,
    },
    /// Make a client; takes an admin client. The secret is shown once.
    Create {
        /// Its name, for people.
        #[arg(long, env = "CXENGAGE_NAME")]
        name: String,
        /// What it may do at most; may be given more than once, or as a list. Left out: all but admin.
        #[arg(long, env = "CXENGAGE_SCOPE", value_delimiter = ',', value_parser = scope)]
        scope: Vec<Scope>,
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        form: show::Form,
    },
    /// Delete a client, and with it all its tokens; takes an admin client.
    Delete {
        /// Its id.
        id: String,
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        remote: Remote,
    },
}

fn scope(word: &str) -> Result<Scope, String> {
    let known = Scope::ALL.map(Scope::name).join(", ");
    Scope::from_name(word).ok_or_else(|| format!("there are {known}"))
}

fn named(scopes: &[Scope]) -> Json {
    scopes.iter().map(|scope| Json::from(scope.name())).collect::<Vec<_>>().into()
}

pub(super) fn run(options: Options) -> Outcome {
    super::block_on(async move {
        match options.command {
            Command::List { whose, store, form } => {
                let store = store.open().await?;
                let tenant = store.tenant(&whose.tenant).await?;
                list(&store, &tenant).await?.iter().try_for_each(|client| form.print(client))?;
            }
            Command::Create { name, scope, whose, remote, form } => {
                let mut body = Object::new();
                body.set("name", name);
                if !scope.is_empty() {
                    body.set("scopes", named(&scope));
                }
                let client = remote.connect().await?;
                let made = client.post(&path(&whose.tenant, ""), &body.into()).await?;
                form.print(made.as_object().unwrap_or(&Object::new()))?;
            }
            Command::Delete { id, whose, remote } => {
                remote.connect().await?.delete(&path(&whose.tenant, &format!("/{}", escaped(&id)))).await?;
            }
        }
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}

fn path(tenant: &str, rest: &str) -> String {
    format!("/1.0/tenants/{}/clients{rest}", escaped(tenant))
}

/// As a path has it.
pub(super) fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A tenant's clients as the record has them, in order of creation.
async fn list(store: &Store, tenant: &TenantId) -> Result<Vec<Object>, Failure> {
    let select = Select::Tenant(TenantId::from(""));
    let (mut clients, mut after) = (BTreeMap::new(), Position(0));
    loop {
        let rows = store.record.read_after(select.clone(), after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.position;
        for row in rows.iter().filter(|row| row.stream.kind == StreamKind::Client) {
            match serde_json::from_slice(&row.payload)? {
                Event::Created { name, scopes, tenants, .. } if tenants.contains(tenant) => {
                    let mut client = Object::new();
                    client.set("id", row.stream.id.as_str());
                    client.set("name", name);
                    client.set("scopes", named(&scopes));
                    clients.insert(row.stream.id.clone(), (row.position, client));
                }
                Event::Created { .. } => {}
                Event::Deleted => drop(clients.remove(&row.stream.id)),
            }
        }
    }
    let mut clients: Vec<(Position, Object)> = clients.into_values().collect();
    clients.sort_by_key(|(position, _)| *position);
    Ok(clients.into_iter().map(|(_, client)| client).collect())
}
