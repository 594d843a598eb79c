//! What every aggregate is to cqrs-es: synchronous decisions behind its asynchronous `handle`.

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

pub(crate) use aggregate;
