//! Which aggregates there are, in which streams, and what has to go along with their events.

use cqrs_es::Aggregate;
use domain::augment::Augment;
use domain::client::Client;
use domain::integration::Integration;
use domain::listener::Listener;
use domain::pattern::Pattern;
use domain::template::Template;
use domain::tenant::Tenant;

use crate::record::StreamKind;

/// What goes along with an event in its append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Nothing.
    Nothing,
    /// It moves the tenant's configuration position: events are matched differently from then on.
    Configuration,
    /// The tenant's key is made with it.
    TenantKey,
}

/// An aggregate that commands are sent to.
pub trait Kind:
    Aggregate<
        Services = (),
        Command: Clone + Send + Sync + 'static,
        Event: 'static,
        Error: Send + Sync + 'static,
    > + 'static
{
    /// The kind of its streams.
    const KIND: StreamKind;
    /// The stored names of its events, with what goes along with each.
    const EVENTS: &'static [(&'static str, Along)];
}

impl Kind for Tenant {
    const KIND: StreamKind = StreamKind::Tenant;
    const EVENTS: &'static [(&'static str, Along)] =
        &[("tenant-created", Along::TenantKey), ("key-attribute-set", Along::Configuration)];
}

impl Kind for Client {
    const KIND: StreamKind = StreamKind::Client;
    const EVENTS: &'static [(&'static str, Along)] =
        &[("client-created", Along::Nothing), ("client-deleted", Along::Nothing)];
}

impl Kind for Pattern {
    const KIND: StreamKind = StreamKind::Pattern;
    const EVENTS: &'static [(&'static str, Along)] = &[
        ("pattern-created", Along::Configuration),
        ("pattern-updated", Along::Configuration),
        ("pattern-deleted", Along::Configuration),
    ];
}

impl Kind for Template {
    const KIND: StreamKind = StreamKind::Template;
    const EVENTS: &'static [(&'static str, Along)] = &[
        ("template-created", Along::Nothing),
        ("template-updated", Along::Nothing),
        ("template-deleted", Along::Nothing),
    ];
}

impl Kind for Integration {
    const KIND: StreamKind = StreamKind::Integration;
    const EVENTS: &'static [(&'static str, Along)] =
        &[("integration-set", Along::Nothing), ("integration-deleted", Along::Nothing)];
}

impl Kind for Augment {
    const KIND: StreamKind = StreamKind::Augment;
    const EVENTS: &'static [(&'static str, Along)] = &[
        ("augment-created", Along::Configuration),
        ("augment-updated", Along::Configuration),
        ("augment-file-set", Along::Configuration),
        ("augment-file-deleted", Along::Configuration),
        ("augment-deleted", Along::Configuration),
    ];
}

impl Kind for Listener {
    const KIND: StreamKind = StreamKind::Listener;
    const EVENTS: &'static [(&'static str, Along)] = &[
        ("listener-created", Along::Nothing),
        ("listener-updated", Along::Nothing),
        ("listener-deleted", Along::Nothing),
    ];
}
