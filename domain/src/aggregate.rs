//! What every aggregate is to cqrs-es: synchronous decisions behind its asynchronous `handle`, and events with names.

/// Makes `$name`, which has `decide` and `evolve`, an aggregate under its stored type name. With the type of its
/// definition, one that has a `definition` and a `version` also gets `seen`.
macro_rules! aggregate {
    ($name:ident, $type:literal) => {
        impl cqrs_es::Aggregate for $name {
            const TYPE: &'static str = $type;
            type Command = Command;
            type Event = Event;
            type Error = Error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Command,
                (): &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Error> {
                for event in self.decide(command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Event) {
                self.version += 1;
                self.evolve(event);
            }
        }
    };
    ($name:ident, $type:literal, $definition:ty) => {
        $crate::aggregate::aggregate!($name, $type);

        impl $name {
            /// The definition, if it is there and the one that the client saw.
            fn seen(&self, expected: Option<u64>) -> Result<&$definition, Error> {
                let definition = self.definition.as_ref().ok_or(Error::Missing)?;
                match expected {
                    Some(version) if version != self.version => Err(Error::Changed(self.version)),
                    _ => Ok(definition),
                }
            }
        }
    };
}

/// Makes the `Event` of an aggregate whose `Definition` is made, replaced whole and deleted. `$created` and its like are
/// the stored names: no renaming in the code may orphan history.
macro_rules! events_of_definition {
    ($created:literal, $updated:literal, $deleted:literal) => {
        /// Something that happened to it.
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Event {
            #[doc = concat!("`", $created, "`")]
            Created(Definition),
            #[doc = concat!("`", $updated, "`")]
            Updated(Definition),
            #[doc = concat!("`", $deleted, "`")]
            Deleted,
        }

        impl Event {
            /// The stored name.
            pub fn name(&self) -> &'static str {
                match self {
                    Self::Created(_) => $created,
                    Self::Updated(_) => $updated,
                    Self::Deleted => $deleted,
                }
            }
        }

        impl cqrs_es::DomainEvent for Event {
            fn event_type(&self) -> String {
                self.name().to_owned()
            }

            fn event_version(&self) -> String {
                "1".to_owned()
            }
        }
    };
}

pub(crate) use {aggregate, events_of_definition};
