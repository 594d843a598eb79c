//! cqrs-es over the record's port, for the administrative aggregates.
