//! `cxengage tenant`: the businesses that are served. What is made is made by a running server; what is read, in the
//! data folder.

use std::process::ExitCode;

use domain::ids::{Position, TenantId};
use domain::json::Object;
use domain::tenant::Event;
use eventlog::record::{Select, StreamKind};

use super::rest::Remote;
use super::store::{PAGE, Store};
use super::{Outcome, show, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the tenants that there are.
    List {
        #[command(flatten)]
        store: store::Options,
        #[command(flatten)]
        form: show::Form,
    },
    /// Show a tenant.
    Show {
        /// Its id.
        id: String,
        #[command(flatten)]
        store: store::Options,
        #[command(flatten)]
        form: show::Form,
    },
    /// Make a tenant; takes an admin client.
    Create {
        /// Its id: 1 to 64 of A-Z, a-z, 0-9, _ and -, beginning with a letter or digit.
        id: String,
        /// Its name, for people.
        #[arg(long, env = "CXENGAGE_NAME")]
        name: String,
        #[command(flatten)]
        remote: Remote,
        #[command(flatten)]
        form: show::Form,
    },
}

pub(super) fn run(options: Options) -> Outcome {
    super::block_on(async move {
        match options.command {
            Command::List { store, form } => {
                let store = store.open().await?;
                list(&store, None).await?.iter().try_for_each(|tenant| form.print(tenant))?;
            }
            Command::Show { id, store, form } => {
                let store = store.open().await?;
                let tenant = store.tenant(&id).await?;
                list(&store, Some(tenant)).await?.iter().try_for_each(|tenant| form.print(tenant))?;
            }
            Command::Create { id, name, remote, form } => {
                let mut body = Object::new();
                body.set("id", id);
                body.set("name", name);
                let made = remote.connect().await?.post("/1.0/tenants", &body.into()).await?;
                form.print(made.as_object().unwrap_or(&Object::new()))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Tenants as the record has them, in order of creation; one, or all.
async fn list(store: &Store, one: Option<TenantId>) -> Result<Vec<Object>, super::Failure> {
    let select = match one {
        Some(tenant) => {
            Select::Stream(eventlog::record::StreamId::new(&tenant, StreamKind::Tenant, tenant.as_str()))
        }
        None => Select::Domain,
    };
    let (mut tenants, mut after): (Vec<Object>, _) = (Vec::new(), Position(0));
    loop {
        let rows = store.record.read_after(select.clone(), after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(tenants) };
        after = last.position;
        for row in rows.iter().filter(|row| row.stream.kind == StreamKind::Tenant) {
            let id = row.stream.id.as_str();
            match serde_json::from_slice(&row.payload)? {
                Event::Created { name, uuid } => {
                    let fields = [("id", id), ("uuid", &uuid), ("name", &name)];
                    tenants.push(
                        fields.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect(),
                    );
                }
                Event::KeyAttributeSet { key } => {
                    let known =
                        |tenant: &&mut Object| tenant.get("id").and_then(|id| id.as_text()) == Some(id);
                    if let Some(tenant) = tenants.iter_mut().find(known) {
                        tenant.set("key-attribute", key);
                    }
                }
            }
        }
    }
}
