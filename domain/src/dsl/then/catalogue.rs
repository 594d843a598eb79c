//! Endpoints, their verbs and parameters (then.md §4).
