//! From a plan to the arena: who may need exact starts, and which window bounds whom.

use super::super::plan::{Anchor, Plan, Seq};
use super::all::All;
use super::chain::{Chain, Deadline, Link};
use super::{Kind, Machine, Node, NodeId};

/// What stands around a node.
#[derive(Clone, Copy)]
struct Around {
    /// Whether a guard before its start, or a deadline counted from its start, makes starts worth keeping apart.
    exact: bool,
    /// Whether anyone asks for its events.
    witnessed: bool,
    /// The tightest window.
    horizon: Option<i64>,
}

pub(super) fn build(plan: &Plan) -> Machine {
    let mut machine = Machine { nodes: Vec::new(), slots: 0 };
    machine.add(plan, Around { exact: false, witnessed: true, horizon: None });
    machine
}

impl Machine {
    fn add(&mut self, plan: &Plan, around: Around) -> NodeId {
        let kind = match plan {
            Plan::Event(met) => Kind::Event(met.clone(), around.witnessed),
            Plan::Count(n, met) => {
                Kind::Count(usize::try_from(*n).unwrap_or(usize::MAX), met.clone(), around.witnessed)
            }
            Plan::Any(members) => Kind::Any(members.iter().map(|m| self.add(m, around)).collect()),
            Plan::Within(span, inner) => {
                let horizon = Some(around.horizon.map_or(*span, |h| h.min(*span)));
                Kind::Within(*span, self.add(inner, Around { horizon, ..around }))
            }
            Plan::Seq(seq) => Kind::Chain(self.chain(seq, around)),
            Plan::Repeat(n, inner) => Kind::Chain(self.repeat(*n, inner, around)),
            Plan::All { members, guards } => Kind::All(All {
                members: members.iter().map(|m| self.add(m, around)).collect(),
                guards: self.guards(guards, around),
                exact: around.exact,
            }),
        };
        self.push(kind, around)
    }

    fn push(&mut self, kind: Kind, around: Around) -> NodeId {
        let slot = self.slots;
        if matches!(kind, Kind::Count(..) | Kind::Chain(_) | Kind::All(_)) {
            self.slots += 1;
        }
        self.nodes.push(Node { kind, exact: around.exact, horizon: around.horizon, slot });
        self.nodes.len() - 1
    }

    /// Guards only have to be known to have happened: the later their start the more they rule out.
    fn guards(&mut self, guards: &[Plan], around: Around) -> Vec<NodeId> {
        let around = Around { exact: false, witnessed: false, ..around };
        guards.iter().map(|guard| self.add(guard, around)).collect()
    }

    fn chain(&mut self, seq: &Seq, around: Around) -> Chain {
        let from_start = seq.trailing.as_ref().is_some_and(|t| t.from == Anchor::Start);
        let exact = around.exact || from_start;
        let mut links = Vec::with_capacity(seq.steps.len());
        for (k, step) in seq.steps.iter().enumerate() {
            let exact = if k == 0 { exact } else { !step.guards.is_empty() };
            links.push(Link {
                guards: self.guards(&step.guards, around),
                member: self.add(&step.plan, Around { exact, ..around }),
                instant: matches!(step.plan, Plan::Event(_)),
            });
        }
        let trailing = seq.trailing.as_ref().map(|t| Deadline {
            guards: self.guards(&t.guards, around),
            span: t.span,
            from: t.from,
        });
        Chain { links, times: 1, trailing, exact }
    }

    /// All links of a count share one member, or one run of members.
    fn repeat(&mut self, n: u64, inner: &Plan, around: Around) -> Chain {
        let links = match inner {
            Plan::Seq(seq) if seq.trailing.is_none() => self.chain(seq, around).links,
            inner => {
                let instant = matches!(inner, Plan::Event(_));
                vec![Link { guards: Vec::new(), member: self.add(inner, around), instant }]
            }
        };
        let times = usize::try_from(n).unwrap_or(usize::MAX);
        Chain { links, times, trailing: None, exact: around.exact }
    }
}
